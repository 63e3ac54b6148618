/** A request's body as bytes: type, size and time are checked while it comes in. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { askForBody } from './ask-for-body.ts';
import type { BodyRoom, Sender } from './body-room.ts';
import { declaredType, demandLength } from './declared-body.ts';
import { gatherBytes } from './gathered-bytes.ts';

const BODY_TIME_MS = 30_000;

/** How many bytes of memory a byte of a body takes: bytes, and the copy that they are gathered in; and what is built of them as JSON. */
const WEIGHTS = { bytes: 2, json: 4 } as const;

/** The most that one body takes. */
export const heaviestBody = (maxBodyBytes: number): number => WEIGHTS.json * maxBodyBytes;

/**
 * Reads a body that says it is JSON; throws RequestError 415, 413, 429, 503 or 408. `as`: what is made of it. It takes room until
 * `releaseBody`, which every call comes to in the end: a client that goes away takes nothing out of our memory.
 */
export type ReadBody = (c: ApiContext, sender: Sender, as: keyof typeof WEIGHTS) => Promise<Buffer>;

const held = new WeakMap<ApiContext, () => void>();

/** From here on nobody needs a request's body. Safe to call for any request, and twice. */
export const releaseBody = (c: ApiContext): void => held.get(c)?.();

export const createReadBody = ({ maxBodyBytes, room }: { maxBodyBytes: number; room: BodyRoom }): ReadBody => {
  const tooLarge = (): RequestError =>
    new RequestError('body_too_large', {
      message: `The body may have at most ${maxBodyBytes} bytes; send fewer or shorter messages.`,
    });

  const readBytes = async (c: ApiContext, sender: Sender, weight: number): Promise<Buffer> => {
    const body = c.env.incoming;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const gathered = gatherBytes(maxBodyBytes);
    const { grow, leave } = room.enter(sender, weight);
    held.set(c, leave);
    askForBody(c.env);
    const timer = setTimeout(() => reject(new RequestError('request_timeout')), BODY_TIME_MS);
    const take = (chunk: Buffer): void => {
      gathered.add(chunk, 0, chunk.length);
      if (gathered.size() > maxBodyBytes) throw tooLarge();
      grow(chunk.length);
    };
    body.on('data', (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        reject(error);
      }
    });
    body.on('end', () => {
      const bytes = gathered.take();
      if (bytes !== null) resolve(bytes);
    });
    // The client went away: nobody reads the answer.
    body.on('error', () => reject(new RequestError('request_timeout')));
    try {
      return await promise;
    } catch (error) {
      leave();
      throw error;
    } finally {
      clearTimeout(timer);
      body.removeAllListeners('data').pause();
    }
  };

  return async (c, sender, as) => {
    declaredType(c, ['application/json']);
    demandLength(c, maxBodyBytes, tooLarge);
    return readBytes(c, sender, WEIGHTS[as]);
  };
};
