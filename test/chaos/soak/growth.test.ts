import { expect, test } from 'vitest';
import { createRandom } from '../../support/random.ts';
import { judgeGrowth, type Quantity, type Sample } from './growth.ts';

const HOUR_MS = 3_600_000;
const MIB = 2 ** 20;

/** Descriptors of a worker, a minute apart, while the machine's load and with it the calls in flight went up and down. */
const READ = [
  53, 73, 195, 83, 50, 85, 148, 66, 120, 147, 52, 32, 28, 142, 29, 43, 138, 35, 125, 26, 58, 75, 26, 60, 76, 45, 123,
  82, 109, 118, 110, 97,
];

/** An hour of samples of one thing. */
const hourOf = (quantity: Quantity, valueAt: (share: number) => number): Sample[] =>
  Array.from({ length: 120 }, (_, index) => ({
    atMs: ((index + 1) / 120) * HOUR_MS,
    readings: [{ of: 'worker', quantity, value: valueAt((index + 1) / 120) }],
  }));

const violationsOf = (quantity: Quantity, valueAt: (share: number) => number): string[] =>
  judgeGrowth(hourOf(quantity, valueAt), HOUR_MS).violations;

test('what goes up and down, with the load or while it warms up, has not grown', () => {
  const random = createRandom(1);
  const warming = (share: number): number => Math.min(1, share / 0.2);
  expect(violationsOf('heap', (share) => (40 * warming(share) + 8 * random.next()) * MIB)).toEqual([]);
  expect(violationsOf('resident', (share) => (180 * warming(share) + 40 * random.next()) * MIB)).toEqual([]);
  expect(violationsOf('descriptors', (share) => READ[Math.floor(share * 31)] ?? 0)).toEqual([]);
  expect(violationsOf('keys', (share) => 9_000 * warming(share) + random.below(1_500))).toEqual([]);
});

test('a kibibyte, a socket, a timer or a key for every so many jobs is growth, and is said in figures', () => {
  const random = createRandom(2);
  const jobs = (share: number): number => 18_000 * share;
  expect(violationsOf('heap', (share) => 40 * MIB + 8 * random.next() * MIB + 1_024 * jobs(share))).toEqual([
    expect.stringMatching(/^worker grew: heap 4\d\.\d\d MiB → 5\d\.\d\d MiB$/),
  ]);
  expect(violationsOf('descriptors', (share) => 40 + random.below(60) + jobs(share) / 200)).toHaveLength(1);
  expect(violationsOf('timers', (share) => 20 + random.below(60) + jobs(share) / 50)).toHaveLength(1);
  expect(violationsOf('keys', (share) => 3_000 + random.below(500) + jobs(share) / 5)).toHaveLength(1);
  expect(violationsOf('keys a job', (share) => 1 + share)).toHaveLength(1);
});

test('what appears late has grown from nothing', () => {
  const late = hourOf('keys', () => 5).map(({ atMs, readings }) => ({
    atMs,
    readings: atMs < HOUR_MS / 2 ? [] : [{ of: 'Redis forgotten', quantity: 'keys' as const, value: 500 }, ...readings],
  }));
  expect(judgeGrowth(late, HOUR_MS).violations).toEqual(['Redis forgotten grew: keys 0 → 500']);
});

test('too few samples are no proof', () => {
  expect(judgeGrowth(hourOf('heap', () => MIB).slice(0, 40), HOUR_MS).violations).toEqual([
    'growth cannot be judged by 11 early and 0 late samples',
  ]);
});
