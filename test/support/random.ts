/** Chance that a seed repeats. */

export type Random = {
  /** From 0 up to, not including, 1. */
  next: () => number;
  between: (from: number, to: number) => number;
  /** A whole number from 0 up to, not including, `limit`. */
  below: (limit: number) => number;
  pick: <T>(items: readonly [T, ...T[]]) => T;
};

/** Mulberry32: small, and the same on every machine. Streams of one seed do not depend on each other. */
export const createRandom = (seed: number, stream = 0): Random => {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 1, 0xc2b2ae35);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    between: (from, to) => from + (to - from) * next(),
    below: (limit) => Math.floor(limit * next()),
    pick: (items) => items[Math.floor(items.length * next())] ?? items[0],
  };
};
