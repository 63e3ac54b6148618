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

/**
 * The explanation, fit to be shown: one line, at most 300 characters, everything that looks like a key removed.
 * Null where nothing is left or where, against all patterns, a part of the user's key is still in it.
 */
export const scrubDetail = (text: string, userKey: Secret | null): string | null => {
  const line = withoutKeys(beginningOf(text), REMOVED)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const shown = line.slice(0, MAX_CHARACTERS).toWellFormed();
  return shown === '' || userKey?.isPartlyIn(shown) ? null : shown;
};
