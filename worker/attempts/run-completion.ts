/** One attempt, from hand-off to settlement: claim → open key → call → decide → settle. Whatever happens ends in a recorded state. */

import type { ProviderAdapter } from '../../providers/call/provider.ts';
import type { Provider } from '../../providers/catalogue.ts';
import type { FinalStatus } from '../../shared/domain/job.ts';
import { describeError, type Log } from '../../shared/domain/log.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import type { OpenFailure, Sealer } from '../../shared/keys/encryption/seal.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import type { Config } from '../../shared/process/config/config.ts';
import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { Tracer } from '../../shared/process/tracing/tracer.ts';
import type {
  AttemptStore,
  Claim,
  NextStep,
  SettleAnswer,
  Settlement,
} from '../../shared/storage/jobs/attempt-store.ts';
import { type Handoff, parseHandoff, type Queues } from '../../shared/storage/queue/queues.ts';
import { settleInTheEnd } from '../queue/settle-in-the-end.ts';
import { decideAborted, decideNext, decideWithoutKey } from './decide-next.ts';
import type { AbortReason, RunningJobs } from './running-jobs.ts';

type Needs = {
  attempts: AttemptStore;
  queues: Queues;
  sealer: Sealer;
  providers: Record<Provider, ProviderAdapter>;
  prices: Prices;
  running: RunningJobs;
  policy: Pick<Config['jobs'], 'maxAttempts' | 'maxThrottles'>;
  tracer: Tracer;
  metrics: WorkerMetrics;
  newClaim: () => string;
  now: () => number;
  random: () => number;
  log: Log;
};

/** Runs one hand-off of a shard. `lost` aborts when the worker may no longer hold the job. Never rejects but for a bug. */
export type RunCompletion = (shard: number, handoff: Handoff, lost: AbortSignal) => Promise<void>;

const isFinalState = (became: SettleAnswer['became']): became is FinalStatus =>
  ['completed', 'failed', 'cancelled', 'expired'].includes(became);

/** What a refused claim has made of the job. */
const ENDED_AT_CLAIM = {
  stale: null,
  lacking: null,
  crashed: 'failed',
  over_budget: 'failed',
  cancelled: 'cancelled',
  expired: 'expired',
} as const;

const BROKEN = {
  kind: 'failed',
  code: 'internal_error',
  providerStatus: null,
  detail: null,
} as const satisfies NextStep;

type Attempt = Pick<Settlement, 'outcome' | 'billable' | 'providerRequestId'> & {
  usage: Outcome['usage'];
  next: NextStep;
};

const withoutCall = (outcome: Settlement['outcome'], next: NextStep): Attempt => ({
  outcome,
  billable: false,
  providerRequestId: null,
  usage: null,
  next,
});

export const createRunCompletion = (needs: Needs): RunCompletion => {
  const { attempts, queues, running, metrics, log } = needs;

  // The hand-offs are safe in the in-flight set; those that BullMQ does not get now, `reconcile` brings.
  const handOff = (shard: number, handoffs: readonly Handoff[]): void => {
    queues
      .add(shard, handoffs)
      .catch((error: unknown) => log.warn('hand_off_failed', { shard, ...describeError(error) }));
  };

  return async (shard, handoff, lost) => {
    const parsed = parseHandoff(handoff);
    if (!parsed) return log.error('hand_off_malformed');
    const { id, number } = parsed;
    // A hand-off that is dropped here stays in the in-flight set, and `reconcile` gives it to another worker.
    if (running.isDraining()) return;
    const mark = needs.newClaim();
    const answer = await attempts.claim(shard, id, number, mark);
    if (answer.kind === 'refused') {
      log.debug('claim_refused', { job_id: id, code: answer.reason });
      const ended = ENDED_AT_CLAIM[answer.reason];
      if (ended) metrics.jobsFinished(ended, null);
      return handOff(shard, answer.handoffs);
    }
    const { claim } = answer;
    const run = running.start(id, lost);
    const startedMs = needs.now();
    const attempt = await attemptOnce(needs, { id, claim, abort: run.signal }).catch((error: unknown) => {
      log.error('attempt_broke', { job_id: id, ...describeError(error) });
      return withoutCall('unavailable', BROKEN);
    });
    const { outcome, billable, providerRequestId, next, usage } = attempt;
    const settlement: Settlement = {
      id,
      attempt: claim.attempt,
      claim: mark,
      outcome,
      billable,
      providerRequestId,
      usage: usage && { ...usage, ...needs.prices.of(claim.provider, claim.model, usage) },
      next,
    };
    const settled = await settleInTheEnd((offered: Settlement) => attempts.settle(shard, offered), {
      settlement,
      instead: { ...settlement, usage: null, next: BROKEN },
      log,
      about: { job_id: id, shard },
    }).finally(() => run.end());
    handOff(shard, settled.handoffs);
    metrics.attemptSettled(claim, outcome);
    if (isFinalState(settled.became)) metrics.jobsFinished(settled.became, claim);
    log.info('attempt_settled', {
      job_id: id,
      tenant: claim.tenant,
      provider: claim.provider,
      credential: claim.credential,
      attempt: claim.attempt,
      outcome,
      became: settled.became,
      duration_ms: needs.now() - startedMs,
    });
  };
};

const attemptOnce = async (
  needs: Needs,
  { id, claim, abort }: { id: Settlement['id']; claim: Claim; abort: AbortSignal },
): Promise<Attempt> => {
  const opened = await openUserKey(needs, id, claim);
  if (!opened.ok) {
    needs.log.warn('user_key_not_opened', { job_id: id, code: opened.reason });
    const { outcome, next } = decideWithoutKey(opened.reason, claim.attempt, needs.random());
    return withoutCall(outcome, next);
  }
  try {
    return await callProvider(needs, { id, claim, abort, userKey: opened.secret });
  } finally {
    // An SDK and its connection keep what belongs to a call for longer than that.
    opened.secret?.forget();
  }
};

const callProvider = async (
  needs: Needs,
  { id, claim, abort, userKey }: { id: Settlement['id']; claim: Claim; abort: AbortSignal; userKey: Secret | null },
): Promise<Attempt> => {
  const timeoutMs = Math.min(claim.timeoutMs, claim.deadlineMs - needs.now());
  if (timeoutMs <= 0) return withoutCall('timed_out', { kind: 'expired' });

  const startedMs = performance.now();
  needs.metrics.callStarted();
  const span = needs.tracer.start('client', claim.traceparent);
  const outcome = await needs.providers[claim.provider].complete({
    request: claim.request,
    userKey,
    traceparent: span.traceparent,
    timeoutMs,
    signal: abort,
  });
  needs.metrics.callEnded(claim.provider, performance.now() - startedMs);
  span.end(
    `call ${claim.provider}`,
    {
      'gateway.tenant': claim.tenant,
      'gateway.job_id': id,
      'gateway.provider': claim.provider,
      'gateway.credential': claim.credential,
      'gateway.attempt': claim.attempt,
      'gateway.outcome': outcome.kind,
    },
    outcome.kind !== 'completed',
  );
  const { usage, billable, providerRequestId } = outcome;
  if (outcome.kind === 'cancelled') {
    // A cast because nothing else aborts it.
    return { billable, providerRequestId, usage, ...decideAborted(abort.reason as AbortReason, { billable }) };
  }
  // A call that was cut at the deadline is over at the deadline, whatever two clocks make of it.
  const wasCutAtDeadline = outcome.kind === 'timed_out' && timeoutMs < claim.timeoutMs;
  const next = decideNext(outcome, needs.policy, {
    nowMs: wasCutAtDeadline ? claim.deadlineMs : needs.now(),
    deadlineMs: claim.deadlineMs,
    failures: claim.failures,
    throttles: claim.throttles,
    apart: claim.apart,
    strikes: claim.strikes,
    random: needs.random(),
  });
  return { outcome: outcome.kind, billable, providerRequestId, usage, next };
};

/** The only place where a user's key is opened. A job that brought one runs on it or not at all. */
const openUserKey = async (
  { sealer, now }: Needs,
  id: string,
  claim: Claim,
): Promise<{ ok: true; secret: Secret | null } | { ok: false; reason: OpenFailure | 'missing' }> => {
  // A seal says that a key was brought, whatever has become of the record.
  if (claim.credential === 'platform' && claim.sealedKey === null) return { ok: true, secret: null };
  if (claim.sealedKey === null) return { ok: false, reason: 'missing' };
  const binding = {
    tenant: claim.tenant,
    subject: claim.batch ?? id,
    provider: claim.provider,
    expiresAtMs: claim.deadlineMs,
  };
  return sealer.open(claim.sealedKey, binding, now());
};
