/** Bytes as JSON: encoding and depth are checked before anything is built from them. */
import { RequestError } from '../shared/errors.ts';

const DEPTH_LIMIT = 32;

/** The result is of any form; throws RequestError 400. `what` begins the message where the nesting is too deep. */
export const parseJson = (bytes: Uint8Array, what: string): unknown => {
  const text = decode(bytes, what);
  if (isTooDeep(text)) {
    throw new RequestError('invalid_json', { message: `${what} may be nested at most ${DEPTH_LIMIT} levels deep.` });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new RequestError('invalid_json', { message: `${what} is not valid JSON in UTF-8.` });
  }
};

const decoder = new TextDecoder('utf-8', { fatal: true });

const decode = (bytes: Uint8Array, what: string): string => {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new RequestError('invalid_json', { message: `${what} is not valid JSON in UTF-8.` });
  }
};

/** Counts brackets outside strings: JSON.parse and zod both recurse. */
const isTooDeep = (text: string): boolean => {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x22) {
      index = endOfString(text, index);
    } else if (character === 0x7b || character === 0x5b) {
      depth += 1;
      if (depth > DEPTH_LIMIT) return true;
    } else if (character === 0x7d || character === 0x5d) {
      depth -= 1;
    }
  }
  return false;
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
