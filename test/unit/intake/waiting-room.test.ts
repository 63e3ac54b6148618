import { expect, test } from 'vitest';
import { createWaitingRoom, type Wait } from '../../../api/intake/waiting-room.ts';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { until } from '../../support/until.ts';

// Ids in the form that the types stand for.
const job = 'job_1' as JobId;
const acme = 'acme' as TenantId;
const beta = 'beta' as TenantId;

const waiting = (wait: Partial<Wait<string>> = {}): Wait<string> => ({
  tenant: acme,
  gone: new AbortController().signal,
  heeds: (status) => status === 'completed',
  read: async () => 'queued',
  isDone: (state) => state === 'completed',
  ...wait,
});

const createRoom = () => {
  let tell: (message: string) => void = () => {};
  const room = createWaitingRoom({
    id: 'api',
    maxWaitMs: 60_000,
    subscribe: (onMessage) => {
      tell = onMessage;
    },
  });
  return { room, tell: (message: string) => tell(message) };
};

test('who waits is woken by the final state, and by no other where only that matters', async () => {
  const { room, tell } = createRoom();
  let reads = 0;
  const answer = room.wait(job, 10_000, waiting({ read: async () => (++reads === 1 ? 'queued' : 'completed') }));
  await until('the first read is over', () => reads === 1);
  tell(`${job} in_progress`);
  await new Promise(setImmediate);
  expect(reads).toBe(1);
  tell(`${job} completed`);
  expect(await answer).toEqual({ state: 'completed', waitedMs: expect.any(Number) });
});

test('news that overtakes the first read is not lost', async () => {
  const { room, tell } = createRoom();
  let reads = 0;
  const startMs = performance.now();
  await room.wait(
    job,
    10_000,
    waiting({
      read: async () => {
        reads += 1;
        if (reads > 1) return 'completed';
        tell(`${job} completed`);
        return 'queued';
      },
    }),
  );
  expect(performance.now() - startMs).toBeLessThan(500);
});

test('a client that hangs up holds no seat and causes no further read', async () => {
  const { room } = createRoom();
  const client = new AbortController();
  let reads = 0;
  const answer = room.wait(
    job,
    60_000,
    waiting({
      gone: client.signal,
      read: async () => {
        reads += 1;
        return 'queued';
      },
    }),
  );
  await until('the first read is over', () => reads === 1);
  client.abort();
  await answer;
  expect(reads).toBeLessThanOrEqual(2);
});

test('one tenant takes no more than its part of the seats, and a seat that is left is free again', async () => {
  const { room } = createRoom();
  const client = new AbortController();
  const waits = Array.from({ length: 4_000 }, () => room.wait(job, 60_000, waiting({ gone: client.signal })));
  await new Promise(setImmediate);
  expect(await room.wait(job, 60_000, waiting())).toEqual({ state: 'queued', waitedMs: 0 });
  expect(await room.wait(job, 1, waiting({ tenant: beta }))).toEqual({ state: 'queued', waitedMs: 1 });
  client.abort();
  await Promise.all(waits);
  expect(await room.wait(job, 1, waiting())).toEqual({ state: 'queued', waitedMs: 1 });
});
