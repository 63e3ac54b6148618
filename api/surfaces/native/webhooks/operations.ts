/** A tenant's webhooks: what became of each event, sending it again, a test, and the secret that signs. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { type DeliveryId, deliveryOf, isDeliveryId, isJobId, newDeliveryId } from '../../../../shared/domain/ids.ts';
import { DELIVERY_STATUSES } from '../../../../shared/domain/webhooks/delivery-states.ts';
import type { Delivery } from '../../../../shared/domain/webhooks/schema.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import type { DeliveryPlace, DeliveryStore } from '../../../../shared/storage/webhooks/delivery-store.ts';
import type { WebhookSecretStore, WebhookSecrets } from '../../../../shared/storage/webhooks/webhook-secret-store.ts';
import { route } from '../../../access/operation.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import type { ApiContext, ApiEnv } from '../../../http/context.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { noQuery, readQuery, wholeNumber } from '../../../http/query/read-query.ts';
import { clientGone } from '../../../http/server/client-gone.ts';
import { storageFull } from '../../../intake/stored-bytes.ts';
import { takenWebhookUrl } from '../../../intake/taken-webhook-url.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import type { TakeRequest } from '../take-request.ts';
import type { TakeTurns } from '../take-turns.ts';

/** An attempt takes 15 s at most; the rest is for its turn to come. */
const TEST_LIMIT_MS = 20_000;
/** As the script `redeliver` has it. */
const REDELIVERY_SPACING_SECONDS = 10;

const encode = ({ id, ms }: DeliveryPlace): string => Buffer.from(`${ms} ${id}`).toString('base64url');
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

export const redeliverBody = z.strictObject({
  since: z
    .string()
    .refine(
      (text) => z.iso.datetime({ offset: true }).safeParse(text).success,
      'must be a time such as 2026-01-31T12:00:00Z',
    ),
});

export const testBody = z.strictObject({ url: z.string() });

export const secretRotation = z.strictObject({ overlap_seconds: z.int().min(0).max(604_800).default(86_400) });

const secretsJson = ({ secret, createdAt, previous }: WebhookSecrets): object => ({
  secret: secret.reveal(),
  created_at: createdAt,
  previous: previous && { secret: previous.secret.reveal(), expires_at: previous.expiresAt },
});

const testJson = (id: DeliveryId, { status, attempts }: Delivery): object => {
  const last = attempts.at(-1);
  const delivered = status === 'delivered';
  return {
    object: 'webhook_test',
    id,
    delivered,
    status: last?.status ?? null,
    code: delivered ? null : (last?.code ?? null),
    duration_ms: last?.duration_ms ?? null,
  };
};

type Needs = {
  deliveries: DeliveryStore;
  webhookSecrets: WebhookSecretStore;
  queues: Queues;
  waitingRoom: WaitingRoom;
  readJson: ReadJson;
  takeRequest: TakeRequest;
  takeTurns: TakeTurns;
  config: Pick<Config, 'production' | 'webhooks'>;
};

export const addWebhookRoutes = (app: Hono<ApiEnv>, needs: Needs): void => {
  const { deliveries, webhookSecrets, queues, waitingRoom, readJson, takeRequest, takeTurns, config } = needs;
  const body = (c: ApiContext): Promise<unknown> => readJson(c, c.get('tenant'));

  route(app, '/v1/webhooks/deliveries', {
    GET: takeTurns(async (c) => {
      const { job_id, status = null, limit, after } = readQuery(c, deliveriesQuery);
      const tenant = c.get('tenant');
      const ofJob = async () => {
        const found = job_id === undefined ? null : await deliveries.read(tenant, deliveryOf(job_id));
        return { deliveries: found && (status ?? found.status) === found.status ? [found] : [], next: null };
      };
      const page =
        job_id === undefined
          ? await deliveries.list({ tenant, status, limit, after: after === undefined ? null : decode(after) })
          : await ofJob();
      return c.json({
        object: 'list',
        data: page.deliveries,
        has_more: page.next !== null,
        next_cursor: page.next && encode(page.next),
      });
    }),
  });

  route(app, '/v1/webhooks/deliveries/:id/redeliver', {
    POST: async (c) => {
      readQuery(c, noQuery);
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
      const delivery = sent?.answer === 'done' && isDeliveryId(id) ? await deliveries.read(tenant, id) : null;
      if (delivery === null) {
        throw new RequestError('not_found', {
          message: 'There is no delivery of this id; they are kept for up to 7 days.',
        });
      }
      return c.json(delivery, 202);
    },
  });

  route(app, '/v1/webhooks/deliveries/redeliver', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const { since } = parseOr('invalid_body', redeliverBody, await body(c));
      await takeRequest(c);
      const tenant = c.get('tenant');
      let count = 0;
      let goOn: Awaited<ReturnType<DeliveryStore['redeliverFailed']>>['goOn'] = null;
      do {
        const sent = await deliveries.redeliverFailed(tenant, Date.parse(since), goOn);
        queues.handOff(sent.shard, sent.handoffs);
        count += sent.sent;
        goOn = sent.goOn;
      } while (goOn !== null);
      return c.json({ object: 'redelivery', count }, 202);
    },
  });

  route(app, '/v1/webhooks/test', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const { url } = parseOr('invalid_body', testBody, await body(c));
      takenWebhookUrl(url, 'url', config);
      await takeRequest(c);
      const tenant = c.get('tenant');
      const id = newDeliveryId();
      const { limits } = c.get('caller');
      const answer = await deliveries.test(tenant, { id, url, watcher: waitingRoom.id, limits });
      if (answer.kind === 'too_many_stored_bytes') throw storageFull(limits, answer);
      queues.handOff(answer.shard, answer.handoffs);
      const { state } = await waitingRoom.wait(id, TEST_LIMIT_MS, {
        tenant,
        gone: clientGone(c),
        heeds: () => true,
        read: () => deliveries.read(tenant, id),
        isDone: (delivery) => delivery !== null && delivery.status !== 'pending',
      });
      if (state === null) throw new RequestError('queue_unavailable', { retryAfterSeconds: 5 });
      return state.status === 'pending' ? c.json(state, 202) : c.json(testJson(id, state));
    },
  });

  route(app, '/v1/webhooks/secret', {
    GET: async (c) => {
      readQuery(c, noQuery);
      return c.json(secretsJson(await webhookSecrets.read(c.get('tenant'), c.get('caller').platformKey)));
    },
  });

  route(app, '/v1/webhooks/secret/rotate', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const { overlap_seconds } = parseOr(
        'invalid_body',
        secretRotation,
        await readOptionalJson(c, c.get('tenant'), readJson),
      );
      await takeRequest(c);
      const rotation = { overlapMs: overlap_seconds * 1_000, platformKey: c.get('caller').platformKey };
      return c.json(secretsJson(await webhookSecrets.rotate(c.get('tenant'), rotation)));
    },
  });
};
