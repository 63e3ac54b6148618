/**
 * Requests that wait for a job, a batch or a test delivery. Redis is asked to tell this process of changes in the same step that reads the state, so none is missed;
 * a message can be lost all the same, so the state is read again once a second.
 */
import type { BatchId, DeliveryId, JobId, TenantId } from '../../shared/domain/ids.ts';

const READ_AGAIN_MS = 1_000;
/** Past this many, in all or of one tenant, a request is answered at once with the state as it is. */
const SEATS = 10_000;
const SEATS_A_TENANT = 4_000;

export type WaitingRoom = {
  /** This process, as the scripts know it; given to every read that wants to be told of changes. */
  id: string;
  /** Reads until `isDone` or until the time is up, and answers what was read last; `waitedMs` is how long it would have waited at most, 0 when there was no seat. */
  wait: <T>(
    subject: JobId | BatchId | DeliveryId,
    waitMs: number,
    wait: Wait<T>,
  ) => Promise<{ state: T; waitedMs: number }>;
  /** Answers everyone who waits, and from now on nobody waits. */
  close: () => void;
};

export type Wait<T> = {
  tenant: TenantId;
  /** Aborts when nobody waits for the answer any more. */
  gone: AbortSignal;
  /** Whether a change to this status is a reason to read again. */
  heeds: (status: string) => boolean;
  /** Must register this process for news of the subject. */
  read: () => Promise<T>;
  isDone: (state: T) => boolean;
};

type Subscribe = (onMessage: (message: string) => void) => void;

type Needs = {
  id: string;
  /** Whoever asks for longer waits so long: a proxy on the way would cut a longer silence. */
  maxWaitMs: number;
  subscribe: Subscribe;
};

/** `subscribe` brings the news that the scripts publish for the process `id`. */
export const createWaitingRoom = ({ id, maxWaitMs, subscribe }: Needs): WaitingRoom => {
  const seats = new Map<string, Set<(status: string | null) => void>>();
  const taken = new Map<TenantId, number>();
  let takenInAll = 0;
  let closing = false;

  subscribe((message) => {
    // What the scripts publish: `<id> <status>`.
    const [subject = '', status = ''] = message.split(' ');
    for (const tell of seats.get(subject) ?? []) tell(status);
  });

  /** Taken before the first read: news that overtakes the read's answer is kept. */
  const takeSeat = (subject: string, { tenant, gone, heeds }: Pick<Wait<unknown>, 'tenant' | 'gone' | 'heeds'>) => {
    let news = false;
    let wake: () => void = () => {};
    /** Null: nobody waits any longer. */
    const tell = (status: string | null): void => {
      if (status !== null && !heeds(status)) return;
      news = true;
      wake();
    };
    const ofSubject = seats.get(subject) ?? new Set();
    seats.set(subject, ofSubject.add(tell));
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
        ofSubject.delete(tell);
        if (ofSubject.size === 0) seats.delete(subject);
        const left = (taken.get(tenant) ?? 0) - 1;
        if (left > 0) taken.set(tenant, left);
        else taken.delete(tenant);
        takenInAll -= 1;
      },
    };
  };

  return {
    id,
    wait: async (subject, waitMs, wait) => {
      const { tenant, gone, read, isDone } = wait;
      if (takenInAll >= SEATS || (taken.get(tenant) ?? 0) >= SEATS_A_TENANT)
        return { state: await read(), waitedMs: 0 };
      const waitedMs = Math.min(waitMs, maxWaitMs);
      const untilMs = performance.now() + waitedMs;
      const seat = takeSeat(subject, wait);
      try {
        let state = await read();
        while (!isDone(state) && !closing && !gone.aborted && performance.now() < untilMs) {
          await seat.news(Math.min(untilMs - performance.now(), READ_AGAIN_MS));
          seat.forget();
          state = await read();
        }
        return { state, waitedMs };
      } finally {
        seat.leave();
      }
    },
    close: () => {
      closing = true;
      for (const ofSubject of seats.values()) for (const tell of ofSubject) tell(null);
    },
  };
};
