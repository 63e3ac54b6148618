/** Once a second, by the worker that holds a shard's lease: due retries, lost hand-offs, deadlines, deliveries, records' index entries, and batches that end or are erased. */
import { describeError, type Log } from '../../shared/log.ts';
import type { Queues } from '../../shared/queues.ts';
import type { DeliveryStore } from '../../shared/stores/delivery-store.ts';
import type { SchedulerStore } from '../../shared/stores/scheduler-store.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { every, type Repeating } from './every.ts';

const TICK_MS = 1_000;
/** Pieces of at most 64 ids that one turn handles before it lets the next tick come. */
const PIECES_A_TURN = 16;
/** How long of each turn batches are drained and erased, and indexes trimmed: nothing else of the turn may wait longer. */
const BATCHES_MS = 400;
const INDEXES_MS = 100;

export const keepMoving = ({
  scheduler,
  deliveries,
  queues,
  metrics,
  worker,
  shards,
  deliverySlotsAShard,
  log,
}: {
  scheduler: SchedulerStore;
  deliveries: Pick<DeliveryStore, 'tend'>;
  queues: Queues;
  metrics: Pick<WorkerMetrics, 'jobsFinished'>;
  worker: string;
  shards: number;
  deliverySlotsAShard: number;
  log: Log;
}): Repeating => {
  const cursors = Array.from({ length: shards }, (_, shard) => ({
    reconcile: '0',
    indexes: scheduler.trimIndexes(shard),
  }));

  const keepShardMoving = async (shard: number, cursor: (typeof cursors)[number]): Promise<void> => {
    const { leads, handoffs } = await scheduler.tick(shard, worker);
    if (!leads) return;
    await queues.add(shard, handoffs);

    for (let piece = 0; piece < PIECES_A_TURN; piece++) {
      const { next, lost } = await scheduler.reconcile(shard, cursor.reconcile);
      cursor.reconcile = next;
      if (lost.length > 0) log.warn('hand_offs_repeated', { count: lost.length });
      await queues.add(shard, lost);
      if (next === '0') break;
    }

    for (let piece = 0; piece < PIECES_A_TURN; piece++) {
      const tended = await deliveries.tend(shard, deliverySlotsAShard);
      await queues.add(shard, tended.handoffs);
      if (!tended.more) break;
    }

    for (let piece = 0; piece < PIECES_A_TURN; piece++) {
      const swept = await scheduler.sweep(shard);
      if (swept.expired === 0) break;
      metrics.jobsFinished('expired', null, swept.expired);
      log.info('jobs_expired', { count: swept.expired });
      await queues.add(shard, swept.handoffs);
    }

    const trimUntilMs = performance.now() + INDEXES_MS;
    while (performance.now() < trimUntilMs) {
      const { done } = await cursor.indexes.next();
      if (!done) continue;
      // Through, or broken off by an error before this turn.
      cursor.indexes = scheduler.trimIndexes(shard);
      break;
    }

    const untilMs = performance.now() + BATCHES_MS;
    while (performance.now() < untilMs) {
      const swept = await scheduler.sweepBatch(shard);
      if (swept === null) break;
      await queues.add(shard, swept.handoffs);
    }
  };

  return every(
    TICK_MS,
    async () => {
      for (const [shard, cursor] of cursors.entries()) await keepShardMoving(shard, cursor);
    },
    (error) => log.warn('upkeep_failed', describeError(error)),
  );
};
