import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JobId } from '../../../shared/domain/ids.ts';
import { createRunningJobs } from '../../../worker/attempts/running-jobs.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const start = () => {
  const lost = new AbortController();
  return { lost, ...createRunningJobs().start('job_1' as JobId, lost.signal) };
};

test('a call whose lock is lost has a second in which an answer that is already there can be read', () => {
  const { lost, signal, end } = start();
  lost.abort();
  vi.advanceTimersByTime(999);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.reason).toBe('lost');
  end();
});

test('a call that ends in that second leaves no timer behind', () => {
  const { lost, signal, end } = start();
  lost.abort();
  end();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(10_000);
  expect(signal.aborted).toBe(false);
});
