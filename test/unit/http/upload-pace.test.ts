import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createUploadPace } from '../../../api/http/body/upload-pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('only the time in which the client is waited for counts, and what it sent makes up for it', async () => {
  const pace = createUploadPace(Date.now);
  vi.advanceTimersByTime(60_000);
  expect(pace.behindMs()).toBe(0);
  const waiting = pace.wait();
  vi.advanceTimersByTime(5_000);
  expect(pace.behindMs()).toBe(5_000);
  pace.came(64_000);
  expect(await waiting).toBe(true);
  vi.advanceTimersByTime(60_000);
  expect(pace.behindMs()).toBe(4_000);
});

test('a client that sends nothing for 30 s, or a byte now and then, has taken too long', async () => {
  const silent = createUploadPace(Date.now);
  const waiting = silent.wait();
  vi.advanceTimersByTime(30_000);
  expect(await waiting).toBe(false);

  const trickling = createUploadPace(Date.now);
  let rounds = 0;
  for (;;) {
    const next = trickling.wait();
    vi.advanceTimersByTime(1_000);
    trickling.came(1);
    if (!(await next)) break;
    rounds += 1;
  }
  expect(rounds).toBe(29);
});

test('one that gives way is not waited for any more, and is told so', async () => {
  const pace = createUploadPace(Date.now);
  const waiting = pace.wait();
  pace.giveWay();
  expect(await waiting).toBe(false);
  expect(await pace.wait()).toBe(false);
  expect(pace.hasGivenWay()).toBe(true);
});
