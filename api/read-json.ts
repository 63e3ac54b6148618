/** A request's body as JSON: type, size, time, encoding and depth are checked before anything is built from it. */
import { RequestError } from '../shared/errors.ts';
import type { ApiContext } from './context.ts';
import { declaredType, demandLength, hasBody } from './declared-body.ts';
import { parseJson } from './parse-json.ts';

const BODY_TIME_MS = 30_000;

/** Parses the body; throws RequestError 415, 413, 408 or 400, in this order. The result is of any form. */
export const readJson = async (c: ApiContext, limitBytes: number): Promise<unknown> => {
  declaredType(c, ['application/json']);
  const tooLarge = (): RequestError =>
    new RequestError('body_too_large', {
      message: `The body may have at most ${limitBytes} bytes; send fewer or shorter messages.`,
    });
  demandLength(c, limitBytes, tooLarge);
  return parseJson(await readBytes(c.env.incoming, limitBytes, tooLarge), 'The body');
};

/** The same for a call whose fields can all be left out: no body is an empty object. */
export const readOptionalJson = async (c: ApiContext, limitBytes: number): Promise<unknown> =>
  hasBody(c) ? readJson(c, limitBytes) : {};

const readBytes = async (
  body: ApiContext['env']['incoming'],
  limitBytes: number,
  tooLarge: () => RequestError,
): Promise<Buffer> => {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => reject(new RequestError('request_timeout')), BODY_TIME_MS);
  body.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limitBytes) reject(tooLarge());
    else chunks.push(chunk);
  });
  body.on('end', () => resolve(Buffer.concat(chunks, size)));
  // The client went away: nobody reads the answer.
  body.on('error', () => reject(new RequestError('request_timeout')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    body.removeAllListeners('data').pause();
  }
};
