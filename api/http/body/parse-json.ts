/** Bytes as JSON: encoding and depth are checked before anything is built from them. */
import { RequestError } from '../../../shared/domain/errors.ts';
import { noteChanges } from '../../../shared/domain/json/as-written.ts';
import { MAX_VALUES } from '../../../shared/domain/json/scanner.ts';
import { pathText } from '../../../shared/domain/wording/explain-issue.ts';
import { withoutStack } from '../without-stack.ts';

const DEPTH_LIMIT = 32;

/** Names of what goes on as it is, in whatever spelling; only of such bodies a second look finds what parsing changed. */
const HOLDS_SCHEMA = /"(?:parameters|schema|input_schema|input)"|\\u00[2-7]/;

/** Half of a surrogate pair, which has no form in UTF-8, can only come as such an escape. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;

/** The result is of any form, and all of its texts can be written as UTF-8; throws RequestError 400. `what` begins the message where the value as a whole is wrong. */
export const parseJson = (bytes: Uint8Array, what: string): unknown => {
  const text = decode(bytes, what);
  const excess = excessIn(text, what);
  if (excess !== null) throw excess;
  const value = parse(text, what);
  if (HOLDS_SCHEMA.test(text)) noteChanges(text, value);
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

/** So much of a path says where the depth is. */
const PATH_NAMES = 4;

/** What there is too much of, counted outside strings: JSON.parse and zod both recurse, and build each value. Null if nothing is. */
const excessIn = (text: string, what: string): RequestError | null => {
  const refuse = (message: string, param = ''): RequestError =>
    new RequestError('invalid_json', { ...(param !== '' && { param }), message: `${what} ${message}` });
  let depth = 0;
  let values = 1;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x22) {
      index = endOfString(text, index);
    } else if (character === 0x7b || character === 0x5b) {
      depth += 1;
      values += 1;
      if (depth > DEPTH_LIMIT) {
        return refuse(`may be nested at most ${DEPTH_LIMIT} levels deep.`, namesOf(pathTo(text, index)));
      }
    } else if (character === 0x7d || character === 0x5d) {
      depth -= 1;
    } else if (character === 0x2c) {
      values += 1;
    }
    if (values > MAX_VALUES) return refuse(`may have at most ${MAX_VALUES} values.`);
  }
  return null;
};

/** '' of a path that begins with no name. */
const namesOf = (path: Path): string => (typeof path[0] === 'string' ? pathText(path.slice(0, PATH_NAMES)) : '');

/** The names and places that lead to a position outside strings. */
const pathTo = (text: string, position: number): Path => {
  const path: (string | number)[] = [];
  let last = '';
  for (let index = 0; index < position; index++) {
    const character = text[index];
    if (character === '"') {
      const end = endOfString(text, index);
      last = text.slice(index + 1, end);
      index = end;
    } else if (character === '{') path.push('');
    else if (character === '[') path.push(0);
    else if (character === '}' || character === ']') path.pop();
    else if (character === ':') path[path.length - 1] = last;
    else if (character === ',') {
      const place = path.at(-1);
      if (typeof place === 'number') path[path.length - 1] = place + 1;
    }
  }
  return path;
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
