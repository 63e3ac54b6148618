const FIRST_BYTES = 4_096;

/** Bytes that come in any number of pieces, as one copy that doubles: a piece of one byte must not cost a buffer. */
export const createGather = () => {
  let held = Buffer.alloc(0);
  let size = 0;
  return {
    add: (piece: Buffer): void => {
      const before = size;
      size += piece.length;
      if (size > held.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(size, held.length * 2, FIRST_BYTES));
        held.copy(larger, 0, 0, before);
        held = larger;
      }
      piece.copy(held, before);
    },
    size: (): number => size,
    /** All of them, for good; the next ones begin anew. */
    take: (): Buffer => {
      const taken = held.subarray(0, size);
      held = Buffer.alloc(0);
      size = 0;
      return taken;
    },
  };
};
