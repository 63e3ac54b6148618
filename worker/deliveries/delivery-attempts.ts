/** The attempts of deliveries: read what happened, sign and send it, decide. */

import { buildEventBody } from '../../shared/domain/events/event-body.ts';
import type { DeliveryId } from '../../shared/domain/ids.ts';
import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { Tracer } from '../../shared/process/tracing/tracer.ts';
import { parseDeliveryHandoff } from '../../shared/storage/queue/queues.ts';
import type { DeliveryClaim, DeliveryStore } from '../../shared/storage/webhooks/delivery-store.ts';
import type { WebhookSecretStore } from '../../shared/storage/webhooks/webhook-secret-store.ts';
import type { Kind } from '../pipeline/pipeline.ts';
import { nextDelivery } from './next-delivery.ts';
import type { ReadSubject } from './read-subject.ts';
import type { SendWebhook } from './send-webhook.ts';

type Needs = {
  deliveries: DeliveryStore;
  secrets: Pick<WebhookSecretStore, 'open'>;
  readSubject: ReadSubject;
  send: SendWebhook;
  tracer: Tracer;
  metrics: WorkerMetrics;
  /** See `nextDelivery`. */
  scheduleMs: readonly number[];
  /** Aborts when this worker stops. */
  stopping: AbortSignal;
  now: () => number;
  random: () => number;
};

type Settlement = Parameters<DeliveryStore['settle']>[1];
type Attempt = Omit<Settlement, 'id' | 'attempt' | 'mark'>;

const BROKEN = {
  kind: 'failed',
  code: 'internal_error',
  status: null,
  retryAfterMs: null,
  gone: false,
  ms: 0,
} as const;

export const deliveryAttempts = (needs: Needs): Kind<DeliveryId, DeliveryClaim, Attempt, string> => {
  const { deliveries, scheduleMs, stopping } = needs;
  return {
    parse: parseDeliveryHandoff,
    mayStart: () => !stopping.aborted,
    claim: (shard, claiming) => deliveries.claim(shard, { ...claiming, mostFailures: scheduleMs.length + 1 }),
    attempt: (id, claim, lost) => attemptOnce(needs, id, claim, AbortSignal.any([lost, stopping])),
    broken: (claim) => decide(needs, claim, BROKEN),
    settle: deliveries.settle,
    instead: (attempt) => ({ ...attempt, code: 'internal_error', next: { kind: 'failed', reason: null } }),
    settled: (_claim, { code, ms }) => needs.metrics.deliverySettled(code, ms),
    log: {
      broke: 'delivery_broke',
      settled: 'delivery_settled',
      id: (id) => ({ delivery_id: id }),
      of: (_claim, { code, status }) => ({ outcome: code, ...(status !== null && { status }) }),
    },
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
