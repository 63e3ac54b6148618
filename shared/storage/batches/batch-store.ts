/** Batches and their lines: one call here is one atomic script, or a walk of bounded ones. */
import type { Redis } from 'ioredis';
import { type BatchView, type Outcome, type Place, START } from '../../domain/batches/batch.ts';
import { type BatchId, stemOf, type TenantId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/jobs/job.ts';
import type { FinalStatus } from '../../domain/jobs/states.ts';
import { type LimitRefusal, perIntakeLimit } from '../../domain/tenants/limits.ts';
import type { StopReason } from '../../domain/tenants/stops.ts';
import type { BatchIds } from '../../keys/digests/genuine-ids.ts';
import {
  beginBatch,
  cancelBatch,
  eraseBatch,
  type RequestRow,
  type ResultRow,
  readOutcomes,
  sweepBatch,
  viewBatches,
  viewLines,
} from '../commands/batches/commands.ts';
import type { RunCommand } from '../commands/command.ts';
import type { RateState } from '../jobs/accept-job.ts';
import { ERASED_STUB_MS } from '../jobs/job-store.ts';
import { parseView } from '../jobs/job-view.ts';
import { IDEMPOTENCY_MS, idempotencyEntry } from '../records/names.ts';
import { key } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { parseLine, parseOutcome } from './batch-rows.ts';
import { createStaging, LEASE_MS, type Line, type NewBatch, type Staging } from './batch-staging.ts';
import { parseBatchView } from './batch-view.ts';

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
  /** Its tenant or its key was stopped, which the process that asks does not know yet. */
  | { kind: 'stopped'; reason: StopReason }
  /** At a limit. `figure`: the lines that wait, or bytes that are stored; ms to wait if `rate_limited`. */
  | { kind: LimitRefusal; figure: number }
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

/** The batch is not stored any more: what was read of it so far is not the whole. */
export class BatchGone extends Error {
  constructor() {
    super('The batch is gone');
    this.name = 'BatchGone';
  }
}

export type BatchStore = ReturnType<typeof createBatchStore>;

export const createBatchStore = ({
  redis,
  run,
  shards,
  retentionMs,
  ids,
}: {
  redis: Redis;
  run: RunCommand;
  shards: number;
  retentionMs: number;
  ids: BatchIds;
}) => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);

  // The casts in this file: the forms of answers are those in the scripts' headers.
  const view = async (tenant: TenantId, batches: readonly BatchId[], watcher: string) => {
    const replies = await run(viewBatches, tagOf(tenant), { tenant, watcher, stems: [...batches.map(stemOf)] });
    return replies.map(parseBatchView);
  };

  const erase = async (tenant: TenantId, id: BatchId, being: 'staging' | 'final', steps: number) => {
    const tag = tagOf(tenant);
    const stem = stemOf(id);
    const answer = await run(eraseBatch, tag, { tenant, stem, being });
    for (let step = 0; answer === 'erased' && step < steps; step++) {
      const [, done] = await run(sweepBatch, tag, { graceMs: 0, retentionMs, stubMs: ERASED_STUB_MS, stem });
      if (done !== 'erasing') break;
    }
    return answer;
  };

  const outcomeRows = async function* <Row extends ResultRow | RequestRow>(
    tenant: TenantId,
    id: BatchId,
    after: Place,
    contents: 'result' | 'request',
  ): AsyncGenerator<Row[]> {
    let { index, offset } = after;
    for (;;) {
      const [nextIndex, nextOffset = 0, ...rows] = await run(readOutcomes, tagOf(tenant), {
        tenant,
        stem: stemOf(id),
        index,
        offset,
        maxLines: LINES_A_CALL,
        maxBytes: BYTES_A_CALL,
        contents,
      });
      if (nextIndex === 'gone') throw new BatchGone();
      if (nextIndex === undefined) return;
      [index, offset] = [nextIndex, nextOffset];
      // A cast because `contents` decides which of the two rows they are.
      yield rows as Row[];
    }
  };

  return {
    /** Opens a batch for its lines: nothing of it is seen before it is published. An idempotency key is held from here on. */
    begin: async (batch: NewBatch, idempotency: { key: string; route: string } | null): Promise<BeginAnswer> => {
      const { id, tenant } = batch;
      const [kind, [remaining, resetMs], detail, first] = await run(beginBatch, tagOf(tenant), {
        stem: stemOf(id),
        id,
        tenant,
        provider: batch.provider,
        credential: batch.credential,
        parent: batch.parent ?? null,
        sandbox: batch.sandbox,
        leaseMs: LEASE_MS,
        idempotencyEntry: idempotency ? idempotencyEntry(tenant, idempotency) : '',
        idempotencyMs: IDEMPOTENCY_MS,
        platformKey: batch.platformKey,
        fingerprint: batch.fingerprint ?? null,
        traceparent: batch.traceparent ?? null,
        ...perIntakeLimit((name) => batch.limits[name] ?? Number.MAX_SAFE_INTEGER),
      });
      const rate = { remaining, resetMs };
      switch (kind) {
        case 'in_progress':
          return { kind, rate };
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
        default:
          return { kind, rate, figure: detail };
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
        const [total, ...rows] = await run(viewLines, tagOf(tenant), {
          tenant,
          stem: stemOf(batch),
          first: last + 1,
          max: LINES_A_CALL,
        });
        if (total === undefined) return null;
        for (const [line, id, reply] of rows) {
          const found = parseView(id, reply);
          if (found && (status === null || found.record.status === status)) {
            views.push({ id: found.id, record: found.record, queue: found.queue, result: null });
          }
          if (views.length === limit) return { views, next: line < total ? line : null };
        }
        last += LINES_A_CALL;
        if (last >= total) return { views, next: null };
      }
      return { views, next: last };
    },

    /** What has ended, in that order, read as fast as it is taken. It is over where nothing more has ended yet; `next` of the last one goes on from there. */
    outcomes: async function* (tenant: TenantId, id: BatchId, after: Place = START): AsyncGenerator<Outcome[]> {
      for await (const rows of outcomeRows<ResultRow>(tenant, id, after, 'result')) yield rows.map(parseOutcome);
    },

    /** The lines that ended so, as they can be added to another batch. */
    repeatable: async function* (tenant: TenantId, id: BatchId, only: readonly FinalStatus[]): AsyncGenerator<Line[]> {
      for await (const rows of outcomeRows<RequestRow>(tenant, id, START, 'request')) {
        // The request of a line that was erased is gone.
        yield rows.filter((row) => only.includes(row[4]) && row.at(-1) !== '').map(parseLine);
      }
    },

    /** Lines that wait for their first turn are cancelled at once; the others end soon. */
    cancel: async (tenant: TenantId, id: BatchId) => {
      const [answer, handoffs] = await run(cancelBatch, tagOf(tenant), { tenant, stem: stemOf(id), retentionMs });
      return { answer, handoffs, shard: shardOf(tenant, shards) };
    },

    /** From here on nobody can read a batch that has ended; what it holds is deleted piece by piece. */
    erase: (tenant: TenantId, id: BatchId) => erase(tenant, id, 'final', STEPS_AT_ONCE),
  };
};
