/** What workers do for the scheduler besides running jobs: say that they live, and keep every job moving. */
import type { Redis } from 'ioredis';
import type { CredentialKind } from '../../domain/completion.ts';
import { scheduledLimits, type TenantLimits } from '../../domain/tenants/limits.ts';
import { sweepBatch } from '../commands/batches/commands.ts';
import type { RunCommand } from '../commands/command.ts';
import { endLeft, sweepJobs, trimJobs } from '../commands/jobs/commands.ts';
import { heartbeat, measure, reconcile, tick } from '../commands/scheduler/commands.ts';
import { type KeyName, key, shardTag } from '../redis/names.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { NEWEST_SCHEMA } from '../schema/schema-store.ts';
import { ERASED_STUB_MS } from './job-store.ts';

/** A worker that was silent for this long is taken for dead. */
const ALIVE_MS = 5_000;
const LEASE_MS = 3_000;
/** A hand-off that BullMQ does not know after this long was lost. */
const HANDOFF_LATE_MS = 2_000;
/** A running job's worker ends it at its deadline; past this much more, the worker is lost. */
const DEADLINE_GRACE_MS = 2_000;
/** Whoever waited for a job and lost its connection comes back within this, or does not. */
const LEFT_MS = 30_000;

type ClassMeasures = { waiting: number; oldestMs: number; handedOff: number };
export type QueueMeasures = {
  /** By shard, whether it is among what follows. */
  answered: boolean[];
  interactive: ClassMeasures;
  batch: ClassMeasures;
  delayed: number;
  parkedLanes: number;
  workerSlots: number;
  /** How often it was told, since this Redis was set up, that a tenant's budget was used so far, in percent. */
  budgetThresholds: { ledger: CredentialKind; percent: 80 | 100; told: number }[];
};

/** In the place of a shard's counts if it does not answer. */
export const NO_COUNTS = {
  unfinished: null,
  handed_off: null,
  delayed: null,
  parked_lanes: null,
  worker_slots: null,
} as const;

export type SchedulerStore = ReturnType<typeof createSchedulerStore>;

export const createSchedulerStore = ({
  redis,
  run,
  retentionMs,
  defaultLimits,
}: {
  redis: Redis;
  run: RunCommand;
  retentionMs: number;
  defaultLimits: TenantLimits;
}) => ({
  /** Tells the scheduler how many jobs the worker holds at most (0: it leaves); answers what the ids of running jobs begin with that are to be aborted: a whole id, or that of a batch's lines. */
  heartbeat: async (shard: number, worker: string, slots: number): Promise<string[]> =>
    run(heartbeat, shardTag(shard), {
      worker,
      slots,
      aliveMs: ALIVE_MS,
      schema: NEWEST_SCHEMA,
      limits: Object.entries(scheduledLimits(defaultLimits)).flat(),
    }),

  /** The scheduler's once-a-second work; does nothing unless this worker holds the shard's lease. */
  tick: async (shard: number, worker: string) => {
    const [role, handoffs] = await run(tick, shardTag(shard), { worker, leaseMs: LEASE_MS });
    return { leads: role === 'leader', handoffs };
  },

  /** The hand-offs of one piece of the in-flight set that never reached BullMQ, and the cursor of the next piece ('0' when through). */
  reconcile: async (shard: number, cursor: string) => {
    const [next, lost] = await run(reconcile, shardTag(shard), { cursor, lateMs: HANDOFF_LATE_MS });
    return { next, lost };
  },

  /** Ends at most 64 jobs past their deadline. */
  sweep: async (shard: number) => {
    const [expired, handoffs] = await run(sweepJobs, shardTag(shard), { graceMs: DEADLINE_GRACE_MS, retentionMs });
    return { expired, handoffs };
  },

  /** Ends jobs for which nobody waits any more; looks at 64 of them at most. */
  endLeft: async (shard: number) => {
    const [looked, cancelled, handoffs] = await run(endLeft, shardTag(shard), { leftMs: LEFT_MS, retentionMs });
    return { looked, cancelled, handoffs };
  },

  /** The next step of one batch that is due: past its deadline, draining, or at the end of its life. `null`: none is. */
  sweepBatch: async (shard: number) => {
    const [stem, step, lines, handoffs] = await run(sweepBatch, shardTag(shard), {
      graceMs: DEADLINE_GRACE_MS,
      retentionMs,
      stubMs: ERASED_STUB_MS,
      stem: '',
    });
    return stem === '' ? null : { stem, step, lines, handoffs };
  },

  /** How a shard's queue stands: its unfinished jobs, those of them at the workers or in a pause, lanes held back by a provider, and what the workers can hold. */
  counts: async (shard: number) => {
    const at = (name: KeyName): string => key(shardTag(shard), name);
    const replies = await answersOf(
      redis
        .multi()
        .zcard(at('DEADLINES'))
        .hlen(at('INFLIGHT'))
        .zcard(at('DELAYED'))
        .zcard(at('PARKED'))
        .hget(at('SCHEDULER'), 'capacity')
        .exec(),
    );
    const [unfinished = 0, handed_off = 0, delayed = 0, parked_lanes = 0, worker_slots = 0] = replies.map(Number);
    return { unfinished, handed_off, delayed, parked_lanes, worker_slots };
  },

  /** How the queue of these shards stands, but for those that do not answer; for a scrape, not for a request. */
  measure: async (shards: number): Promise<QueueMeasures> => {
    const each = await Promise.allSettled(
      Array.from({ length: shards }, (_, shard) => run(measure, shardTag(shard), {})),
    );
    // A cast because the form is that of the script's header.
    const rows = each.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value as number[]] : []));
    const sum = (index: number): number => rows.reduce((total, row) => total + (row[index] ?? 0), 0);
    const most = (index: number): number => Math.max(0, ...rows.map((row) => row[index] ?? 0));
    return {
      answered: each.map(({ status }) => status === 'fulfilled'),
      interactive: { waiting: sum(0), oldestMs: most(1), handedOff: sum(2) },
      batch: { waiting: sum(3), oldestMs: most(4), handedOff: sum(5) },
      delayed: sum(6),
      parkedLanes: sum(7),
      workerSlots: sum(8),
      budgetThresholds: [
        { ledger: 'platform', percent: 80, told: sum(9) },
        { ledger: 'platform', percent: 100, told: sum(10) },
        { ledger: 'user', percent: 80, told: sum(11) },
        { ledger: 'user', percent: 100, told: sum(12) },
      ],
    };
  },

  /** Goes once through the indexes of all tenants that ever had a job on this shard and forgets what nobody can read any more, a piece at each step. */
  trimIndexes: async function* (shard: number): AsyncGenerator<void> {
    let cursor = '0';
    do {
      const [next, tenants] = await answerOf(redis.sscan(key(shardTag(shard), 'TENANTS'), cursor, 'COUNT', 16));
      for (const tenant of tenants) {
        for (let place = '-'; place !== ''; ) {
          place = await run(trimJobs, shardTag(shard), { tenant, from: place, retentionMs });
          yield;
        }
      }
      cursor = next;
    } while (cursor !== '0');
  },
});
