import { beforeEach, describe, expect, test } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import type { NewJob } from '../../../shared/storage/jobs/accept-job.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Engine, TAG } from '../../support/redis/engine.ts';
import { AMPLE_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();

const withLimits = (limits: Partial<NewJob['limits']>): Partial<NewJob> => ({
  limits: { ...AMPLE_LIMITS, ...limits },
});
/** Lets a tenant's bucket leak for so long. */
const passed = async (ms: number): Promise<void> => {
  await engine.redis.hincrby(key(TAG, 'TENANT', 'acme'), 'requests_at', -ms);
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

const own = (limit: 'max_in_flight' | 'tokens_per_minute', value: number | string, tenant = 'acme') =>
  engine.redis.hset(key(TAG, 'TENANT', tenant), limit, value);
const submitMany = (tenant: string, count: number, job?: Parameters<Engine['submit']>[1]) =>
  Promise.all(Array.from({ length: count }, () => engine.submit(tenant, job)));
const reasonOf = async (id: JobId, tenant = 'acme') =>
  (await engine.jobs.read(tenant as TenantId, id, { watcher: null }))?.queue?.reason;
/** The time has come to look again at tenants that were held back. */
const lookAgain = async (): Promise<void> => {
  for (const tenant of await engine.redis.zrange(key(TAG, 'CAPPED'), '0', '-1')) {
    await engine.redis.zadd(key(TAG, 'CAPPED'), 0, tenant);
  }
  await engine.tick();
};

describe('calls in flight', () => {
  test('no more than the limit are handed off, the next one follows the end of one, and nobody else waits', async () => {
    await engine.setSlots(40);
    await own('max_in_flight', 3);
    const ids = await submitMany('acme', 10);
    await submitMany('beta', 10);
    await engine.tick();
    const running = await engine.startAll();
    expect(running.filter(({ claim }) => claim.tenant === 'acme')).toHaveLength(3);
    expect(running.filter(({ claim }) => claim.tenant === 'beta')).toHaveLength(10);
    expect(await reasonOf(ids[9] as JobId)).toBe('concurrency_limit');
    expect(await findViolations(engine.redis, TAG)).toEqual([]);

    let first = running.find(({ claim }) => claim.tenant === 'acme');
    for (let left = 7; left > 0; left--) {
      if (first) await engine.end(first);
      const next = await engine.startAll();
      expect(next).toHaveLength(1);
      [first] = next;
    }
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('a tenant without a limit of its own has the configured one, and a change holds at the next look', async () => {
    await engine.setSlots(40);
    await engine.redis.hset(key(TAG, 'SCHEDULER'), 'max_in_flight', 2);
    await own('max_in_flight', 5, 'beta');
    await submitMany('acme', 10);
    await submitMany('beta', 10);
    await engine.tick();
    expect((await engine.startAll()).map(({ claim }) => claim.tenant).toSorted()).toEqual([
      ...Array<string>(2).fill('acme'),
      ...Array<string>(5).fill('beta'),
    ]);
    await own('max_in_flight', 6, 'beta');
    await own('max_in_flight', '');
    await lookAgain();
    expect(await engine.startAll()).toHaveLength(1);
  });

  test('a lane that its tenant’s limit holds back does not keep another tenant from a slot of their provider account', async () => {
    await engine.setSlots(40);
    await own('max_in_flight', 1);
    // Both wait for the one call that the account may make at a time; acme came first.
    const [busy] = await submitMany('gamma', 1, { model: 'shared' });
    const [elsewhere] = await submitMany('acme', 1, { model: 'other' });
    const running = await engine.startAll();
    const upstream = await engine.redis.hget(
      key(TAG, 'LANE', (await engine.redis.hget(key(TAG, 'JOB', busy as JobId), 'lane')) ?? ''),
      'upstream',
    );
    await engine.redis.hset(key(TAG, 'UPSTREAM', upstream ?? ''), 'cap', 1);
    await own('max_in_flight', 2);
    await submitMany('acme', 1, { model: 'shared' });
    await submitMany('beta', 1, { model: 'shared' });
    await own('max_in_flight', 1);
    const gamma = running.find(({ id }) => id === busy);
    if (gamma) await engine.end(gamma, { outcome: 'rejected', next: FAILED });
    expect((await engine.startAll()).map(({ claim }) => claim.tenant)).toEqual(['beta']);
    expect(running.map(({ id }) => id)).toContain(elsewhere);
  });
});

const FAILED = { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null } as const;

describe('tokens per minute', () => {
  /** Lets a tenant's bucket of tokens leak for so long. */
  const rest = async (ms: number): Promise<void> => {
    await engine.redis.hincrby(key(TAG, 'TENANT', 'acme'), 'tokens_at', -ms);
    await lookAgain();
  };
  const report = (tokens: number) => ({
    usage: { inputTokens: tokens, outputTokens: 0, cachedInputTokens: 0, costNano: 0, priceVersion: 'test' },
  });
  beforeEach(async () => {
    await engine.setSlots(40);
    await own('tokens_per_minute', 1_000);
  });

  test('jobs are handed off while their tokens fit; the others wait, and nobody else does', async () => {
    const ids = await submitMany('acme', 6, { tokens: 300 });
    await submitMany('beta', 6, { tokens: 300 });
    await engine.tick();
    const running = await engine.startAll();
    expect(running.filter(({ claim }) => claim.tenant === 'acme')).toHaveLength(3);
    expect(running.filter(({ claim }) => claim.tenant === 'beta')).toHaveLength(6);
    expect(await reasonOf(ids[5] as JobId)).toBe('token_limit');
    const place = await engine.jobs.read('acme' as TenantId, ids[3] as JobId, { watcher: null });
    expect(place?.queue).toEqual({ reason: 'token_limit', position: 1 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
    // 200 are missing; 12 seconds bring them.
    await rest(11_000);
    expect(await engine.startAll()).toHaveLength(0);
    await rest(1_000);
    expect(await engine.startAll()).toHaveLength(1);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('what a call used takes the place of what it might have', async () => {
    await submitMany('acme', 10, { tokens: 500 });
    const [first, second] = await engine.startAll();
    // 500 + 500; then 10 + 500, and the next one does not fit; then 10 + 10 + 500.
    if (first) await engine.end(first, report(10));
    expect(await engine.startAll()).toHaveLength(0);
    if (second) await engine.end(second, report(10));
    const next = await engine.startAll();
    expect(next).toHaveLength(1);
    // More than was thought: 10 + 10 + 2,000 leave nothing for a minute.
    if (next[0]) await engine.end(next[0], report(2_000));
    await rest(60_000);
    expect(await engine.startAll()).toHaveLength(0);
    await rest(32_000);
    expect(await engine.startAll()).toHaveLength(1);
  });

  test('a job larger than the bucket runs when it is full, and takes it below zero', async () => {
    const [small] = await submitMany('acme', 1, { tokens: 500 });
    const [large] = await submitMany('acme', 1, { tokens: 5_000 });
    await submitMany('acme', 1, { tokens: 1 });
    expect((await engine.startAll()).map(({ id }) => id)).toEqual([small]);
    await rest(30_000);
    expect((await engine.startAll()).map(({ id }) => id)).toEqual([large]);
    await rest(4 * 60_000);
    expect(await engine.startAll()).toHaveLength(0);
    await rest(100);
    expect(await engine.startAll()).toHaveLength(1);
  });

  test('smaller jobs of other lanes and classes do not overtake one that waits for tokens', async () => {
    await submitMany('acme', 1, { tokens: 600 });
    const [large] = await submitMany('acme', 1, { tokens: 900 });
    await submitMany('acme', 3, { tokens: 10, model: 'model-b' });
    await submitMany('acme', 3, { tokens: 10, class: 'batch' });
    expect(await engine.startAll()).toHaveLength(1);
    for (let looks = 0; looks < 10; looks++) await rest(1);
    expect(await engine.startAll()).toHaveLength(0);
    await rest(30_000);
    expect((await engine.startAll())[0]?.id).toBe(large);
  });

  test.each([
    ['gives back', 'unavailable', { kind: 'retry', waitMs: 60_000 }, 2],
    ['gives back', 'rejected', FAILED, 2],
    ['keeps', 'unknown', { kind: 'retry', waitMs: 60_000 }, 0],
  ] as const)('a call that reports nothing %s its tokens where it was %s', async (_, outcome, next, starts) => {
    await submitMany('acme', 6, { tokens: 500 });
    for (const running of await engine.startAll()) await engine.end(running, { outcome, usage: null, next });
    expect(await engine.startAll()).toHaveLength(starts);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('a limit that is lifted holds nobody back from the next look on', async () => {
    await submitMany('acme', 6, { tokens: 50_000 });
    expect(await engine.startAll()).toHaveLength(1);
    await own('tokens_per_minute', '');
    await lookAgain();
    expect(await engine.startAll()).toHaveLength(5);
  });
});
