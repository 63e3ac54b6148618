/** Room for a long answer, from before it is read until its client has it: one that reads slowly keeps all of it in memory. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import type { BodyRoom, Sender } from './body-room.ts';

/** An answer, and its copy for the response. */
const WEIGHT = 2;

/** The most that one answer takes, of so many bytes. */
export const heaviestAnswer = (longestBytes: number): number => WEIGHT * longestBytes;

/** Takes room for an answer of so many bytes; throws RequestError 429 or 503 if there is none, and 408 if the client is gone. */
export type HoldAnswer = (c: ApiContext, sender: Sender, bytes: number) => void;

export const createHoldAnswer =
  (room: BodyRoom): HoldAnswer =>
  ({ env: { outgoing } }, sender, bytes) => {
    if (outgoing.closed) throw new RequestError('request_timeout');
    const { grow, leave } = room.enter(sender, WEIGHT);
    outgoing.once('close', leave);
    grow(bytes);
  };
