/** The net under the only text of a provider that may reach a tenant: its explanation of why it refuses a request. */
import type { Secret } from '../../shared/crypto/secret.ts';

const LONGEST = 300;
/** More than this is never looked at, so that no pattern here can be made slow. */
const LONGEST_READ = 2_000;
const REMOVED = '[removed]';

const KEY_SHAPED = [
  /\bbearer\s+\S+/gi,
  // OpenAI, Anthropic, our own and Stripe-like keys; AWS access keys; JSON web tokens.
  /\b(?:sk|pk|rk|gk|whsec)[-_][^\s"'`,;)\]}]*/gi,
  /\b(?:AKIA|ASIA|ABSK|eyJ)[A-Za-z0-9+/=_.-]*/g,
  // A masked key still shows its ends.
  /[^\s"'`]*(?:\*{2,}|\u2022{2,}|\u2026)[^\s"'`]*/g,
  // A long run without the punctuation that model names and sentences have.
  /[A-Za-z0-9+/=_]{20,}/g,
  /\S{64,}/g,
];

/**
 * The explanation, fit to be shown: one line, at most 300 characters, everything that looks like a key removed.
 * Null where nothing is left or where, against all patterns, a part of the user's key is still in it.
 */
export const scrubDetail = (text: string, userKey: Secret | null): string | null => {
  let shown = text.slice(0, LONGEST_READ);
  for (const pattern of KEY_SHAPED) shown = shown.replace(pattern, REMOVED);
  shown = shown.replace(/[\s\p{Cc}]+/gu, ' ');
  shown = shown.trim().slice(0, LONGEST).toWellFormed();
  return shown === '' || userKey?.isPartlyIn(shown) ? null : shown;
};
