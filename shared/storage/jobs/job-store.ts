/** The job's record, once it is accepted and but for its attempts: one call here is one atomic script. */
import type { Redis } from 'ioredis';
import type { ForeignAnswer } from '../../domain/formats.ts';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/jobs/job.ts';
import type { BodyStore } from '../bodies/body-store.ts';
import type { RunCommand } from '../commands/command.ts';
import { cancelJob, eraseJob, viewJobs } from '../commands/jobs/commands.ts';
import { key, shardTag } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { type HoldBytes, openAnswer, openView, parseView } from './job-view.ts';
import { readTogether } from './read-together.ts';

/** Most ids that one script call handles, so that it never blocks Redis for more than a few milliseconds. */
const IDS_A_CALL = 64;
/** Fewer where results come along, which may be long. */
const RESULTS_A_CALL = 16;
/** How long an erased job can still be told from one whose late attempt has usage to report. */
export const ERASED_STUB_MS = 15 * 60_000;
/** Before the fields that a late attempt changed after the end, as they were. */
const TOLD = 'told:';

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
  bodies,
}: {
  redis: Redis;
  run: RunCommand;
  /** Null for whoever may not read what was answered. */
  bodies: Pick<BodyStore, 'read'> | null;
  shards: number;
  retentionMs: number;
}) => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);

  const view = async (tenant: TenantId, ids: readonly JobId[], watcher: string, withResult: boolean) => {
    // The casts in this file: the forms of answers are those in the scripts' headers.
    const replies = await run(viewJobs, tagOf(tenant), { tenant, watcher, withResult, ids: ids });
    return Promise.all(replies.map((reply, index) => openView(bodies, tenant, parseView(ids[index], reply))));
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
    /** A tenant's job; null where it is not stored. `watcher` as in `submit`. */
    read: (tenant: TenantId, id: JobId, { watcher }: { watcher: string | null }): Promise<JobView | null> =>
      readOne({ tenant, id, watcher: watcher ?? '' }),

    /** What the provider answered to a job in foreign words; null if there is no such answer. Rejects as `BodyStore.read` does. */
    readAnswer: async (tenant: TenantId, id: JobId, hold: HoldBytes): Promise<ForeignAnswer | null> => {
      const [reply] = await run(viewJobs, tagOf(tenant), { tenant, watcher: '', withResult: true, ids: [id] });
      const view = parseView(id, reply ?? []);
      return bodies === null || view === null ? null : openAnswer(bodies, tenant, view, hold);
    },

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
      return openView(bodies, tenant, { id, record, queue: null, stored: result ?? '' });
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
