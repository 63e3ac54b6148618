/** GET of something that changes until it is final: as it stands, or after `?wait=` as it stands then. */
import { z } from 'zod';
import type { RequestError } from '../../../shared/domain/errors.ts';
import type { BatchId, JobId } from '../../../shared/domain/ids.ts';
import type { ApiContext } from '../../http/context.ts';
import { heldTags, isHeldTag } from '../../http/headers/held-tags.ts';
import { LONGEST_ASKED_SECONDS } from '../../http/headers/preferences.ts';
import { wholeNumber } from '../../http/query/read-query.ts';
import { clientGone } from '../../http/server/client-gone.ts';
import type { WaitingRoom } from '../../intake/waiting-room.ts';

export const waitQuery = z.strictObject({ wait: wholeNumber(1, LONGEST_ASKED_SECONDS).optional() });

/** All of one length: what a proxy puts behind a tag may be a digit. */
const CHANGES_DIGITS = 8;

type Subject<View> = {
  id: JobId | BatchId;
  /** Undefined: answers at once. */
  waitSeconds: number | undefined;
  /** `watcher`: the API process to be told of changes. Null where it is not stored any more. */
  read: (watcher: string | null) => Promise<View | null>;
  statusOf: (view: View) => string;
  isFinal: (status: string) => boolean;
  /** A number that grows with each change within a status. */
  changesOf: (view: View) => number;
  gone: () => RequestError;
  toJson: (view: View) => object;
};

/**
 * With the tag of an earlier answer in `If-None-Match` it waits for any other state, else for the final one.
 * A tag that is not of this subject says nothing of what the client knows: it waits for the first change after the request,
 * because at once would make a busy loop of a follower behind a proxy that rewrites tags.
 */
export const answerState = async <View>(
  c: ApiContext,
  waitingRoom: WaitingRoom,
  { id, waitSeconds, read, statusOf, isFinal, changesOf, gone, toJson }: Subject<View>,
): Promise<Response> => {
  const tagOf = (view: View): string =>
    `${id}.${statusOf(view)}.${String(changesOf(view)).padStart(CHANGES_DIGITS, '0')}`;
  const given = c.req.header('if-none-match');
  const held = given === undefined ? null : heldTags(given);
  const isHeld = (view: View): boolean => held?.some((tag) => isHeldTag(tag, tagOf(view))) ?? false;
  const isKnown = held?.some((tag) => isHeldTag(tag, `${id}.`)) ?? false;
  let firstTag: string | null = null;
  const isNews = (view: View): boolean => {
    if (held === null) return false;
    if (isKnown) return !isHeld(view);
    firstTag ??= tagOf(view);
    return tagOf(view) !== firstTag;
  };
  const view =
    waitSeconds === undefined
      ? await read(null)
      : (
          await waitingRoom.wait(id, waitSeconds * 1_000, {
            tenant: c.get('tenant'),
            gone: clientGone(c),
            heeds: (status) => held !== null || isFinal(status),
            read: () => read(waitingRoom.id),
            isDone: (state) => state === null || isFinal(statusOf(state)) || isNews(state),
          })
        ).state;
  if (view === null) throw gone();
  c.header('ETag', `W/"${tagOf(view)}"`);
  if (!isFinal(statusOf(view))) c.header('Retry-After', '1');
  if (isHeld(view)) return c.body(null, 304);
  return c.json(toJson(view), 200);
};
