/** The providers' stand-in in a process of its own, with the times of the calls that it got. */
import type { SandboxCall } from '../../../sandbox/call-record.ts';
import { createSandbox, type Sandbox } from '../../../sandbox/server.ts';
import { clockMs } from '../figures/clock.ts';
import { serveParent } from './remote.ts';
import { numberIn } from './request.ts';

// The record's times shall be finer than a millisecond.
Date.now = clockMs;

let sandbox: Sandbox | null = null;

/** Requests by their numbers; without it all. */
type Range = { first: number; count: number };

/** Of the recorded calls, in their order. Looked up once each: a measure asks while calls run, and must not hold them up. */
const numbers: number[] = [];

const callsIn = (range: Range | undefined): [number: number, call: SandboxCall][] => {
  const calls = sandbox?.calls ?? [];
  for (const { body } of calls.slice(numbers.length)) numbers.push(numberIn(body));
  return calls.flatMap((call, index): [number, SandboxCall][] => {
    const number = numbers[index] ?? Number.NaN;
    return range === undefined || (number >= range.first && number < range.first + range.count) ? [[number, call]] : [];
  });
};

const calls = {
  listen: async ({ record }: { record: boolean }): Promise<Sandbox['providerUrls']> => {
    sandbox = await createSandbox({
      delayMs: 0,
      acceptAnyKey: true,
      // None is ever forgotten: `numbers` counts with that.
      record: record ? { limit: Number.POSITIVE_INFINITY, keys: 'clear' } : null,
    });
    return sandbox.providerUrls;
  },
  /** When each recorded call began, oldest first, by the number of its request. */
  starts: (range?: Range): [number: number, atMs: number][] =>
    callsIn(range).map(([number, { startedAt }]) => [number, startedAt]),
  /** The same of when each was over. */
  ends: (range?: Range): [number: number, atMs: number][] =>
    callsIn(range).flatMap(([number, { finishedAt }]) => (finishedAt === null ? [] : [[number, finishedAt]])),
  /** Slot-seconds: how long calls of these numbers ran in all between two moments, in milliseconds. */
  held: ({ sinceMs, untilMs, ...range }: Range & { sinceMs: number; untilMs: number }): number =>
    callsIn(range).reduce((sum, [, { startedAt, finishedAt }]) => {
      const end = Math.min(finishedAt ?? untilMs, untilMs);
      return sum + Math.max(0, end - Math.max(startedAt, sinceMs));
    }, 0),
};

export type SandboxCalls = typeof calls;
serveParent(calls);
