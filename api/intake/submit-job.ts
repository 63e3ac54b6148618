/** The business step behind POST /v1/complete: admit, seal, accept, hand off. */

import { RequestError } from '../../shared/domain/errors.ts';
import type { JobId } from '../../shared/domain/ids.ts';
import { type JobView, statusOf } from '../../shared/domain/jobs/job.ts';
import { isFinal } from '../../shared/domain/jobs/states.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import type { Webhook } from '../../shared/domain/webhooks/webhook.ts';
import type { JobIds } from '../../shared/keys/digests/genuine-ids.ts';
import type { RequestDigests } from '../../shared/keys/digests/request-digest.ts';
import type { Config } from '../../shared/process/config/config.ts';
import type { AcceptJob, NewJob, RateState, WaitingCall } from '../../shared/storage/jobs/accept-job.ts';
import type { JobStore } from '../../shared/storage/jobs/job-store.ts';
import type { Queues } from '../../shared/storage/queue/queues.ts';
import { RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';
import type { Admission } from './admission.ts';
import { rateLimited } from './rate-limited.ts';
import type { ResolvedAccount } from './resolve-account.ts';
import { stoppedRequest } from './stopped.ts';
import { storageFull } from './stored-bytes.ts';
import { upgradeUnfinished } from './upgrade-unfinished.ts';
import type { WaitingRoom } from './waiting-room.ts';

type Needs = {
  admission: Admission;
  acceptJob: AcceptJob;
  jobs: Pick<JobStore, 'read'>;
  jobIds: JobIds;
  queues: Queues;
  requestDigests: RequestDigests;
  waitingRoom: WaitingRoom;
  /** Whether all of this installation's workers can read bodies in the forms of this release. */
  isRaised: () => boolean;
  config: Pick<Config, 'sandbox' | 'jobs' | 'sealBodies'>;
  now: () => number;
};

export type Submission = {
  caller: Pick<Caller, 'tenant' | 'platformKey' | 'limits'>;
  /** Called as soon as the queue has answered, whether it took the job or not. */
  tellRate: (rate: RateState) => void;
  /** That its calls run on. */
  account: ResolvedAccount;
  /** What it asks for, and what was found of it. */
  judged: Pick<NewJob, 'model' | 'asked' | 'streamed' | 'warnings' | 'needs' | 'tokens' | 'cost' | 'refusal'>;
  sameness: Sameness;
  metadata: Record<string, string>;
  webhook: Webhook | null;
  /** Null takes the configured default. */
  timeoutMs: number | null;
  deadlineMs: number | null;
  /** Where in a trace the request stands; null where there is none. */
  traceparent: Traceparent | null;
  /** The client's `Idempotency-Key`. */
  idempotencyKey: string | null;
  /** Waits so long for the job to be final; null answers when it is accepted. */
  wait: { ms: number; gone: AbortSignal } | null;
  /** The call that goes on waiting by itself; null if none does. */
  waiting: Omit<WaitingCall, 'requests'> | null;
};

/** What makes two requests with one `Idempotency-Key` the same. `mark` stands for the user's key, under one of the peppers; null on the platform's account. */
export type Sameness = {
  route: string;
  parts: (mark: string | null) => readonly (string | Buffer)[];
  /** As the former release had it, whose entries stay for a day; null if it had no such route. */
  former: ((mark: string | null, times: { timeoutMs: number; durationMs: number }) => string) | null;
};

/**
 * `replayed`: its Idempotency-Key was used before; `joined`: it was sent before, and takes that job over.
 * `waitedMs`: the longest that it would have waited; 0 when it did not wait.
 */
export type Submitted = { view: JobView; replayed: boolean; joined: boolean; waitedMs: number };

/** Nobody knows when a job of the queue will run: soon enough to be of use, and not so soon that asking is the work. */
const QUEUE_FULL_SECONDS = 5;

export const createSubmitJob = (needs: Needs): ((submission: Submission) => Promise<Submitted>) => {
  const { acceptJob, jobs, queues, waitingRoom } = needs;

  const accept = async (
    { caller: { limits }, tellRate }: Submission,
    job: NewJob,
    watcher: string | null,
  ): Promise<Submitted> => {
    const answer = await acceptJob(job, { watcher }).catch((error: unknown) =>
      Promise.reject(uncertain(error, job.id)),
    );
    tellRate(answer.rate);
    switch (answer.kind) {
      case 'mismatch':
        throw new RequestError('idempotency_mismatch', { param: 'Idempotency-Key' });
      case 'refused':
        throw job.refusal ?? new Error('refused for no reason');
      case 'behind':
        throw upgradeUnfinished();
      case 'stopped':
        throw stoppedRequest(answer.reason);
      case 'rate_limited':
        throw rateLimited(limits, answer.waitMs);
      case 'too_many_queued':
        throw new RequestError('too_many_queued', {
          retryAfterSeconds: QUEUE_FULL_SECONDS,
          message: `This tenant may have ${limits.max_queued} jobs waiting, and has them; try again when some of them have run.`,
        });
      case 'too_many_stored_bytes':
        throw storageFull(limits, answer);
      case 'over_budget':
        throw new RequestError('budget_exceeded', { message: budgetMessage(job, answer) });
      case 'replayed':
      case 'joined':
        if (answer.view === null) throw new RequestError('result_expired');
        return {
          view: answer.view,
          replayed: answer.kind === 'replayed',
          joined: answer.kind === 'joined',
          waitedMs: 0,
        };
      case 'accepted':
        queues.handOff(answer.shard, answer.handoffs);
        return { view: answer.view, replayed: false, joined: false, waitedMs: 0 };
    }
  };

  return async (submission) => {
    needs.admission.admit();
    const { caller, wait, idempotencyKey } = submission;
    const job = await newJob(needs, submission).finally(submission.account.forgetKey);
    // Without a key there is nothing that it could repeat.
    if (job.refusal !== null && idempotencyKey === null) throw job.refusal;
    if (wait === null) return accept(submission, job, submission.waiting === null ? null : waitingRoom.id);

    const first = await accept(submission, job, waitingRoom.id);
    const { id } = first.view;
    const { state, waitedMs } = await waitingRoom.wait(id, wait.ms, {
      tenant: caller.tenant,
      gone: wait.gone,
      heeds: isFinal,
      // The job is accepted: the answer is a 202 at least, whatever becomes of the reads.
      read: async () =>
        (await jobs.read(caller.tenant, id, { watcher: waitingRoom.id }).catch(() => null)) ?? first.view,
      isDone: (view) => isFinal(statusOf(view)),
    });
    return { ...first, view: state, waitedMs };
  };
};

const newJob = async (
  { jobIds, requestDigests, isRaised, config, now }: Needs,
  submission: Submission,
): Promise<NewJob> => {
  const { caller, account, judged, sameness, metadata, webhook, idempotencyKey, traceparent } = submission;
  const { tenant, platformKey, limits } = caller;
  const id = jobIds.next(tenant);
  const timeoutMs = submission.timeoutMs ?? config.jobs.defaultTimeoutMs;
  const durationMs = submission.deadlineMs ?? config.jobs.defaultDeadlineMs;
  const deadlineMs = now() + durationMs;
  const { provider, credential, fingerprint, fingerprints } = account;
  const digests =
    idempotencyKey === null && submission.waiting === null
      ? []
      : requestDigests((pepper) => sameness.parts(fingerprints[pepper] ?? null));
  return {
    id,
    tenant,
    class: 'interactive',
    provider,
    credential,
    platformKey,
    fingerprint,
    deadlineMs,
    timeoutMs,
    ...judged,
    sealBody: isRaised() && (config.sealBodies === 'all' || (config.sealBodies === 'byok' && credential === 'user')),
    isRaised: isRaised(),
    sealedKey: await account.sealFor(id, deadlineMs),
    metadata,
    webhook,
    traceparent,
    sandbox: config.sandbox,
    limits,
    idempotency:
      idempotencyKey === null
        ? null
        : {
            key: idempotencyKey,
            route: sameness.route,
            requests: [
              ...digests,
              ...fingerprints.flatMap((mark) => sameness.former?.(mark, { timeoutMs, durationMs }) ?? []),
            ],
          },
    // With a key of its own, that alone says which requests are the same.
    waiting: submission.waiting && {
      ...submission.waiting,
      ...(idempotencyKey === null ? { requests: digests } : { requests: [], repeats: false }),
    },
  };
};

const dollars = (nano: number): string => `$${(nano / 1e9).toFixed(6).replace(/(\.\d\d.*?)0+$/, '$1')}`;

const budgetMessage = (
  { cost }: NewJob,
  { usedNano, reservedNano }: { usedNano: number; reservedNano: number },
): string => {
  const { estimateNano = 0, budgetNano = 0 } = cost ?? {};
  const left = Math.max(0, budgetNano - usedNano - reservedNano);
  return `This request may cost ${dollars(estimateNano)}, and ${dollars(left)} of this month’s budget of ${dollars(budgetNano)} are neither used nor reserved; lower max_tokens, or wait for running jobs to end or for the next month.`;
};

/** Redis did not answer: the job may have been accepted. */
const uncertain = (error: unknown, id: JobId): unknown =>
  error instanceof RedisUnavailable
    ? new RequestError('queue_unavailable', {
        jobId: id,
        retryAfterSeconds: 1,
        message:
          'The queue did not answer, so the job may or may not have been accepted: ask for job_id before you send it again.',
      })
    : error;
