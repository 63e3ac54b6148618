/** How long to wait before a call is made again: the one policy of every wait that a peer can set. Pure. */

/** Doubles from `firstMs` up to `limitMs`, less a random half, so that what failed together does not return together. `random` is 0 ≤ random < 1. */
export const backOff = (firstMs: number, limitMs: number, times: number, random: number): number =>
  Math.round(Math.min(firstMs * 2 ** Math.min(times, 30), limitMs) * (1 - random / 2));

/**
 * The longer of our own wait and the wait that the peer asks for, of which no more than `askedLimitMs` counts.
 * A peer can only lengthen a wait: what it asks below `ownMs`, or what is no number, changes nothing.
 */
export const pause = (ownMs: number, askedMs: number | null, askedLimitMs: number): number =>
  Math.max(ownMs, Number.isNaN(askedMs) ? 0 : Math.min(askedMs ?? 0, askedLimitMs));
