import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `condition` gives something other than null, undefined or false; fails with what was waited for. A condition that throws counts as not yet. */
export const until = async <T>(
  what: string,
  condition: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 10 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> => {
  const deadline = performance.now() + withinMs;
  let lastError: unknown = null;
  while (performance.now() < deadline) {
    try {
      const value = await condition();
      // The cast says what the check just established.
      if (value !== null && value !== undefined && value !== false) return value as NonNullable<Exclude<T, false>>;
      lastError = null;
    } catch (error) {
      lastError = error;
    }
    await delay(everyMs);
  }
  throw new Error(`waited ${withinMs} ms in vain until ${what}`, { cause: lastError });
};
