/** GET of something that changes until it is final: as it stands, or after `?wait=` as it stands then. */
import { z } from 'zod';
import type { RequestError } from '../shared/errors.ts';
import type { BatchId, JobId } from '../shared/ids.ts';
import { clientGone } from './client-gone.ts';
import type { ApiContext } from './context.ts';
import { wholeNumber } from './read-query.ts';
import type { WaitingRoom } from './waiting-room.ts';

export const waitQuery = z.strictObject({ wait: wholeNumber(1, 60).optional() });

type Subject<View> = {
  id: JobId | BatchId;
  /** Undefined: answers at once. */
  waitSeconds: number | undefined;
  /** `watcher`: the API process to be told of changes. Null where it is not stored any more. */
  read: (watcher: string | null) => Promise<View | null>;
  statusOf: (view: View) => string;
  isFinal: (status: string) => boolean;
  /** A weak ETag. */
  tagOf: (view: View) => string;
  gone: () => RequestError;
  toJson: (view: View) => object;
};

/** With the `If-None-Match` of an earlier answer it waits for any other state, else for the final one. */
export const answerState = async <View>(
  c: ApiContext,
  waitingRoom: WaitingRoom,
  { id, waitSeconds, read, statusOf, isFinal, tagOf, gone, toJson }: Subject<View>,
): Promise<Response> => {
  const known = c.req.header('if-none-match');
  const isDone = (view: View): boolean =>
    isFinal(statusOf(view)) || (known !== undefined && !isCurrent(known, tagOf(view)));
  const view =
    waitSeconds === undefined
      ? await read(null)
      : (
          await waitingRoom.wait(id, waitSeconds * 1_000, {
            tenant: c.get('tenant'),
            gone: clientGone(c),
            heeds: (status) => known !== undefined || isFinal(status),
            read: () => read(waitingRoom.id),
            isDone: (state) => state === null || isDone(state),
          })
        ).state;
  if (view === null) throw gone();
  const tag = tagOf(view);
  c.header('ETag', tag);
  if (!isFinal(statusOf(view))) c.header('Retry-After', '1');
  if (known !== undefined && isCurrent(known, tag)) return c.body(null, 304);
  return c.json(toJson(view), 200);
};

/** Weak comparison (RFC 9110, 13.1.2). */
const isCurrent = (ifNoneMatch: string, tag: string): boolean =>
  ifNoneMatch.split(',').some((each) => ['*', tag, tag.slice('W/'.length)].includes(each.trim()));
