/** One attempt to deliver, from hand-off to settlement: claim → read what happened → sign and send → decide → settle. Whatever happens ends in a recorded state. */
import type { DeliveryId } from '../../shared/domain/ids.ts';
import { describeError, type Log } from '../../shared/domain/log.ts';
import { buildEventBody } from '../../shared/domain/webhook-event.ts';
import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { Tracer } from '../../shared/process/tracing/tracer.ts';
import { type Handoff, parseDeliveryHandoff, type Queues } from '../../shared/storage/queue/queues.ts';
import type { DeliveryClaim, DeliveryStore } from '../../shared/storage/webhooks/delivery-store.ts';
import type { WebhookSecretStore } from '../../shared/storage/webhooks/webhook-secret-store.ts';
import { settleInTheEnd } from '../queue/settle-in-the-end.ts';
import { nextDelivery } from './next-delivery.ts';
import type { ReadSubject } from './read-subject.ts';
import type { SendWebhook } from './send-webhook.ts';

type Needs = {
  deliveries: DeliveryStore;
  queues: Queues;
  secrets: Pick<WebhookSecretStore, 'open'>;
  readSubject: ReadSubject;
  send: SendWebhook;
  tracer: Tracer;
  metrics: WorkerMetrics;
  /** See `nextDelivery`. */
  scheduleMs: readonly number[];
  newMark: () => string;
  /** Aborts when this worker stops. */
  stopping: AbortSignal;
  now: () => number;
  random: () => number;
  log: Log;
};

/** Runs one hand-off of a shard. `lost` aborts when the worker may no longer hold it. Never rejects but for a bug. */
export type DeliverWebhook = (shard: number, handoff: Handoff, lost: AbortSignal) => Promise<void>;

type Settlement = Parameters<DeliveryStore['settle']>[1];
type Attempt = Pick<Settlement, 'code' | 'status' | 'ms' | 'next'>;

const BROKEN = {
  kind: 'failed',
  code: 'internal_error',
  status: null,
  retryAfterMs: null,
  gone: false,
  ms: 0,
} as const;

export const createDeliverWebhook = (needs: Needs): DeliverWebhook => {
  const { deliveries, queues, log } = needs;

  // The hand-offs are safe in the outbox; those that BullMQ does not get now, `tend` brings.
  const handOff = (shard: number, handoffs: readonly Handoff[]): void => {
    queues
      .add(shard, handoffs)
      .catch((error: unknown) => log.warn('hand_off_failed', { shard, ...describeError(error) }));
  };

  return async (shard, handoff, lost) => {
    const parsed = parseDeliveryHandoff(handoff);
    if (!parsed) return log.error('hand_off_malformed');
    const { id, number } = parsed;
    // A hand-off that is dropped here stays in the outbox, and `tend` gives it to another worker.
    if (needs.stopping.aborted) return;
    const mark = needs.newMark();
    const { claim, handoffs } = await deliveries.claim(shard, {
      id,
      handoff: number,
      mark,
      mostFailures: needs.scheduleMs.length + 1,
    });
    if (claim === null) return handOff(shard, handoffs);

    const attempt = await attemptOnce(needs, id, claim, AbortSignal.any([lost, needs.stopping])).catch(
      (error: unknown): Attempt => {
        log.error('delivery_broke', { delivery_id: id, ...describeError(error) });
        return decide(needs, claim, BROKEN);
      },
    );
    const settlement: Settlement = { id, attempt: claim.attempt, mark, ...attempt };
    const settled = await settleInTheEnd((offered: Settlement) => deliveries.settle(shard, offered), {
      settlement,
      instead: { ...settlement, code: 'internal_error', next: { kind: 'failed', reason: null } },
      log,
      about: { delivery_id: id, shard },
    });
    handOff(shard, settled.handoffs);
    needs.metrics.deliverySettled(attempt.code, attempt.ms);
    log.info('delivery_settled', {
      delivery_id: id,
      tenant: claim.tenant,
      attempt: claim.attempt,
      outcome: attempt.code,
      became: settled.became,
      duration_ms: attempt.ms,
      ...(attempt.status !== null && { status: attempt.status }),
    });
  };
};

const attemptOnce = async (
  needs: Needs,
  id: DeliveryId,
  claim: DeliveryClaim,
  signal: AbortSignal,
): Promise<Attempt> => {
  const { tenant, subject, type, url, happenedMs } = claim;
  const told = await needs.readSubject(tenant, subject);
  if (told === null) {
    return { code: 'subject_gone', status: null, ms: 0, next: { kind: 'failed', reason: 'subject_gone' } };
  }
  const { secret, previous } = await needs.secrets.open(tenant, claim.secrets);
  const span = needs.tracer.start('client', told.traceparent);
  const outcome = await needs.send({
    url,
    id,
    timestampSeconds: Math.floor(needs.now() / 1_000),
    body: buildEventBody({ type, occurredAtMs: happenedMs, data: told.data }),
    traceparent: span.traceparent,
    secrets: previous === null ? [secret] : [secret, previous.secret],
    signal,
  });
  span.end(
    'deliver webhook',
    { 'gateway.tenant': tenant, 'gateway.delivery_id': id, 'gateway.outcome': outcome.kind },
    outcome.kind !== 'delivered',
  );
  // It may or may not have arrived; another worker sends it again.
  if (outcome.kind === 'aborted') return { code: 'unknown', status: null, ms: outcome.ms, next: { kind: 'hand_back' } };
  return decide(needs, claim, outcome);
};

const decide = (
  { scheduleMs, random }: Needs,
  { type, failures }: DeliveryClaim,
  outcome: Exclude<Awaited<ReturnType<SendWebhook>>, { kind: 'aborted' }>,
): Attempt => {
  // Whoever sent a test waits for its outcome.
  const schedule = type === 'webhook.test' ? [] : scheduleMs;
  const next = nextDelivery(failures + 1, outcome, schedule, random());
  return {
    code: outcome.kind === 'delivered' ? 'delivered' : outcome.code,
    status: outcome.status,
    ms: outcome.ms,
    next: next.kind === 'failed' ? { kind: 'failed', reason: null } : next,
  };
};
