const LONGEST_MS = 24 * 3_600_000;
const DECIMAL = /^\d+(?:\.\d+)?$/;

const bounded = (ms: number): number => Math.min(Math.max(Math.ceil(ms), 0), LONGEST_MS);

/**
 * How long the provider wishes us to wait, 0 to 24 h; null where it named no time that can be read.
 * `retry-after-ms` (OpenAI) is finer than `Retry-After`, which holds seconds or an HTTP date (RFC 9110, 10.2.3).
 */
export const retryAfterMs = (header: (name: string) => string | null, nowMs: number): number | null => {
  const milliseconds = header('retry-after-ms')?.trim();
  if (milliseconds !== undefined && DECIMAL.test(milliseconds)) return bounded(Number(milliseconds));
  const wish = header('retry-after')?.trim();
  if (wish === undefined) return null;
  if (DECIMAL.test(wish)) return bounded(Number(wish) * 1000);
  // Date.parse takes bare and negative numbers for years; a date in HTTP names its month.
  const date = /[A-Za-z]{3}/.test(wish) ? Date.parse(wish) : Number.NaN;
  return Number.isNaN(date) ? null : bounded(date - nowMs);
};
