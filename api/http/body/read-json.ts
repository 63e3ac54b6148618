/** A request's body as JSON: encoding and depth are checked before anything is built from it. */
import type { ApiContext } from '../context.ts';
import type { Sender } from './body-room.ts';
import { hasBody } from './declared-body.ts';
import { parseJson } from './parse-json.ts';
import type { ReadBody } from './read-body.ts';

/** Parses the body; throws RequestError 415, 413, 429, 503, 408 or 400. The result is of any form. */
export type ReadJson = (c: ApiContext, sender: Sender) => Promise<unknown>;

export const createReadJson =
  (readBody: ReadBody): ReadJson =>
  async (c, sender) =>
    parseJson(await readBody(c, sender, 'json'), 'The body');

/** The same for a call whose fields can all be left out: no body is an empty object. */
export const readOptionalJson = async (c: ApiContext, sender: Sender, readJson: ReadJson): Promise<unknown> =>
  hasBody(c) ? readJson(c, sender) : {};
