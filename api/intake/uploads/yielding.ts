/** Work that comes in bursts, interrupted so that other requests are answered meanwhile. */
import { setImmediate as afterOthers } from 'node:timers/promises';

/** How long the process works on one upload without a look at others, beside the last piece. */
const LONGEST_MS = 5;

/** To be called after each piece of the work: what to wait for before the next one; null: it may follow at once. */
export const createYielding = (): (() => Promise<void> | null) => {
  let startedMs = performance.now();
  return () => {
    if (performance.now() - startedMs < LONGEST_MS) return null;
    return afterOthers().then(() => {
      startedMs = performance.now();
    });
  };
};
