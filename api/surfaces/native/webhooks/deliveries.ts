/** What became of each event, and sending it again. */
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { deliveryOf, isDeliveryId, isJobId } from '../../../../shared/domain/ids.ts';
import { DELIVERY_STATUSES } from '../../../../shared/domain/webhooks/delivery-states.ts';
import { delivery } from '../../../../shared/domain/webhooks/schema.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import type { DeliveryPlace, DeliveryStore } from '../../../../shared/storage/webhooks/delivery-store.ts';
import { operation } from '../../../access/operation.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import { pageJson } from '../../../http/query/page.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { wholeNumber } from '../../../http/query/read-query.ts';
import type { TakeRequest } from '../take-request.ts';
import type { TakeTurns } from '../take-turns.ts';
import { type Redelivered, redelivered } from './schema.ts';

/** As the script `redeliver` has it. */
const REDELIVERY_SPACING_SECONDS = 10;

const placeText = ({ id, ms }: DeliveryPlace): string => `${ms} ${id}`;
const decode = (cursor: string): DeliveryPlace | null => {
  const [ms = '', id = ''] = Buffer.from(cursor, 'base64url').toString('latin1').split(' ');
  return /^\d{1,15}$/.test(ms) && isDeliveryId(id) ? { id, ms: Number(ms) } : null;
};

export const deliveriesQuery = z.strictObject({
  job_id: z.string().refine(isJobId, 'must be the id of a job').optional(),
  status: z.enum(DELIVERY_STATUSES).optional(),
  limit: wholeNumber(1, 100).default(20),
  after: z
    .string()
    .refine((cursor) => decode(cursor) !== null, 'must be the next_cursor of an earlier answer')
    .optional(),
});

export const redeliverBody = z
  .strictObject({
    since: z
      .string()
      .refine(
        (text) => z.iso.datetime({ offset: true }).safeParse(text).success,
        'must be a time such as 2026-01-31T12:00:00Z',
      ),
  })
  .register(NAMED, { id: 'Redelivery' });

const deliveryList = listOf(delivery).register(NAMED, { id: 'WebhookDeliveryList' });

type Needs = {
  deliveries: DeliveryStore;
  queues: Queues;
  readJson: ReadJson;
  takeRequest: TakeRequest;
  takeTurns: TakeTurns;
};

export const listDeliveries = operation({
  method: 'GET',
  path: '/v1/webhooks/deliveries',
  access: 'webhooks:manage',
  summary: 'Lists deliveries of events with their attempts, newest event first',
  query: deliveriesQuery,
  answers: { 200: { description: 'A page of deliveries.', schema: deliveryList } },
  handle:
    ({ deliveries, takeTurns }: Needs) =>
    (c, { job_id, status = null, limit, after }) =>
      takeTurns(c, async () => {
        const tenant = c.get('tenant');
        const ofJob = async () => {
          const found = job_id === undefined ? null : await deliveries.read(tenant, deliveryOf(job_id));
          return { deliveries: found && (status ?? found.status) === found.status ? [found] : [], next: null };
        };
        const page =
          job_id === undefined
            ? await deliveries.list({ tenant, status, limit, after: after === undefined ? null : decode(after) })
            : await ofJob();
        return c.json(pageJson(page.deliveries, page.next && placeText(page.next)));
      }),
});

export const redeliverFailed = operation({
  method: 'POST',
  path: '/v1/webhooks/deliveries/redeliver',
  access: 'webhooks:manage',
  summary: 'Sends every delivery again that failed since a time',
  body: { schema: redeliverBody },
  answers: { 202: { description: 'How many are on their way.', schema: redelivered } },
  rateLimited: true,
  handle:
    ({ deliveries, queues, readJson, takeRequest }: Needs) =>
    async (c) => {
      const tenant = c.get('tenant');
      const { since } = parseOr('invalid_body', redeliverBody, await readJson(c, tenant));
      await takeRequest(c);
      let count = 0;
      let goOn: Awaited<ReturnType<DeliveryStore['redeliverFailed']>>['goOn'] = null;
      do {
        const sent = await deliveries.redeliverFailed(tenant, Date.parse(since), goOn);
        queues.handOff(sent.shard, sent.handoffs);
        count += sent.sent;
        goOn = sent.goOn;
      } while (goOn !== null);
      return c.json<Redelivered>({ object: 'redelivery', count }, 202);
    },
});

export const redeliver = operation({
  method: 'POST',
  path: '/v1/webhooks/deliveries/:id/redeliver',
  access: 'webhooks:manage',
  summary: 'Sends a delivery again, under the same id',
  answers: { 202: { description: 'The delivery, on its way.', schema: delivery } },
  errors: ['result_expired'],
  rateLimited: true,
  handle:
    ({ deliveries, queues, takeRequest }: Needs) =>
    async (c) => {
      await takeRequest(c);
      const tenant = c.get('tenant');
      const id = c.req.param('id') ?? '';
      const sent = isDeliveryId(id) ? await deliveries.redeliver(tenant, id) : null;
      if (sent?.answer === 'subject_gone') {
        throw new RequestError('result_expired', {
          message: 'What this delivery tells of is no longer stored, so it cannot be sent again.',
        });
      }
      if (sent?.answer === 'too_soon') {
        throw new RequestError('rate_limited', {
          retryAfterSeconds: REDELIVERY_SPACING_SECONDS,
          message: `A delivery is sent again at most once in ${REDELIVERY_SPACING_SECONDS} seconds; look at its attempts first.`,
        });
      }
      if (sent) queues.handOff(sent.shard, sent.handoffs);
      const sentAgain = sent?.answer === 'done' && isDeliveryId(id) ? await deliveries.read(tenant, id) : null;
      if (sentAgain === null) {
        throw new RequestError('not_found', {
          message: 'There is no delivery of this id; they are kept for up to 7 days.',
        });
      }
      return c.json(sentAgain, 202);
    },
});
