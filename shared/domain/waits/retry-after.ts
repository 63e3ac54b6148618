const LONGEST_MS = 24 * 3_600_000;
const DECIMAL = /^\d+(?:\.\d+)?$/;

const bounded = (ms: number): number => Math.min(Math.max(Math.ceil(ms), 0), LONGEST_MS);

/** A header that was sent twice arrives as a list: the longest of its numbers holds. Null if it is no such list. */
const longestOf = (text: string): number | null => {
  const values = text.split(',').map((value) => value.trim());
  return values.every((value) => DECIMAL.test(value)) ? Math.max(...values.map(Number)) : null;
};

/**
 * How long a peer asks us to wait, 0 to 24 h; null if it named no time that can be read. What comes of it is up to `pause`.
 * `retry-after-ms` (OpenAI) is finer than `Retry-After`, which holds seconds or an HTTP date (RFC 9110, 10.2.3).
 */
export const retryAfterMs = (header: (name: string) => string | null, nowMs: number): number | null => {
  const milliseconds = longestOf(header('retry-after-ms') ?? '');
  if (milliseconds !== null) return bounded(milliseconds);
  const wish = header('retry-after')?.trim();
  if (wish === undefined) return null;
  const seconds = longestOf(wish);
  if (seconds !== null) return bounded(seconds * 1_000);
  // Date.parse takes bare and negative numbers for years; a date in HTTP names its month.
  const date = /[A-Za-z]{3}/.test(wish) ? Date.parse(wish) : Number.NaN;
  return Number.isNaN(date) ? null : bounded(date - nowMs);
};
