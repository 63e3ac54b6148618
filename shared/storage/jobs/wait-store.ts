/** Calls that stay open until the job ends that they submitted. */
import type { ForeignAnswer } from '../../domain/formats.ts';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/jobs/job.ts';
import type { BodyStore } from '../bodies/body-store.ts';
import type { RunCommand } from '../commands/command.ts';
import { attendJob, leaveJob } from '../commands/jobs/commands.ts';
import { tenantTag } from '../redis/shards.ts';
import { type HoldBytes, openAnswer, openView, parseView, type StoredView } from './job-view.ts';

/** Which call waits for which job. */
export type Waiter = {
  tenant: TenantId;
  id: JobId;
  /** That submitted the job: another one waits for none. */
  platformKey: string;
  /** API process. */
  watcher: string;
  /** `<API process>.<number>`. */
  waiter: string;
};

export type WaitStore = ReturnType<typeof createWaitStore>;

export const createWaitStore = ({
  run,
  bodies,
  shards,
}: {
  run: RunCommand;
  bodies: Pick<BodyStore, 'read'>;
  shards: number;
}) => ({
  /** The job as it stands; null if no call with this key waits for such a job. `holdMs`: how long the call is held; 0 leaves it as it was. */
  attend: async ({ tenant, ...waiter }: Waiter, holdMs: number): Promise<StoredView | null> =>
    parseView(waiter.id, await run(attendJob, tenantTag(tenant, shards), { tenant, ...waiter, holdMs })),

  /** The client of this call is gone without an answer. */
  leave: async ({ tenant, id, waiter }: Waiter): Promise<void> => {
    await run(leaveJob, tenantTag(tenant, shards), { id, waiter });
  },

  /** As `openAnswer`. */
  answerOf: (tenant: TenantId, view: StoredView, hold: HoldBytes): Promise<ForeignAnswer | null> =>
    openAnswer(bodies, tenant, view, hold),

  /** The same job with a result of our own form. Rejects as `BodyStore.read` does. */
  open: async (tenant: TenantId, view: StoredView): Promise<JobView> => {
    const opened = await openView(bodies, tenant, view);
    if (opened === null) throw new Error('a view that is there opens to one');
    return opened;
  },
});
