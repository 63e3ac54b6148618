/** The jobs that this process is running, and the ways to end one early. */
import type { JobId } from '../../shared/domain/ids.ts';

/** Why a call was aborted. Only `cancelled` ends the job; after the others it runs again. */
export type AbortReason = 'cancelled' | 'lost' | 'shutdown';

export type RunningJobs = {
  /** Enters a job; `lost` aborts it a second after its lock may be gone. Call `end` when it is settled. */
  start: (id: JobId, lost: AbortSignal) => { signal: AbortSignal; end: () => void };
  /** Aborts what runs here of the jobs whose ids begin so: one job, or the lines of a batch. */
  abort: (beginning: string, reason: AbortReason) => void;
  abortAll: (reason: AbortReason) => void;
  /** From here on nothing starts: `isDraining` says so before a job is claimed. */
  drain: () => void;
  isDraining: () => boolean;
};

/** After a pause the answer to a call may be in its socket already: it is read, and accounted, before the call is hung up on. */
const LOST_GRACE_MS = 1_000;

export const createRunningJobs = (): RunningJobs => {
  // Two attempts of one job can run in one process: the first may have lost its lock.
  const controllers = new Map<JobId, Set<AbortController>>();
  const abort = (beginning: string, reason: AbortReason): void => {
    for (const [id, ofJob] of controllers) {
      if (id.startsWith(beginning)) for (const controller of ofJob) controller.abort(reason);
    }
  };
  let draining = false;
  return {
    start: (id, lost) => {
      const controller = new AbortController();
      let hangUp: NodeJS.Timeout | undefined;
      const onLost = (): void => {
        hangUp = setTimeout(() => controller.abort('lost' satisfies AbortReason), LOST_GRACE_MS);
      };
      if (lost.aborted) onLost();
      lost.addEventListener('abort', onLost, { once: true });
      const ofJob = controllers.get(id) ?? new Set();
      controllers.set(id, ofJob.add(controller));
      return {
        signal: controller.signal,
        end: () => {
          lost.removeEventListener('abort', onLost);
          clearTimeout(hangUp);
          ofJob.delete(controller);
          if (ofJob.size === 0) controllers.delete(id);
        },
      };
    },
    abort,
    abortAll: (reason) => {
      abort('', reason);
    },
    drain: () => {
      draining = true;
    },
    isDraining: () => draining,
  };
};
