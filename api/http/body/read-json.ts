/** A request's body as JSON: type, size, time, encoding and depth are checked before anything is built from it. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { askForBody } from './ask-for-body.ts';
import { createBodyRoom, type Sender } from './body-room.ts';
import { declaredType, demandLength, hasBody } from './declared-body.ts';
import { gatherBytes } from './gathered-bytes.ts';
import { parseJson } from './parse-json.ts';

const BODY_TIME_MS = 30_000;

/** Parses the body; throws RequestError 415, 413, 429, 503, 408 or 400. The result is of any form. */
export type ReadJson = (c: ApiContext, sender: Sender) => Promise<unknown>;

export const createReadJson = ({ maxBodyBytes }: { maxBodyBytes: number }): ReadJson => {
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
    return parseJson(await readBytes(c, sender), 'The body');
  };
};

/** The same for a call whose fields can all be left out: no body is an empty object. */
export const readOptionalJson = async (c: ApiContext, sender: Sender, readJson: ReadJson): Promise<unknown> =>
  hasBody(c) ? readJson(c, sender) : {};
