/** Bytes as JSON: encoding and depth are checked before anything is built from them. */
import { RequestError } from '../../../shared/domain/errors.ts';
import { pathText } from '../../../shared/domain/wording/explain-issue.ts';
import { withoutStack } from '../without-stack.ts';

const DEPTH_LIMIT = 32;
/** More than any request has: what is built of so many takes a process long enough. */
const VALUES_LIMIT = 524_288;

/** Half of a surrogate pair, which has no form in UTF-8, can only come as such an escape. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;

/** The result is of any form, and all of its texts can be written as UTF-8; throws RequestError 400. `what` begins the message where the value as a whole is wrong. */
export const parseJson = (bytes: Uint8Array, what: string): unknown => {
  const text = decode(bytes, what);
  const excess = excessIn(text);
  if (excess !== null) throw new RequestError('invalid_json', { message: `${what} ${excess}` });
  const value = parse(text, what);
  const broken = ESCAPED_SURROGATE.test(text) ? brokenText(value) : null;
  if (broken === null) return value;
  const param = pathText(broken);
  throw new RequestError('invalid_body', {
    ...(param !== '' && { param }),
    message: `${param || what} holds half of a surrogate pair, which no provider takes; send whole characters.`,
  });
};

const parse = (text: string, what: string): unknown => {
  try {
    return withoutStack(() => JSON.parse(text) as unknown);
  } catch {
    throw new RequestError('invalid_json', { message: `${what} is not valid JSON in UTF-8.` });
  }
};

type Path = readonly (string | number)[];

/** The path to the first text, or to the first thing under a name, that is not well-formed Unicode; null where all are. */
const brokenText = (value: unknown): Path | null => {
  if (typeof value === 'string') return value.isWellFormed() ? null : [];
  if (typeof value !== 'object' || value === null) return null;
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [name, part] of entries as Iterable<[string | number, unknown]>) {
    if (typeof name === 'string' && !name.isWellFormed()) return [name];
    const path = brokenText(part);
    if (path !== null) return [name, ...path];
  }
  return null;
};

const decoder = new TextDecoder('utf-8', { fatal: true });

const decode = (bytes: Uint8Array, what: string): string => {
  try {
    return withoutStack(() => decoder.decode(bytes));
  } catch {
    throw new RequestError('invalid_json', { message: `${what} is not valid JSON in UTF-8.` });
  }
};

/** What there is too much of, counted outside strings: JSON.parse and zod both recurse, and build each value. Null if nothing is. */
const excessIn = (text: string): string | null => {
  let depth = 0;
  let values = 1;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x22) {
      index = endOfString(text, index);
    } else if (character === 0x7b || character === 0x5b) {
      depth += 1;
      values += 1;
      if (depth > DEPTH_LIMIT) return `may be nested at most ${DEPTH_LIMIT} levels deep.`;
    } else if (character === 0x7d || character === 0x5d) {
      depth -= 1;
    } else if (character === 0x2c) {
      values += 1;
    }
    if (values > VALUES_LIMIT) return `may have at most ${VALUES_LIMIT} values.`;
  }
  return null;
};

const endOfString = (text: string, start: number): number => {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
};
