import fc from 'fast-check';
import type { Splitter } from '../../../api/intake/uploads/split-lines.ts';

/** How a client, its network and Node may cut a body: any sizes, over and over. */
export const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

export type Cut = { number: number; bytes: Buffer | null };

/** Everything that a splitter makes of a body that comes in such chunks. */
export const splitAll = (splitter: Splitter, body: Buffer, sizes: readonly number[]): Cut[] => {
  const found: Cut[] = [];
  // A line is good until the next one only.
  const take = (lines: Iterable<Cut>): void => {
    for (const { number, bytes } of lines) found.push({ number, bytes: bytes && Buffer.from(bytes) });
  };
  for (let start = 0, turn = 0; start < body.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    // A chunk's memory is used again for the next one.
    const chunk = Buffer.from(body.subarray(start, start + size));
    take(splitter.push(chunk));
    chunk.fill(0x21);
    start += size;
  }
  take(splitter.end());
  return found;
};

export const textsOf = (lines: readonly Cut[]): (string | null)[] =>
  lines.map(({ bytes }) => bytes?.toString() ?? null);
