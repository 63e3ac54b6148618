/** Batches and their lines: one call here is one atomic script, or a walk of bounded ones. */
import type { Redis } from 'ioredis';
import { type BatchView, type Outcome, type Place, START } from '../../domain/batch.ts';
import type { CompletionRequest, CompletionResult } from '../../domain/completion.ts';
import { type BatchId, type JobId, stemOf, type TenantId } from '../../domain/ids.ts';
import type { FinalStatus, JobView } from '../../domain/job.ts';
import type { StopReason } from '../../domain/tenant.ts';
import type { BatchIds } from '../../keys/digests/genuine-ids.ts';
import type { RunScript } from '../commands/scripts.ts';
import { ERASED_STUB_MS, parseView, type RateReply, type RateState, type ViewReply } from '../jobs/job-store.ts';
import type { Handoff } from '../queue/queues.ts';
import { IDEMPOTENCY_MS, idempotencyEntry } from '../records/names.ts';
import { key } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { createStaging, LEASE_MS, type Line, type NewBatch, type Staging } from './batch-staging.ts';
import { parseBatchView, type ViewBatchReply } from './batch-view.ts';

const LINES_A_CALL = 64;
const BATCHES_A_CALL = 64;
/** Long results come fewer at a time. */
const BYTES_A_CALL = 256 * 1_024;
/** What a deletion takes away at once; upkeep does the rest. */
const STEPS_AT_ONCE = 16;

export type BeginAnswer = { rate: RateState } & (
  | { kind: 'staging'; staging: Staging }
  /** Another request with the key is being accepted. */
  | { kind: 'in_progress' }
  /** A request with the key was accepted before. */
  | { kind: 'known'; compare: (digests: readonly string[]) => Promise<Comparison> }
  | { kind: 'rate_limited'; waitMs: number }
  /** Its tenant or its key was stopped, which the process that asks does not know yet. */
  | { kind: 'stopped'; reason: StopReason }
  /** So many lines of the tenant wait already. */
  | { kind: 'too_many_queued'; queued: number }
  | { kind: 'too_many_stored_bytes'; stored: number }
);

/** `view` is null where that batch is no longer stored. */
export type Comparison = { kind: 'replayed'; view: BatchView | null } | { kind: 'mismatch' };

type ListQuery = {
  tenant: TenantId;
  limit: number;
  /** The `next` of the page before; null starts with the newest. */
  before: string | null;
};

type LinesQuery = {
  tenant: TenantId;
  batch: BatchId;
  status: string | null;
  limit: number;
  /** The `next` of the page before; null starts with the first line. */
  after: number | null;
};

export type BatchStore = ReturnType<typeof createBatchStore>;

export const createBatchStore = ({
  redis,
  run,
  shards,
  retentionMs,
  ids,
}: {
  redis: Redis;
  run: RunScript;
  shards: number;
  retentionMs: number;
  ids: BatchIds;
}) => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);

  // The casts in this file: the forms of answers are those in the scripts' headers.
  const view = async (tenant: TenantId, batches: readonly BatchId[], watcher: string) => {
    const replies = await run('view-batches', tagOf(tenant), [tenant, watcher, ...batches.map(stemOf)]);
    return (replies as ViewBatchReply[]).map(parseBatchView);
  };

  const erase = async (tenant: TenantId, id: BatchId, being: 'staging' | 'final', steps: number) => {
    const tag = tagOf(tenant);
    const stem = stemOf(id);
    const answer = (await run('erase-batch', tag, [tenant, stem, being])) as 'gone' | 'conflict' | 'erased';
    for (let step = 0; answer === 'erased' && step < steps; step++) {
      const [, done] = (await run('sweep-batch', tag, [0, retentionMs, ERASED_STUB_MS, stem])) as [string, string];
      if (done !== 'erasing') break;
    }
    return answer;
  };

  const readOutcomes = async function* <Row>(
    tenant: TenantId,
    id: BatchId,
    after: Place,
    contents: 'result' | 'request',
  ): AsyncGenerator<Row[]> {
    let { index, offset } = after;
    for (;;) {
      const [nextIndex, nextOffset, ...rows] = (await run('read-outcomes', tagOf(tenant), [
        tenant,
        stemOf(id),
        index,
        offset,
        LINES_A_CALL,
        BYTES_A_CALL,
        contents,
      ])) as [number?, number?, ...Row[]];
      if (nextIndex === undefined || nextOffset === undefined) return;
      [index, offset] = [nextIndex, nextOffset];
      yield rows;
    }
  };

  return {
    /** Opens a batch for its lines: nothing of it is seen before it is published. An idempotency key is held from here on. */
    begin: async (batch: NewBatch, idempotency: { key: string; route: string } | null): Promise<BeginAnswer> => {
      const { id, tenant } = batch;
      const [kind, [remaining, resetMs], detail, first] = (await run('begin-batch', tagOf(tenant), [
        stemOf(id),
        id,
        tenant,
        batch.provider,
        batch.credential,
        batch.parent ?? '',
        batch.sandbox ? '1' : '',
        LEASE_MS,
        idempotency ? idempotencyEntry(tenant, idempotency) : '',
        IDEMPOTENCY_MS,
        batch.platformKey,
        batch.fingerprint ?? '',
        batch.limits.requests_per_minute,
        batch.limits.max_queued,
        batch.traceparent ?? '',
        batch.limits.max_stored_bytes,
      ])) as BeginReply;
      const rate = { remaining, resetMs };
      switch (kind) {
        case 'in_progress':
          return { kind, rate };
        case 'rate_limited':
          return { kind, rate, waitMs: detail };
        case 'too_many_queued':
          return { kind, rate, queued: detail };
        case 'too_many_stored_bytes':
          return { kind, rate, stored: detail };
        case 'stopped':
          return { kind, rate, reason: detail };
        case 'known':
          return {
            kind,
            rate,
            compare: async (digests) => {
              if (!digests.includes(detail)) return { kind: 'mismatch' };
              const [found = null] = await view(tenant, [first], '');
              return { kind: 'replayed', view: found };
            },
          };
        case 'staging':
          return {
            kind,
            rate,
            staging: {
              ...createStaging({ run, ids, shard: shardOf(tenant, shards) }, batch),
              discard: async () => {
                await erase(tenant, id, 'staging', Number.POSITIVE_INFINITY);
              },
            },
          };
      }
    },

    /** A tenant's batch; null where it is not stored. `watcher`: an API process to be told of changes of its status. */
    read: async (tenant: TenantId, id: BatchId, { watcher }: { watcher: string | null }): Promise<BatchView | null> =>
      (await view(tenant, [id], watcher ?? ''))[0] ?? null,

    /** A final batch as its event tells of it: as it was when it ended, also past its retention. Null where it was deleted. */
    readTold: async (tenant: TenantId, id: BatchId): Promise<BatchView | null> => {
      const replies = await answersOf(
        redis
          .multi()
          .hgetall(key(tagOf(tenant), 'BATCH', stemOf(id)))
          .hgetall(key(tagOf(tenant), 'BATCH_TOLD', stemOf(id)))
          .exec(),
      );
      // Casts because MULTI does not know the types of its answers.
      const [record, told] = replies as Record<string, string>[];
      if (record?.tenant !== tenant || record.erasing || !told) return null;
      return parseBatchView([Object.entries(record).flat(), Object.entries(told).flat()]);
    },

    /** A page of a tenant's batches, newest first; `next` is null at the end. */
    list: async ({ tenant, limit, before }: ListQuery): Promise<{ views: BatchView[]; next: string | null }> => {
      const from = before === null ? '+' : `(${before}`;
      const count = Math.min(limit, BATCHES_A_CALL);
      const entries = await answerOf(redis.xrevrange(key(tagOf(tenant), 'BATCHES', tenant), from, '-', 'COUNT', count));
      const found = await view(
        tenant,
        entries.map(([, [, id]]) => id as BatchId),
        '',
      );
      return {
        views: found.filter((each) => each !== null),
        next: entries.length < count ? null : (entries.at(-1)?.[0] ?? null),
      };
    },

    /** A page of a batch's lines as jobs, by line number, without results; with a status it may be short. Null where the batch is not stored. */
    lines: async ({
      tenant,
      batch,
      status,
      limit,
      after,
    }: LinesQuery): Promise<{ views: JobView[]; next: number | null } | null> => {
      const views: JobView[] = [];
      let last = after ?? 0;
      for (let piece = 0; piece < 2; piece++) {
        const [total, ...rows] = (await run('view-lines', tagOf(tenant), [
          tenant,
          stemOf(batch),
          last + 1,
          LINES_A_CALL,
        ])) as [number?, ...[line: number, JobId, ViewReply][]];
        if (total === undefined) return null;
        for (const [line, id, reply] of rows) {
          const found = parseView(id, reply);
          if (found && (status === null || found.record.status === status)) views.push(found);
          if (views.length === limit) return { views, next: line < total ? line : null };
        }
        last += LINES_A_CALL;
        if (last >= total) return { views, next: null };
      }
      return { views, next: last };
    },

    /** What has ended, in that order, read as fast as it is taken. It is over where nothing more has ended yet; `next` of the last one goes on from there. */
    outcomes: async function* (tenant: TenantId, id: BatchId, after: Place = START): AsyncGenerator<Outcome[]> {
      for await (const rows of readOutcomes<ResultRow>(tenant, id, after, 'result')) yield rows.map(parseOutcome);
    },

    /** The lines that ended so, as they can be added to another batch. */
    repeatable: async function* (tenant: TenantId, id: BatchId, only: readonly FinalStatus[]): AsyncGenerator<Line[]> {
      for await (const rows of readOutcomes<RequestRow>(tenant, id, START, 'request')) {
        // The request of a line that was erased is gone.
        yield rows.filter((row) => only.includes(row[4]) && row.at(-1) !== '').map(parseLine);
      }
    },

    /** Lines that wait for their first turn are cancelled at once; the others end soon. */
    cancel: async (tenant: TenantId, id: BatchId) => {
      const [answer, handoffs] = (await run('cancel-batch', tagOf(tenant), [tenant, stemOf(id), retentionMs])) as [
        'gone' | 'final' | 'requested',
        Handoff[],
      ];
      return { answer, handoffs, shard: shardOf(tenant, shards) };
    },

    /** From here on nobody can read a batch that has ended; what it holds is deleted piece by piece. */
    erase: (tenant: TenantId, id: BatchId) => erase(tenant, id, 'final', STEPS_AT_ONCE),
  };
};

type BeginReply =
  | ['staging' | 'in_progress', RateReply]
  | ['known', RateReply, digest: string, BatchId]
  | ['rate_limited', RateReply, waitMs: number]
  | ['too_many_queued', RateReply, queued: number]
  | ['too_many_stored_bytes', RateReply, stored: number]
  | ['stopped', RateReply, StopReason];

type OutcomeHead = [
  id: JobId,
  index: number,
  offset: number,
  customId: string,
  status: FinalStatus,
  used: string,
  priceVersion: string,
  error: string,
  providerStatus: string,
  detail: string,
];
type ResultRow = [...OutcomeHead, result: string];
type RequestRow = [...OutcomeHead, timeoutMs: string, metadata: string, request: string];

const parseOutcome = (row: ResultRow): Outcome => {
  const [id, index, offset, customId, status, used, price_version, error, provider_status, detail, result] = row;
  return {
    id,
    customId: JSON.parse(customId) as string,
    status,
    record: { used, price_version, error, provider_status, detail },
    result: result ? (JSON.parse(result) as CompletionResult) : null,
    next: { index, offset },
  };
};

const parseLine = (row: RequestRow): Line => {
  const [, , , customId, , , , , , , timeoutMs, metadata, request] = row;
  return {
    customId: JSON.parse(customId) as string,
    request: JSON.parse(request) as CompletionRequest,
    metadata: metadata ? (JSON.parse(metadata) as Record<string, string>) : {},
    timeoutMs: Number(timeoutMs),
  };
};
