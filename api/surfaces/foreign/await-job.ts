/**
 * Holds a call open until its job ends. Neither clients nor proxies bear a long silence, so it is held in hops: each ends with a
 * redirect to the next one, which official clients follow by themselves, with their keys.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import { isFinal } from '../../../shared/domain/jobs/states.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import type { StoredView } from '../../../shared/storage/jobs/job-view.ts';
import type { Waiter, WaitStore } from '../../../shared/storage/jobs/wait-store.ts';
import type { HoldAnswer } from '../../http/body/hold-answer.ts';
import type { ApiContext } from '../../http/context.ts';
import { JobFailed } from '../../http/job-failed.ts';
import { clientGone } from '../../http/server/client-gone.ts';
import type { WaitingRoom } from '../../intake/waiting-room.ts';
import type { Dialect } from './dialect.ts';
import { jobFailure } from './job-failure.ts';

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

type Needs = {
  waits: WaitStore;
  waitingRoom: WaitingRoom;
  holdAnswer: HoldAnswer;
  config: { http: Pick<Config['http'], 'maxWaitMs'> };
  /** Unix milliseconds. */
  now: () => number;
};

const isOver = ({ record }: StoredView): boolean => isFinal(record.status ?? '');

export type AwaitJob = ReturnType<typeof createAwaitJob>;

/** What a read found: nothing that this call waits for, or nothing yet because Redis is away. */
type State = StoredView | 'absent' | 'unread';

export const createAwaitJob = ({ waits, waitingRoom, holdAnswer, config: { http }, now }: Needs) => {
  let hops = 0;

  const waiterOf = (c: ApiContext, id: JobId, { waiter }: Hop): Waiter => {
    const { tenant, platformKey } = c.get('caller');
    return { tenant, id, platformKey, watcher: waitingRoom.id, waiter };
  };

  /** Whoever sends the request again is to find the job, so this is tried for a while if Redis is away. */
  const leave = async (waiter: Waiter): Promise<void> => {
    for (let count = 0; count < LEAVES; count++) {
      try {
        return await waits.leave(waiter);
      } catch {
        await delay(LEAVE_AGAIN_MS, undefined, { ref: false });
      }
    }
  };

  const answer = async (c: ApiContext, { tell }: Dialect, { tenant, id }: Waiter, view: StoredView) => {
    const { record } = view;
    tell(c, record);
    if (record.status !== 'completed') throw jobFailure(id, record);
    const given = await waits.answerOf(tenant, view, (bytes) => holdAnswer(c, tenant, bytes));
    if (given === null) throw new RequestError('result_expired');
    return c.body(new Uint8Array(given.bytes), 200, { 'Content-Type': given.mediaType });
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

    /** `isAccepted`: the job is known to be this call's, and its lease stands. */
    wait: async (
      c: ApiContext,
      dialect: Dialect,
      { id, hop, isAccepted }: { id: JobId; hop: Hop; isAccepted: boolean },
    ): Promise<Response> => {
      const waiter = waiterOf(c, id, hop);
      const { outgoing } = c.env;
      const whenClosed = (): void => {
        if (!outgoing.writableFinished) void leave(waiter);
      };
      if (outgoing.closed) whenClosed();
      else outgoing.once('close', whenClosed);

      let seen: State = 'unread';
      let untold = isAccepted ? 0 : hop.holdMs;
      const read = async (): Promise<State> => {
        try {
          seen = (await waits.attend(waiter, untold)) ?? 'absent';
          untold = 0;
        } catch {
          // What is accepted runs, whatever becomes of the reads: the next of them, or the next hop, sees to it.
        }
        return seen;
      };
      try {
        const { state, waitedMs } = await waitingRoom.wait(id, hop.holdMs, {
          tenant: waiter.tenant,
          gone: clientGone(c),
          heeds: isFinal,
          read,
          isDone: (each) => each === 'absent' || (each !== 'unread' && isOver(each)),
        });
        if (state === 'absent') throw new RequestError(isAccepted ? 'result_expired' : 'not_found');
        c.get('logged').job_id = id;
        c.header('X-Gateway-Job-Id', id);
        if (state !== 'unread' && isOver(state)) return await answer(c, dialect, waiter, state);
        if (outgoing.closed) throw new RequestError('request_timeout');
        if (now() >= hop.untilMs) throw new RequestError('still_running', { jobId: id });
        if (waitedMs === 0) throw noSeat(id);
        return c.redirect(`${dialect.base}/_wait/${id}?until=${hop.untilMs}`, 303);
      } catch (error) {
        // How its job failed is an answer as well.
        if (!(error instanceof JobFailed)) void leave(waiter);
        throw error;
      }
    },
  };
};

const noSeat = (id: JobId): RequestError =>
  new RequestError('rate_limited', {
    jobId: id,
    retryAfterSeconds: 1,
    message:
      'As many requests wait here as may. The job goes on: send the same request again to wait for it, or ask for job_id.',
  });
