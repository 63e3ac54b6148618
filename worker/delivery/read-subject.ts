import type { JobId, TenantId } from '../../shared/ids.ts';
import { toJob } from '../../shared/job.ts';
import type { JobStore } from '../../shared/stores/job-store.ts';

/** What an event tells of, as the API shows it, and the same at every attempt; null where it was deleted. */
export type ReadSubject = (tenant: TenantId, subject: string) => Promise<Readonly<Record<string, unknown>> | null>;

export const createReadSubject =
  ({ jobs }: { jobs: Pick<JobStore, 'readTold'> }): ReadSubject =>
  async (tenant, subject) => {
    // A test tells of nothing.
    if (subject === '') return {};
    // A cast because only `finish` records events of jobs.
    const view = await jobs.readTold(tenant, subject as JobId);
    return view && toJob(view, { withResult: true });
  };
