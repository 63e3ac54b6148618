/** Which ids came before, a million of them in 16 MiB: a set of strings would take ten times as much. */
import { hash, randomUUID } from 'node:crypto';

const FIRST_SLOTS = 1_024;
const FULLEST = 0.75;

export type SeenIds = {
  /** Notes an id; false where it came before. */
  add: (id: string) => boolean;
};

/**
 * Keeps 64 bits of a hash of each id, under a seed of its own, so that nobody can choose ids that meet.
 * Two different ids are taken for one in one of 37 million batches of a million lines.
 */
export const createSeenIds = (): SeenIds => {
  const seed = randomUUID();
  // Two numbers a slot; two zeros are an empty one.
  let slots = new Uint32Array(FIRST_SLOTS * 2);
  let count = 0;

  /** Where these two numbers stand, or else the empty slot where they belong. */
  const find = (high: number, low: number): number => {
    const last = slots.length - 2;
    let place = (low << 1) & last;
    while ((slots[place] !== high || slots[place + 1] !== low) && (slots[place] !== 0 || slots[place + 1] !== 0)) {
      place = (place + 2) & last;
    }
    return place;
  };
  const put = (high: number, low: number): boolean => {
    const place = find(high, low);
    if (slots[place] === high && slots[place + 1] === low) return false;
    slots[place] = high;
    slots[place + 1] = low;
    return true;
  };
  const grow = (): void => {
    const before = slots;
    slots = new Uint32Array(before.length * 2);
    for (let place = 0; place < before.length; place += 2) {
      const [high = 0, low = 0] = before.subarray(place, place + 2);
      if (high !== 0 || low !== 0) put(high, low);
    }
  };

  return {
    add: (id) => {
      const digest = hash('sha256', seed + id, 'buffer');
      const isNew = put(digest.readUInt32LE(0) || 1, digest.readUInt32LE(4));
      if (isNew && ++count > (slots.length / 2) * FULLEST) grow();
      return isNew;
    },
  };
};
