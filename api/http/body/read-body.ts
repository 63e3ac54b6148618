/** A request's body as bytes: type, size and time are checked while it comes in. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { askForBody } from './ask-for-body.ts';
import { createBodyRoom, type Sender } from './body-room.ts';
import { declaredType, demandLength } from './declared-body.ts';
import { gatherBytes } from './gathered-bytes.ts';

const BODY_TIME_MS = 30_000;

/** Reads a body that says it is JSON; throws RequestError 415, 413, 429, 503 or 408. */
export type ReadBody = (c: ApiContext, sender: Sender) => Promise<Buffer>;

export const createReadBody = ({ maxBodyBytes }: { maxBodyBytes: number }): ReadBody => {
  const room = createBodyRoom({ maxBodyBytes });
  const tooLarge = (): RequestError =>
    new RequestError('body_too_large', {
      message: `The body may have at most ${maxBodyBytes} bytes; send fewer or shorter messages.`,
    });

  const readBytes = async ({ env }: ApiContext, sender: Sender): Promise<Buffer> => {
    const body = env.incoming;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const gathered = gatherBytes(maxBodyBytes);
    const { grow, leave } = room.enter(sender);
    askForBody(env);
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
    } finally {
      clearTimeout(timer);
      body.removeAllListeners('data').pause();
      leave();
    }
  };

  return async (c, sender) => {
    declaredType(c, ['application/json']);
    demandLength(c, maxBodyBytes, tooLarge);
    return readBytes(c, sender);
  };
};
