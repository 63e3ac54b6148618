/** The job's record, from acceptance to erasure, but for its attempts: one call here is one atomic script. */
import type { Redis } from 'ioredis';
import type { Provider } from '../../../providers/catalogue.ts';
import type { CompletionRequest, CredentialKind } from '../../domain/completion.ts';
import type { CompletionResult } from '../../domain/conversation/result.ts';
import type { RequestError } from '../../domain/errors.ts';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { JobView, WaitReason, Warning } from '../../domain/job.ts';
import type { JobRecord } from '../../domain/records/job-record.ts';
import type { LimitsInForce, StopReason } from '../../domain/tenant.ts';
import type { Traceparent } from '../../domain/traceparent.ts';
import { type Webhook, webhookText } from '../../domain/webhook.ts';
import type { RunCommand } from '../commands/command.ts';
import { cancelJob, eraseJob, type JobReply, submitJob, viewJobs } from '../commands/jobs/commands.ts';
import type { Handoff } from '../queue/queues.ts';
import { fieldsOf } from '../records/fields.ts';
import { digest, IDEMPOTENCY_MS, idempotencyEntry, upstreamOf } from '../records/names.ts';
import { key, shardTag } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { readTogether } from './read-together.ts';

/** Most ids that one script call handles, so that it never blocks Redis for more than a few milliseconds. */
const IDS_A_CALL = 64;
/** Fewer where results come along, which may be long. */
const RESULTS_A_CALL = 16;
/** How long an erased job can still be told from one whose late attempt has usage to report. */
export const ERASED_STUB_MS = 15 * 60_000;
/** Before the fields that a late attempt changed after the end, as they were. */
const TOLD = 'told:';

export type NewJob = {
  id: JobId;
  tenant: TenantId;
  class: 'interactive' | 'batch';
  provider: Provider;
  credential: CredentialKind;
  /** The public id of the platform key that asks for it, or the name of one of the configuration. */
  platformKey: string;
  /** Of the user's key; null on the platform's account. */
  fingerprint: string | null;
  /** Unix milliseconds. */
  deadlineMs: number;
  timeoutMs: number;
  request: CompletionRequest;
  /** What of it was left out; absent if nothing was. */
  warnings?: readonly Warning[];
  /** The sealed user key; null on the platform's account. */
  sealedKey: string | null;
  metadata: Record<string, string>;
  /** Who is told of its end; null: nobody. */
  webhook: Webhook | null;
  /** Where in a trace it was accepted; null where there is none. */
  traceparent: Traceparent | null;
  sandbox: boolean;
  /** That one call will use, as far as it can be told beforehand. */
  tokens: number;
  /** The most that one call can cost, and the month's budget that covers it; null where there is no budget. */
  cost: { estimateNano: number; budgetNano: number } | null;
  /** What its worker must be able to do. */
  needs: readonly string[];
  limits: Pick<LimitsInForce, 'requests_per_minute' | 'max_queued' | 'max_stored_bytes'>;
  /** Why it is not accepted now; only a request that was accepted before is answered. Null where nothing speaks against it. */
  refusal: RequestError | null;
  idempotency: Idempotency | null;
};

/** A client's wish that the same request is accepted once, however often it is sent. */
export type Idempotency = {
  /** The client's key and the route it was sent to. */
  key: string;
  route: string;
  /** All that makes two requests the same, as text; once for each pepper where a user's key is in it. The first is stored, and any is recognised. */
  requests: readonly string[];
};

/** How much of the requests a minute is left, and how long until all of it is. */
export type RateState = { remaining: number; resetMs: number };

export type SubmitAnswer = { rate: RateState } & (
  | { kind: 'accepted'; view: JobView; handoffs: Handoff[]; shard: number }
  /** The same request was accepted before; `view` is null where that job is no longer stored. */
  | { kind: 'replayed'; view: JobView | null }
  /** The idempotency key was used for another request. */
  | { kind: 'mismatch' }
  /** For the job's own reason. */
  | { kind: 'refused' }
  /** What it needs of a worker is not said in the schema that is recorded. */
  | { kind: 'behind' }
  | { kind: 'rate_limited'; waitMs: number }
  | { kind: 'too_many_queued' }
  /** What the tenant stores already, and what this job would add. */
  | { kind: 'too_many_stored_bytes'; stored: number; own: number }
  /** Its tenant or its key was stopped, which the process that asks does not know yet. */
  | { kind: 'stopped'; reason: StopReason }
  /** In nano-dollars. */
  | { kind: 'over_budget'; usedNano: number; reservedNano: number }
);

type ListQuery = {
  tenant: TenantId;
  status: string | null;
  limit: number;
  /** The `next` of the page before; null starts with the newest. */
  before: string | null;
};

export type JobStore = ReturnType<typeof createJobStore>;

export const createJobStore = ({
  redis,
  run,
  shards,
  retentionMs,
}: {
  redis: Redis;
  run: RunCommand;
  shards: number;
  retentionMs: number;
}) => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);

  const view = async (tenant: TenantId, ids: readonly JobId[], watcher: string, withResult: boolean) => {
    // The casts in this file: the forms of answers are those in the scripts' headers.
    const replies = await run(viewJobs, tagOf(tenant), { tenant, watcher, withResult, ids: ids });
    return replies.map((reply, index) => parseView(ids[index], reply));
  };

  type ReadOf = { tenant: TenantId; id: JobId; watcher: string };
  const readOne = readTogether(
    RESULTS_A_CALL,
    ({ tenant, watcher }: ReadOf) => `${tenant} ${watcher}`,
    (reads) =>
      view(
        reads[0].tenant,
        reads.map(({ id }) => id),
        reads[0].watcher,
        true,
      ),
  );

  return {
    /**
     * Accepts a job. With the same id again it changes nothing. `watcher`: an API process to be told of changes.
     * When it rejects, the job may or may not have been accepted.
     */
    submit: async (job: NewJob, { watcher }: { watcher: string | null }): Promise<SubmitAnswer> => {
      const { tenant, idempotency } = job;
      const answer = await run(submitJob, tagOf(tenant), {
        id: job.id,
        tenant,
        lane: laneOf(job),
        class: job.class,
        upstream: upstreamOf(job, job.request.model),
        provider: job.provider,
        model: job.request.model,
        credential: job.credential,
        deadlineMs: job.deadlineMs,
        timeoutMs: job.timeoutMs,
        request: JSON.stringify(job.request),
        sealedKey: job.sealedKey ?? null,
        metadata: Object.keys(job.metadata).length > 0 ? JSON.stringify(job.metadata) : '',
        sandbox: job.sandbox,
        watcher: watcher ?? null,
        maxHandoffs: HANDOFFS_A_SUBMIT,
        idempotencyEntry: idempotency ? idempotencyEntry(tenant, idempotency) : '',
        digests: idempotency ? idempotency.requests.map((request) => digest([request])).join(' ') : '',
        idempotencyMs: IDEMPOTENCY_MS,
        platformKey: job.platformKey,
        fingerprint: job.fingerprint ?? null,
        webhook: job.webhook ? webhookText(tenant, job.webhook) : '',
        requestsPerMinute: job.limits.requests_per_minute,
        maxQueued: job.limits.max_queued,
        traceparent: job.traceparent ?? null,
        tokens: job.tokens,
        estimateNano: job.cost?.estimateNano ?? null,
        budgetNano: job.cost?.budgetNano ?? null,
        refused: job.refusal !== null,
        retentionMs,
        maxStoredBytes: job.limits.max_stored_bytes,
        needs: job.needs.join(' '),
        warnings: job.warnings ? JSON.stringify(job.warnings) : '',
      });
      const [remaining, resetMs] = answer[1];
      const rate = { remaining, resetMs };
      switch (answer[0]) {
        case 'mismatch':
        case 'refused':
        case 'behind':
        case 'too_many_queued':
          return { kind: answer[0], rate };
        case 'rate_limited':
          return { kind: 'rate_limited', rate, waitMs: answer[2] };
        case 'too_many_stored_bytes':
          return { kind: 'too_many_stored_bytes', rate, stored: answer[2], own: answer[3] };
        case 'over_budget':
          return { kind: 'over_budget', rate, usedNano: answer[2], reservedNano: answer[3] };
        case 'stopped':
          return { kind: 'stopped', rate, reason: answer[2] };
        case 'replayed':
          return { kind: 'replayed', rate, view: parseView(answer[2], answer[3]) };
        case 'accepted': {
          const [kind, , , acceptedMs, reason, position, handoffs] = answer;
          const view = { id: job.id, record: newRecord(job, acceptedMs), queue: { reason, position }, result: null };
          return { kind, rate, view, handoffs, shard: shardOf(tenant, shards) };
        }
      }
    },

    /** A tenant's job; null where it is not stored. `watcher` as in `submit`. */
    read: (tenant: TenantId, id: JobId, { watcher }: { watcher: string | null }): Promise<JobView | null> =>
      readOne({ tenant, id, watcher: watcher ?? '' }),

    /** What counts toward a tenant's limit of stored bytes. */
    storedBytes: async (tenant: TenantId): Promise<number> =>
      Number((await answerOf(redis.hget(key(tagOf(tenant), 'TENANT', tenant), 'stored_bytes'))) ?? 0),

    /** Whose job this is; null where it is not stored, or is a line of a batch that never had its turn. For the operator alone: a tenant names itself. */
    ownerOf: async (id: JobId): Promise<TenantId | null> => {
      const answers = await Promise.allSettled(
        Array.from({ length: shards }, (_, shard) => answerOf(redis.hget(key(shardTag(shard), 'JOB', id), 'tenant'))),
      );
      for (const answer of answers) {
        // A cast because `submit` stores it.
        if (answer.status === 'fulfilled' && answer.value !== null) return answer.value as TenantId;
      }
      // It may be on a shard that did not answer.
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
      return null;
    },

    /** A final job as its event tells of it: as it was when it ended, also past its retention. Null where it was deleted. */
    readTold: async (tenant: TenantId, id: JobId): Promise<JobView | null> => {
      const replies = await answersOf(
        redis
          .multi()
          .hgetall(key(tagOf(tenant), 'JOB', id))
          .get(key(tagOf(tenant), 'RESULT', id))
          .exec(),
      );
      // Casts because MULTI does not know the types of its answers.
      const [record, result] = replies as [Record<string, string>, string | null];
      if (record.tenant !== tenant || record.erased) return null;
      for (const [field, value] of Object.entries(record)) {
        if (field.startsWith(TOLD)) record[field.slice(TOLD.length)] = value;
      }
      return { id, record, queue: null, result: result === null ? null : (JSON.parse(result) as CompletionResult) };
    },

    /** A page of a tenant's jobs, newest first, without results. With a status it may be short although more follow; `next` is null at the end. */
    list: async ({ tenant, status, limit, before }: ListQuery): Promise<{ views: JobView[]; next: string | null }> => {
      const views: JobView[] = [];
      let cursor = before;
      // Two pieces: with a rare status a page ends early and says where to go on.
      for (let piece = 0; piece < 2 && views.length < limit; piece++) {
        const from = cursor === null ? '+' : `(${cursor}`;
        const entries = await answerOf(
          redis.xrevrange(key(tagOf(tenant), 'JOBS', tenant), from, '-', 'COUNT', IDS_A_CALL),
        );
        const ids = entries.map(([, [, id]]) => id as JobId);
        const found = ids.length > 0 ? await view(tenant, ids, '', false) : [];
        for (const [index, job] of found.entries()) {
          if (views.length === limit) return { views, next: cursor };
          cursor = entries[index]?.[0] ?? cursor;
          if (job && (status === null || job.record.status === status)) views.push(job);
        }
        if (ids.length < IDS_A_CALL) return { views, next: null };
      }
      return { views, next: cursor };
    },

    /** Ends a waiting job at once; flags a running one, which its worker then aborts. */
    cancel: async (tenant: TenantId, id: JobId) => {
      const [answer, handoffs] = await run(cancelJob, tagOf(tenant), { id, tenant, retentionMs });
      return { answer, handoffs, shard: shardOf(tenant, shards) };
    },

    /** Forgets what a final job held. */
    erase: async (tenant: TenantId, id: JobId) => run(eraseJob, tagOf(tenant), { id, tenant, stubMs: ERASED_STUB_MS }),
  };
};

/** What it made room for, and a little more, so that a window that grew fills up without waiting for the tick. */
const HANDOFFS_A_SUBMIT = 2;

/** The record as `submit` has just written it. */
const newRecord = (job: NewJob, acceptedMs: number): JobRecord => ({
  status: 'queued',
  provider: job.provider,
  model: job.request.model,
  credential: job.credential,
  created: String(acceptedMs),
  deadline: String(job.deadlineMs),
  ...(Object.keys(job.metadata).length > 0 ? { metadata: JSON.stringify(job.metadata) } : {}),
  ...(job.sandbox ? { sandbox: '1' } : {}),
  ...(job.warnings ? { warnings: JSON.stringify(job.warnings) } : {}),
  ...(job.cost ? { estimate: String(job.cost.estimateNano) } : {}),
});

/** A job as `view_job` answers it. */
export const parseView = (id: JobId | undefined, reply: JobReply): JobView | null => {
  const [flat, reason, position, result] = reply;
  if (!id || !flat) return null;
  return {
    id,
    record: fieldsOf(flat),
    queue: reason ? { reason: reason as WaitReason, position: position ?? 1 } : null,
    result: result ? (JSON.parse(result) as CompletionResult) : null,
  };
};

const laneOf = (job: NewJob): string => digest([job.tenant, job.class, upstreamOf(job, job.request.model)]);
