import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TenantId } from '../../shared/ids.ts';
import type { NewJob } from '../../shared/stores/job-store.ts';
import { createEngine, type Engine, TAG } from '../support/engine.ts';
import { findViolations } from '../support/invariants.ts';
import type { TestRedis } from '../support/redis.ts';
import { startSharedRedis } from '../support/shared-redis.ts';

let server: TestRedis;
let engine: Engine;
beforeAll(async () => {
  server = await startSharedRedis();
  engine = createEngine(server.url);
});
afterAll(async () => {
  engine.stop();
  await server.stop();
});
beforeEach(async () => {
  await engine.redis.flushdb();
  engine.handoffs.length = 0;
});

const withLimits = (limits: Partial<NewJob['limits']>): Partial<NewJob> => ({
  limits: { requests_per_minute: 1_000_000, max_queued: 1_000_000, ...limits },
});
/** Lets a tenant's bucket leak for so long. */
const passed = async (ms: number): Promise<void> => {
  await engine.redis.hincrby(`${TAG}:tenant:acme`, 'requests_at', -ms);
};

describe('requests per minute', () => {
  // Odd numbers: what leaks in a millisecond is no round part of a request.
  test.each([1, 7, 13])('%i are accepted at once and not one more', async (limit) => {
    const job = withLimits({ requests_per_minute: limit });
    for (let count = 1; count <= limit; count++) {
      const { kind, rate } = await engine.offer('acme', job);
      expect(kind).toBe('accepted');
      // Time goes on meanwhile, and gives at most what it says.
      expect(rate.remaining).toBeGreaterThanOrEqual(limit - count);
      expect(rate.remaining).toBeLessThanOrEqual(limit - count + 1);
    }
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'rate_limited' });
  });

  test('a refusal says when the next one is accepted, to the millisecond, and costs nothing', async () => {
    const job = withLimits({ requests_per_minute: 7 });
    for (let count = 0; count < 7; count++) await engine.offer('acme', job);
    for (let count = 0; count < 20; count++) await engine.offer('acme', job);
    const refused = await engine.offer('acme', job);
    if (refused.kind !== 'rate_limited') throw new Error(refused.kind);
    expect(refused.waitMs).toBeGreaterThan(60_000 / 7 - 2_000);
    expect(refused.waitMs).toBeLessThanOrEqual(Math.ceil(60_000 / 7));
    expect(refused.rate.remaining).toBe(0);
    expect(refused.rate.resetMs).toBeGreaterThan(58_000);
    expect(refused.rate.resetMs).toBeLessThanOrEqual(60_000);
    await passed(refused.waitMs);
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'accepted' });
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'rate_limited' });
  });

  test('a minute of rest gives all of them back, an hour no more', async () => {
    const job = withLimits({ requests_per_minute: 3 });
    for (const rest of [0, 60_000, 3_600_000]) {
      await passed(rest);
      for (let count = 0; count < 3; count++) await engine.submit('acme', job);
      expect(await engine.offer('acme', job)).toMatchObject({ kind: 'rate_limited' });
    }
  });

  test('one tenant’s requests are not another’s', async () => {
    const job = withLimits({ requests_per_minute: 1 });
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'accepted' });
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'rate_limited' });
    expect(await engine.offer('beta', job)).toMatchObject({ kind: 'accepted' });
  });

  test('a repeated request is answered again and not counted again', async () => {
    const job = withLimits({ requests_per_minute: 1 });
    const idempotency = { key: 'k', route: 'r', requests: ['same'] as [string] };
    const first = await engine.offer('acme', { ...job, idempotency });
    for (let count = 0; count < 3; count++) {
      const again = await engine.offer('acme', { ...job, idempotency });
      expect(again).toMatchObject({ kind: 'replayed', view: { id: first.id }, rate: { remaining: 0 } });
    }
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'rate_limited' });
  });
});

describe('waiting jobs', () => {
  test('one more than may wait is refused, whatever the job before it came to', async () => {
    const job = withLimits({ max_queued: 2 });
    const first = await engine.submit('acme', job);
    await engine.submit('acme', job);
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'too_many_queued' });

    await engine.jobs.cancel('acme' as TenantId, first);
    await engine.submit('acme', job);
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'too_many_queued' });

    // A job at a worker does not wait; one that comes back does.
    await engine.scheduler.heartbeat(0, 'worker', 1);
    await engine.tick();
    const running = await engine.start();
    await engine.submit('acme', { ...job, deadlineMs: Date.now() + 1 });
    while (engine.handoffs.length > 0) await engine.start();
    if (running) await engine.end(running, { outcome: 'unavailable', next: { kind: 'retry', waitMs: 60_000 } });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('a refusal for want of room does not count as a request', async () => {
    const job = withLimits({ max_queued: 1, requests_per_minute: 2 });
    await engine.submit('acme', job);
    for (let count = 0; count < 5; count++) {
      expect(await engine.offer('acme', job)).toMatchObject({ kind: 'too_many_queued', rate: { remaining: 1 } });
    }
  });

  test('the lines of batches are counted apart', async () => {
    const job = withLimits({ max_queued: 1 });
    await engine.submit('acme', { ...job, class: 'batch' });
    expect(await engine.offer('acme', { ...job, class: 'batch' })).toMatchObject({ kind: 'too_many_queued' });
    await engine.submit('acme', job);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });
});
