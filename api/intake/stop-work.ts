/** The business step behind everything that stops a tenant's work. */
import type { TenantId } from '../../shared/domain/ids.ts';
import type { ApiMetrics } from '../../shared/process/metrics/api-metrics.ts';
import type { Queues } from '../../shared/storage/queue/queues.ts';
import { HANDOFFS_A_PIECE, type WorkStore } from '../../shared/storage/tenants/work-store.ts';

/** So long a request ends what it stopped; upkeep does the rest. */
const AT_ONCE_MS = 1_000;

/** When it resolves nothing of what the registry ordered to stop can start. Safe to call twice, and to leave out: upkeep does the same within a second. */
export type StopWork = (tenant: TenantId) => Promise<void>;

export const createStopWork =
  ({
    work,
    queues,
    metrics,
  }: {
    work: Pick<WorkStore, 'carryOut' | 'end'>;
    queues: Pick<Queues, 'handOff'>;
    metrics: Pick<ApiMetrics, 'waitingJobsCancelled'>;
  }): StopWork =>
  async (tenant) => {
    await work.carryOut((each) => each === tenant);
    const untilMs = performance.now() + AT_ONCE_MS;
    for await (const { shard, jobs, handoffs } of work.end(tenant, { mostHandoffs: HANDOFFS_A_PIECE })) {
      metrics.waitingJobsCancelled(jobs);
      queues.handOff(shard, handoffs);
      if (performance.now() > untilMs) return;
    }
  };
