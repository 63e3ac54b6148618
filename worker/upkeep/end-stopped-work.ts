/** Carries out stop orders that nobody carried out, and ends what is stopped, a while at a time. */

import type { WorkerMetrics } from '../../shared/process/metrics/worker-metrics.ts';
import type { Queues } from '../../shared/storage/queue/queues.ts';
import { HANDOFFS_A_PIECE, type WorkStore } from '../../shared/storage/tenants/work-store.ts';

/** How long of each turn: nothing else of the turn may wait longer. */
const A_TURN_MS = 400;

export type EndStoppedWork = (shard: number) => Promise<void>;

export const createEndStoppedWork =
  ({
    work,
    queues,
    metrics,
  }: {
    work: Pick<WorkStore, 'carryOut' | 'stopping' | 'end' | 'shardOf'>;
    queues: Pick<Queues, 'add'>;
    metrics: Pick<WorkerMetrics, 'jobsFinished'>;
  }): EndStoppedWork =>
  async (shard) => {
    await work.carryOut((tenant) => work.shardOf(tenant) === shard);
    const untilMs = performance.now() + A_TURN_MS;
    for (const tenant of await work.stopping(shard)) {
      for await (const { jobs, handoffs } of work.end(tenant, { mostHandoffs: HANDOFFS_A_PIECE })) {
        metrics.jobsFinished('cancelled', null, jobs);
        await queues.add(shard, handoffs);
        if (performance.now() > untilMs) return;
      }
    }
  };
