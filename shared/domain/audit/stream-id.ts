/** Ids of a stream's entries: milliseconds and a count, each a whole number of 64 bits, so larger than a number of JavaScript. */

export type StreamId = `${string}-${string}`;

const MAX = 2n ** 64n - 1n;

const partsOf = (id: string): [ms: bigint, count: bigint] => {
  const [ms = '0', count = '0'] = id.split('-');
  return [BigInt(ms), BigInt(count)];
};

export const isStreamId = (text: string): text is StreamId =>
  /^\d{1,20}-\d{1,20}$/.test(text) && partsOf(text).every((part) => part <= MAX);

/** Below zero if `id` was written first. */
export const compareStreamIds = (id: string, other: string): number => {
  const [[ms, count], [otherMs, otherCount]] = [partsOf(id), partsOf(other)];
  if (ms !== otherMs) return ms < otherMs ? -1 : 1;
  return count === otherCount ? 0 : count < otherCount ? -1 : 1;
};

/** The least id that an entry after this one can have; null behind the very last. */
export const streamIdAfter = (id: string): StreamId | null => {
  const [ms, count] = partsOf(id);
  if (count < MAX) return `${ms}-${count + 1n}`;
  return ms < MAX ? `${ms + 1n}-0` : null;
};

/** Unix milliseconds at which an entry was written; beyond what a date can be if nobody's clock wrote it. */
export const timeOf = (id: string): number => Number.parseInt(id, 10);

const LAST_DATE_MS = 8.64e15;

/** The same as text. A time that no date can be is that of the last one that can. */
export const isoTimeOf = (ms: number): string => new Date(Math.min(ms, LAST_DATE_MS)).toISOString();
