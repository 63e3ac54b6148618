/** POST /v1/webhooks/test: an event of no job, and what comes of it. */
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { type DeliveryId, newDeliveryId } from '../../../../shared/domain/ids.ts';
import { type Delivery, delivery as deliveryForm } from '../../../../shared/domain/webhooks/schema.ts';
import { NAMED } from '../../../../shared/domain/wire.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import type { DeliveryStore } from '../../../../shared/storage/webhooks/delivery-store.ts';
import { operation } from '../../../access/operation.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { clientGone } from '../../../http/server/client-gone.ts';
import { storageFull } from '../../../intake/stored-bytes.ts';
import { takenWebhookUrl } from '../../../intake/taken-webhook-url.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import type { TakeRequest } from '../take-request.ts';
import { type WebhookTest, webhookTest } from './schema.ts';

/** An attempt takes 15 s at most; the rest is for its turn to come. */
const TEST_LIMIT_MS = 20_000;

const testBody = z.strictObject({ url: z.string() }).register(NAMED, { id: 'WebhookTestRequest' });

const testJson = (id: DeliveryId, { status, attempts }: Delivery): WebhookTest => {
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
  queues: Queues;
  waitingRoom: WaitingRoom;
  readJson: ReadJson;
  takeRequest: TakeRequest;
  config: Pick<Config, 'production' | 'webhooks'>;
};

export const testWebhook = operation({
  method: 'POST',
  path: '/v1/webhooks/test',
  access: 'webhooks:manage',
  summary: 'Sends a `webhook.test` event and waits for what comes of it',
  body: { schema: testBody },
  answers: {
    200: { description: 'What came of it.', schema: webhookTest },
    202: {
      description: 'It has not ended within 20 seconds; the list of deliveries will show what came of it.',
      schema: deliveryForm,
    },
  },
  errors: ['webhook_url_refused', 'too_many_stored_bytes', 'overloaded'],
  rateLimited: true,
  handle:
    ({ deliveries, queues, waitingRoom, readJson, takeRequest, config }: Needs) =>
    async (c) => {
      const tenant = c.get('tenant');
      const { url } = parseOr('invalid_body', testBody, await readJson(c, tenant));
      takenWebhookUrl(url, 'url', config);
      await takeRequest(c);
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
