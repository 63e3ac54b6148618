import { toBatch } from '../../shared/domain/batches/batch.ts';
import type { Batch } from '../../shared/domain/batches/schema.ts';
import { isBatchId, type JobId, type TenantId } from '../../shared/domain/ids.ts';
import { toJob } from '../../shared/domain/jobs/job.ts';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { parseTraceparent, type Traceparent } from '../../shared/domain/traceparent.ts';
import type { BatchStore } from '../../shared/storage/batches/batch-store.ts';
import type { JobStore } from '../../shared/storage/jobs/job-store.ts';

type Subject = {
  /** As the API shows it, and the same at every attempt; null where a test tells of nothing. */
  data: Job | Batch | null;
  /** Of the request that it came with; null where there is no trace. */
  traceparent: Traceparent | null;
};

/** What an event tells of; null where it was deleted. */
export type ReadSubject = (tenant: TenantId, subject: string) => Promise<Subject | null>;

export const createReadSubject =
  ({ jobs, batches }: { jobs: Pick<JobStore, 'readTold'>; batches: Pick<BatchStore, 'readTold'> }): ReadSubject =>
  async (tenant, subject) => {
    if (subject === '') return { data: null, traceparent: null };
    if (isBatchId(subject)) {
      const view = await batches.readTold(tenant, subject);
      return view && { data: toBatch(view), traceparent: parseTraceparent(view.record.traceparent) };
    }
    // A cast because all other events are of jobs.
    const view = await jobs.readTold(tenant, subject as JobId);
    return view && { data: toJob(view), traceparent: parseTraceparent(view.record.traceparent) };
  };
