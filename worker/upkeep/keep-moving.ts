/** Once a second, by the worker that holds a shard's lease: stopped work, due retries, lost hand-offs, deadlines, deliveries, records' index entries, and batches that end or are erased. */
import { describeError, type Log } from '../../shared/domain/log.ts';
import { every, type Repeating, together } from '../../shared/process/every.ts';
import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { SchedulerStore } from '../../shared/storage/jobs/scheduler-store.ts';
import type { Queues } from '../../shared/storage/queue/queues.ts';
import type { DeliveryStore } from '../../shared/storage/webhooks/delivery-store.ts';
import type { EndStoppedWork } from './end-stopped-work.ts';

const TICK_MS = 1_000;
/** Pieces of at most 64 ids that one turn handles before it lets the next tick come. */
const PIECES_A_TURN = 16;
/** How long of each turn batches are drained and erased, and indexes trimmed: nothing else of the turn may wait longer. */
const BATCHES_MS = 400;
const INDEXES_MS = 100;

export const keepMoving = ({
  scheduler,
  deliveries,
  endStoppedWork,
  queues,
  metrics,
  worker,
  shards,
  deliverySlotsAShard,
  log,
}: {
  scheduler: SchedulerStore;
  deliveries: Pick<DeliveryStore, 'tend'>;
  endStoppedWork: EndStoppedWork;
  queues: Queues;
  metrics: Pick<WorkerMetrics, 'jobsFinished'>;
  worker: string;
  shards: number;
  deliverySlotsAShard: number;
  log: Log;
}): Repeating => {
  const keepShardMoving = (shard: number): Repeating => {
    let piece = '0';
    let indexes = scheduler.trimIndexes(shard);

    /** What follows the tick, in this order. Each makes an end of its own, and none rests on another. */
    const steps = {
      end_stopped_work: () => endStoppedWork(shard),
      reconcile: async () => {
        for (let count = 0; count < PIECES_A_TURN; count++) {
          const { next, lost } = await scheduler.reconcile(shard, piece);
          piece = next;
          if (lost.length > 0) log.warn('hand_offs_repeated', { shard, count: lost.length });
          await queues.add(shard, lost);
          if (next === '0') return;
        }
      },
      tend: async () => {
        for (let count = 0; count < PIECES_A_TURN; count++) {
          const tended = await deliveries.tend(shard, deliverySlotsAShard);
          await queues.add(shard, tended.handoffs);
          if (!tended.more) return;
        }
      },
      sweep: async () => {
        for (let count = 0; count < PIECES_A_TURN; count++) {
          const swept = await scheduler.sweep(shard);
          if (swept.expired === 0) return;
          metrics.jobsFinished('expired', null, swept.expired);
          log.info('jobs_expired', { shard, count: swept.expired });
          await queues.add(shard, swept.handoffs);
        }
      },
      end_left: async () => {
        for (let count = 0; count < PIECES_A_TURN; count++) {
          const { looked, cancelled, handoffs } = await scheduler.endLeft(shard);
          if (looked === 0) return;
          metrics.jobsFinished('cancelled', null, cancelled);
          await queues.add(shard, handoffs);
        }
      },
      trim_indexes: async () => {
        const untilMs = performance.now() + INDEXES_MS;
        while (performance.now() < untilMs) {
          const { done } = await indexes.next();
          if (!done) continue;
          // Through, or broken off by an error before this turn.
          indexes = scheduler.trimIndexes(shard);
          return;
        }
      },
      sweep_batches: async () => {
        const untilMs = performance.now() + BATCHES_MS;
        while (performance.now() < untilMs) {
          const swept = await scheduler.sweepBatch(shard);
          if (swept === null) return;
          await queues.add(shard, swept.handoffs);
        }
      },
    } satisfies Record<string, () => Promise<void>>;

    const complain = (step: string) => (error: unknown) =>
      log.warn('upkeep_failed', { shard, step, ...describeError(error) });
    return every(
      TICK_MS,
      async () => {
        const { leads, handoffs } = await scheduler.tick(shard, worker);
        if (!leads) return;
        await queues.add(shard, handoffs).catch(complain('hand_off'));
        for (const [name, step] of Object.entries(steps)) await step().catch(complain(name));
      },
      complain('tick'),
    );
  };

  return together(Array.from({ length: shards }, (_, shard) => keepShardMoving(shard)));
};
