/** The net under the only text of a provider that may reach a tenant: its explanation of why it refuses a call. */

import { withoutKeys } from '../../shared/keys/key-shapes.ts';
import type { Secret } from '../../shared/keys/secret.ts';

const MAX_CHARACTERS = 300;
/** More than this is never looked at, so that no pattern can be made slow. */
const MAX_READ = 2_000;
const REMOVED = '[removed]';

/** The beginning of a long text, without what may be the first part of a key. */
const beginningOf = (text: string): string =>
  text.length > MAX_READ ? text.slice(0, MAX_READ).replace(/[\x21-\x7e]+$/, '') : text;

/** How URLs, HTML and JSON write a character by its number; in URLs only those that are a byte. */
const BY_NUMBER =
  /%([2-7][0-9a-f])|&#x([0-9a-f]{1,6});?|&#(\d{1,7});?|\\u\{([0-9a-f]{1,6})\}|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})/gi;
/** One writing may be in another. */
const DECODINGS = 3;

const characterOf = (written: string, ...[url, html, decimal, ...json]: (string | undefined)[]): string => {
  const hexadecimal = url ?? html ?? json.slice(0, 3).find((code) => code !== undefined);
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal);
  return code <= 0x10_ffff ? String.fromCodePoint(code) : written;
};

/** The text as its reader would see it: what hides a key from a pattern does not hide it from a person. */
const readable = (text: string): string => {
  let read = text;
  for (let round = 0; round < DECODINGS; round++) read = read.replace(BY_NUMBER, characterOf);
  return read.replace(/\p{Cf}/gu, '');
};

/**
 * The explanation, fit to be shown: one line, at most 300 characters, everything that looks like a key removed.
 * Null if nothing is left, or if a part of a secret that the call had is still in it, against all patterns.
 */
export const scrubDetail = (text: string, secrets: readonly Secret[]): string | null => {
  const line = withoutKeys(readable(beginningOf(text)), REMOVED)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const shown = line.slice(0, MAX_CHARACTERS).toWellFormed();
  return shown === '' || secrets.some((secret) => secret.isPartlyIn(shown)) ? null : shown;
};
