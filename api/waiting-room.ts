/**
 * Requests that wait for a job, or for a test delivery. Redis is asked to tell this process of changes in the same step that reads the state, so none is missed;
 * a message can be lost all the same, so the state is read again once a second.
 */
import type { DeliveryId, JobId, TenantId } from '../shared/ids.ts';
import { isFinal, type JobStatus } from '../shared/job.ts';

const READ_AGAIN_MS = 1_000;
/** Past this many, in all or of one tenant, a request is answered at once with the state as it is. */
const SEATS = 10_000;
const SEATS_A_TENANT = 4_000;

export type WaitingRoom = {
  /** This process, as the scripts know it; given to every read that wants to be told of changes. */
  id: string;
  /** Reads until `isDone` or until the time is up, and answers what was read last; `waited` is false where there was no seat. */
  wait: <T>(job: JobId | DeliveryId, waitMs: number, wait: Wait<T>) => Promise<{ state: T; waited: boolean }>;
  /** Answers everyone who waits, and from now on nobody waits. */
  close: () => void;
};

export type Wait<T> = {
  tenant: TenantId;
  /** Aborts when nobody waits for the answer any more. */
  gone: AbortSignal;
  /** A change to a state that is not final is no reason to read again. */
  finalOnly: boolean;
  /** Must register this process for news of the job. */
  read: () => Promise<T>;
  isDone: (state: T) => boolean;
};

type Subscribe = (onMessage: (message: string) => void) => void;

/** `subscribe` brings the news that the scripts publish for the process `id`. */
export const createWaitingRoom = ({ id, subscribe }: { id: string; subscribe: Subscribe }): WaitingRoom => {
  const seats = new Map<JobId | DeliveryId, Set<(status: JobStatus | 'closing') => void>>();
  const taken = new Map<TenantId, number>();
  let takenInAll = 0;
  let closing = false;

  subscribe((message) => {
    // The casts: the scripts publish `<job or delivery id> <status>`; any status of a delivery is final.
    const [job, status] = message.split(' ') as [JobId, JobStatus];
    for (const tell of seats.get(job) ?? []) tell(status);
  });

  /** Taken before the first read: news that overtakes the read's answer is kept. */
  const takeSeat = (
    job: JobId | DeliveryId,
    { tenant, gone, finalOnly }: Pick<Wait<unknown>, 'tenant' | 'gone' | 'finalOnly'>,
  ) => {
    let news = false;
    let wake: () => void = () => {};
    const tell = (status: JobStatus | 'closing'): void => {
      if (finalOnly && status !== 'closing' && !isFinal(status)) return;
      news = true;
      wake();
    };
    const ofJob = seats.get(job) ?? new Set();
    seats.set(job, ofJob.add(tell));
    taken.set(tenant, (taken.get(tenant) ?? 0) + 1);
    takenInAll += 1;
    gone.addEventListener('abort', () => wake(), { once: true });
    return {
      forget: () => {
        news = false;
      },
      news: async (limitMs: number): Promise<void> => {
        if (news) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, limitMs);
        wake = resolve;
        await promise;
        clearTimeout(timer);
      },
      leave: () => {
        ofJob.delete(tell);
        if (ofJob.size === 0) seats.delete(job);
        const left = (taken.get(tenant) ?? 0) - 1;
        if (left > 0) taken.set(tenant, left);
        else taken.delete(tenant);
        takenInAll -= 1;
      },
    };
  };

  return {
    id,
    wait: async (job, waitMs, wait) => {
      const { tenant, gone, read, isDone } = wait;
      if (takenInAll >= SEATS || (taken.get(tenant) ?? 0) >= SEATS_A_TENANT)
        return { state: await read(), waited: false };
      const untilMs = performance.now() + waitMs;
      const seat = takeSeat(job, wait);
      try {
        let state = await read();
        while (!isDone(state) && !closing && !gone.aborted && performance.now() < untilMs) {
          await seat.news(Math.min(untilMs - performance.now(), READ_AGAIN_MS));
          seat.forget();
          state = await read();
        }
        return { state, waited: true };
      } finally {
        seat.leave();
      }
    },
    close: () => {
      closing = true;
      for (const ofJob of seats.values()) for (const tell of ofJob) tell('closing');
    },
  };
};
