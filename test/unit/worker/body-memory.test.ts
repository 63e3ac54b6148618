/** Calls with long requests wait for memory in their turn, and no longer than they may run. */
import { expect, test, vi } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import type { Claim } from '../../../shared/storage/jobs/attempt-store.ts';
import { createBodyMemory } from '../../../worker/attempts/body-memory.ts';
import { jobAttempts } from '../../../worker/attempts/job-attempts.ts';
import { createRunningJobs } from '../../../worker/attempts/running-jobs.ts';

const never = new AbortController().signal;

test('who waits comes in its turn, a gone one is passed over, and what is given back twice counts once', async () => {
  const memory = createBodyMemory(10);
  const first = await memory.take(6, never);
  const gone = new AbortController();
  const large = memory.take(1_000, gone.signal);
  const small = memory.take(4, never);
  const began = vi.fn();
  void small.then(began);
  await Promise.resolve();
  expect(began).not.toHaveBeenCalled();
  gone.abort();
  expect(await large).toBeNull();
  const second = await small;
  first?.();
  first?.();
  const third = await memory.take(6, never);
  const fourth = memory.take(1, never);
  second?.();
  third?.();
  expect(await fourth).not.toBeNull();
});

test('a job whose deadline passes while its call waits for memory is expired, and not when memory comes', async () => {
  const bodyMemory = createBodyMemory(10);
  await bodyMemory.take(10, never);
  const needs = { bodyMemory, running: createRunningJobs(), now: Date.now };
  // Casts because it comes to nothing else.
  const { attempt } = jobAttempts(needs as unknown as Parameters<typeof jobAttempts>[0]);
  const claim = {
    tenant: 'acme' as TenantId,
    format: 'openai.chat',
    request: 'c1.4.1000000',
    deadlineMs: Date.now() + 50,
  };
  expect(await attempt('job_x' as JobId, claim as Claim, never)).toMatchObject({
    outcome: 'timed_out',
    billable: false,
    next: { kind: 'expired' },
  });
});
