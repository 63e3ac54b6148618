const FIRST_BYTES = 1_024;

/** The bytes of one piece after another, each of which may lie in any number of chunks. */
export type GatheredBytes = {
  /** Adds `chunk` from `start` to `end`; past the limit bytes are counted and not kept. */
  add: (chunk: Buffer, start: number, end: number) => void;
  /** The piece, good until the next `add`; null where it is longer than the limit. The next one begins. */
  take: () => Buffer | null;
  /** What the piece holds so far, good until the next `add`; null as for `take`. */
  peek: () => Buffer | null;
  /** Of the piece so far. */
  size: () => number;
};

/** A copy that doubles: a piece that comes byte by byte must not cost a buffer for each of them. */
export const gatherBytes = (limitBytes: number): GatheredBytes => {
  let held = Buffer.allocUnsafeSlow(FIRST_BYTES);
  let size = 0;
  const peek = (): Buffer | null => (size > limitBytes ? null : held.subarray(0, size));
  return {
    add: (chunk, start, end) => {
      const before = size;
      size += end - start;
      if (size > limitBytes) return;
      if (size > held.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(size, held.length * 2), Math.max(limitBytes, size)));
        held.copy(larger, 0, 0, before);
        held = larger;
      }
      chunk.copy(held, before, start, end);
    },
    take: () => {
      const piece = peek();
      size = 0;
      return piece;
    },
    peek,
    size: () => size,
  };
};
