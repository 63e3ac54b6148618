/** A call that waits for a job: it holds the job's lease until it has the job's end, and lets go of it if its client is gone. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JobId } from '../../../shared/domain/ids.ts';
import { isFinal } from '../../../shared/domain/jobs/states.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import type { StoredView } from '../../../shared/storage/jobs/job-view.ts';
import type { Waiter, WaitStore } from '../../../shared/storage/jobs/wait-store.ts';
import type { ApiContext } from '../../http/context.ts';
import { clientGone } from '../../http/server/client-gone.ts';
import type { WaitingRoom } from '../../intake/waiting-room.ts';

/** Official clients give up a call after 600 s. */
const LONGEST_CALL_MS = 590_000;
/** They follow 20 redirects. */
const MOST_HOPS = 19;
const LEAVE_AGAIN_MS = 1_000;
const LEAVES = 60;

/** One request of a call. */
export type Hop = {
  waiter: string;
  holdMs: number;
  /** When the call ends at the latest, Unix milliseconds. */
  untilMs: number;
};

/** What a look at the job found: nothing that this call waits for, or nothing yet because Redis is away. */
export type Seen = StoredView | 'absent' | 'unread';

export const isOver = (seen: Seen): seen is StoredView => typeof seen !== 'string' && isFinal(seen.record.status ?? '');

export type Attendance = {
  waiter: Waiter;
  /** Aborts when its client is gone. */
  gone: AbortSignal;
  /** Waits for the job's end; `waitedMs` is 0 if there is no place to wait. `toldMs`: how long the call is held from now on, 0 if that is known. */
  wait: (holdMs: number, toldMs: number) => Promise<{ seen: Seen; waitedMs: number }>;
  /** Whoever sends the request again finds the job. */
  leave: () => void;
};

export type Attending = ReturnType<typeof createAttending>;

type Needs = {
  waits: Pick<WaitStore, 'attend' | 'leave'>;
  waitingRoom: WaitingRoom;
  config: { http: Pick<Config['http'], 'maxWaitMs'> };
  /** Unix milliseconds. */
  now: () => number;
};

export const createAttending = ({ waits, waitingRoom, config: { http }, now }: Needs) => {
  let hops = 0;

  const waiterOf = (c: ApiContext, id: JobId, { waiter }: Hop): Waiter => {
    const { tenant, platformKey } = c.get('caller');
    return { tenant, id, platformKey, watcher: waitingRoom.id, waiter };
  };

  /** It is tried for a while if Redis is away. */
  const leave = async (waiter: Waiter): Promise<void> => {
    for (let count = 0; count < LEAVES; count++) {
      try {
        return await waits.leave(waiter);
      } catch {
        await delay(LEAVE_AGAIN_MS, undefined, { ref: false });
      }
    }
  };

  return {
    /** The next request of a call that ends at `untilMs`, or of one that begins. `waitMs`: how long each is held, 0 for the longest. */
    hop: ({ waitMs = 0, untilMs = Number.POSITIVE_INFINITY }: { waitMs?: number; untilMs?: number }): Hop => {
      hops += 1;
      const eachMs = Math.min(waitMs || http.maxWaitMs, http.maxWaitMs);
      const until = Math.min(untilMs, now() + Math.min(LONGEST_CALL_MS, MOST_HOPS * eachMs));
      const holdMs = Math.max(0, Math.min(eachMs, until - now()));
      return { waiter: `${waitingRoom.id}.${hops}`, holdMs, untilMs: until };
    },

    /** Nobody can tell whether this job was accepted, and its client is told so. */
    giveUp: (c: ApiContext, id: JobId, hop: Hop): void => {
      void leave(waiterOf(c, id, hop));
    },

    attend: (c: ApiContext, id: JobId, hop: Hop): Attendance => {
      const waiter = waiterOf(c, id, hop);
      const { outgoing } = c.env;
      const whenClosed = (): void => {
        if (!outgoing.writableFinished) void leave(waiter);
      };
      if (outgoing.closed) whenClosed();
      else outgoing.once('close', whenClosed);
      const gone = clientGone(c);
      let seen: Seen = 'unread';
      return {
        waiter,
        gone,
        wait: async (holdMs, toldMs) => {
          let untold = toldMs;
          const read = async (): Promise<Seen> => {
            try {
              seen = (await waits.attend(waiter, untold)) ?? 'absent';
              untold = 0;
            } catch {
              // What is accepted runs, whatever becomes of the reads: the next one, or the next hop, sees to it.
            }
            return seen;
          };
          const { state, waitedMs } = await waitingRoom.wait(id, holdMs, {
            tenant: waiter.tenant,
            gone,
            heeds: isFinal,
            read,
            isDone: (each) => each === 'absent' || isOver(each),
          });
          return { seen: state, waitedMs };
        },
        leave: () => {
          void leave(waiter);
        },
      };
    },
  };
};
