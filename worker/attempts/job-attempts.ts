/** The attempts of jobs: open the user's key, read the request, call the provider, decide. */

import type { EventSink, ProviderAdapter } from '../../providers/call/provider.ts';
import type { Provider } from '../../providers/catalogue.ts';
import type { Asked } from '../../shared/domain/formats.ts';
import type { JobId } from '../../shared/domain/ids.ts';
import { isFinal } from '../../shared/domain/jobs/states.ts';
import { describeError, type Log } from '../../shared/domain/log.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import { KeyServiceUnavailable, type OpenFailure, type Sealer } from '../../shared/keys/encryption/seal.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import type { Config } from '../../shared/process/config/config.ts';
import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { Tracer } from '../../shared/process/tracing/tracer.ts';
import { BodyLocked, BodyLost, type BodyStore } from '../../shared/storage/bodies/body-store.ts';
import { isSealed } from '../../shared/storage/bodies/stored-body.ts';
import type { OpenEventWriter } from '../../shared/storage/events/event-writer.ts';
import type {
  AttemptStore,
  Claim,
  NextStep,
  SettleAnswer,
  Settlement,
} from '../../shared/storage/jobs/attempt-store.ts';
import { parseHandoff } from '../../shared/storage/queue/queues.ts';
import { RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';
import type { Kind } from '../pipeline/pipeline.ts';
import type { BodyMemory } from './body-memory.ts';
import { decideAborted, decideNext, decideWithoutKey } from './decide-next.ts';
import { memoryFor, readRequest } from './read-request.ts';
import type { AbortReason, RunningJobs } from './running-jobs.ts';
import { showAnswer } from './show-answer.ts';
import { storeAnswer } from './store-answer.ts';

type Needs = {
  attempts: AttemptStore;
  bodies: BodyStore;
  bodyMemory: BodyMemory;
  sealer: Sealer;
  openEvents: OpenEventWriter;
  providers: Record<Provider, ProviderAdapter>;
  prices: Prices;
  running: RunningJobs;
  policy: Pick<Config['jobs'], 'maxAttempts' | 'maxThrottles'>;
  tracer: Tracer;
  metrics: WorkerMetrics;
  now: () => number;
  random: () => number;
  log: Log;
};

type Attempt = Omit<Settlement, 'id' | 'attempt' | 'mark' | 'answer'>;

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

const withoutCall = (outcome: Settlement['outcome'], next: NextStep): Attempt => ({
  outcome,
  billable: false,
  providerRequestId: null,
  usage: null,
  next,
});

export const jobAttempts = (
  needs: Needs,
): Kind<JobId, Claim, Attempt, Exclude<SettleAnswer['became'], 'answer_lost'>> => {
  const { attempts, bodies, running, metrics, log } = needs;
  return {
    parse: parseHandoff,
    mayStart: () => !running.isDraining(),
    claim: async (shard, claiming) => {
      const answer = await attempts.claim(shard, claiming);
      if (answer.kind === 'claimed') return { claim: answer.claim, handoffs: [] };
      log.debug('claim_refused', { job_id: claiming.id, code: answer.reason });
      const ended = ENDED_AT_CLAIM[answer.reason];
      if (ended) metrics.jobsFinished(ended, null);
      return { claim: null, handoffs: answer.handoffs };
    },
    attempt: async (id, claim, lost) => {
      const run = running.start(id, lost);
      return attemptOnce(needs, { id, claim, abort: run.signal }).finally(() => run.end());
    },
    broken: () => withoutCall('unavailable', BROKEN),
    settle: async (shard, settlement, claim) => {
      const { id, attempt, next } = settlement;
      const { tenant, batch, request } = claim;
      const answer =
        next.kind === 'completed'
          ? await storeAnswer(bodies, next.result, { id, tenant, attempt, batch, sealed: isSealed(request) })
          : null;
      const { became, handoffs } = await attempts.settle(shard, { ...settlement, answer });
      // Redis took so long that the pieces are gone: they are written again.
      if (became === 'answer_lost') throw new RedisUnavailable();
      return { became, handoffs };
    },
    instead: (attempt) => ({ ...attempt, usage: null, next: BROKEN }),
    settled: (claim, { outcome }, became) => {
      metrics.attemptSettled(claim, outcome);
      if (isFinal(became)) metrics.jobsFinished(became, claim);
    },
    log: {
      broke: 'attempt_broke',
      settled: 'attempt_settled',
      id: (id) => ({ job_id: id }),
      of: ({ provider, credential }, { outcome }) => ({ provider, credential, outcome }),
    },
  };
};

const attemptOnce = async (needs: Needs, run: { id: JobId; claim: Claim; abort: AbortSignal }): Promise<Attempt> => {
  const wanted = memoryFor(run.claim);
  if (wanted === 0) return attemptInMemory(needs, run);
  const overdue = AbortSignal.timeout(Math.max(0, run.claim.deadlineMs - needs.now()));
  const giveBack = await needs.bodyMemory.take(wanted, AbortSignal.any([run.abort, overdue]));
  if (giveBack === null) {
    if (!run.abort.aborted) return withoutCall('timed_out', { kind: 'expired' });
    // A cast because nothing else aborts it.
    const { outcome, next } = decideAborted(run.abort.reason as AbortReason, { billable: false });
    return withoutCall(outcome, next);
  }
  return attemptInMemory(needs, run).finally(giveBack);
};

const attemptInMemory = async (
  needs: Needs,
  { id, claim, abort }: { id: JobId; claim: Claim; abort: AbortSignal },
): Promise<Attempt> => {
  const opened = await openUserKey(needs, id, claim);
  if (!opened.ok) {
    needs.log.warn('user_key_not_opened', { job_id: id, code: opened.reason });
    const { outcome, next } = decideWithoutKey(opened.reason, claim.attempt, needs.random());
    return withoutCall(outcome, next);
  }
  try {
    const asked = await readRequest(needs.bodies, id, claim);
    const call = { id, claim, asked, abort, userKey: opened.secret };
    if (!claim.streamed) return await callProvider(needs, { ...call, events: null });
    const { tenant, attempt, request } = claim;
    const shown = showAnswer(await needs.openEvents({ tenant, id, attempt }, { sealed: isSealed(request) }));
    const ended = await callProvider(needs, { ...call, events: shown.events });
    return { ...ended, ...(await shown.conclude(ended.next)) };
  } catch (error) {
    if (!(error instanceof BodyLocked || error instanceof BodyLost || error instanceof KeyServiceUnavailable))
      throw error;
    needs.log.warn('request_not_read', { job_id: id, ...describeError(error) });
    if (error instanceof BodyLost) return withoutCall('unavailable', BROKEN);
    const { outcome, next } = decideWithoutKey('unavailable', claim.attempt, needs.random());
    return withoutCall(outcome, next);
  } finally {
    // An SDK and its connection keep what belongs to a call for longer than that.
    opened.secret?.forget();
  }
};

const callProvider = async (
  needs: Needs,
  {
    id,
    claim,
    asked,
    abort,
    userKey,
    events,
  }: {
    id: JobId;
    claim: Claim;
    asked: Asked;
    abort: AbortSignal;
    userKey: Secret | null;
    /** Null if the answer is not streamed. */
    events: EventSink | null;
  },
): Promise<Attempt> => {
  const timeoutMs = Math.min(claim.timeoutMs, claim.deadlineMs - needs.now());
  if (timeoutMs <= 0) return withoutCall('timed_out', { kind: 'expired' });

  const startedMs = performance.now();
  needs.metrics.callStarted();
  const span = needs.tracer.start('client', claim.traceparent);
  const provider = needs.providers[claim.provider];
  const call = { userKey, traceparent: span.traceparent, timeoutMs, signal: abort };
  const outcome = await (asked.format === 'neutral'
    ? provider.complete({ ...call, request: asked.request })
    : provider.pass({ ...call, request: asked, events }));
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
  const { billable, providerRequestId } = outcome;
  const usage = outcome.usage && {
    ...outcome.usage,
    ...needs.prices.of(claim.provider, claim.model, outcome.usage),
  };
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
