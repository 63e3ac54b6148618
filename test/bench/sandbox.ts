/** The providers' stand-in in a process of its own, with the times of the calls that it got. */
import { createSandbox, type Sandbox } from '../../local/sandbox/server.ts';
import { clockMs } from './clock.ts';
import { serveParent } from './remote.ts';
import { numberIn } from './request.ts';

// The record's times shall be finer than a millisecond.
Date.now = clockMs;

let sandbox: Sandbox | null = null;

const calls = {
  listen: async ({ record }: { record: boolean }): Promise<Sandbox['providerUrls']> => {
    sandbox = await createSandbox({
      delayMs: 0,
      acceptAnyKey: true,
      record: record ? { limit: 100_000, keys: 'clear' } : null,
    });
    return sandbox.providerUrls;
  },
  /** When each recorded call began, oldest first, by the number of its request. */
  starts: (): [number: number, atMs: number][] =>
    (sandbox?.calls ?? []).map(({ body, startedAt }) => [numberIn(body), startedAt]),
  /** The same of when each was over. */
  ends: (): [number: number, atMs: number][] =>
    (sandbox?.calls ?? []).flatMap(({ body, finishedAt }) =>
      finishedAt === null ? [] : [[numberIn(body), finishedAt]],
    ),
};

export type SandboxCalls = typeof calls;
serveParent(calls);
