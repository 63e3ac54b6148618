import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { KEYS, OPENAI_KEY, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);
const MAX_ATTEMPTS = 3;

/** [what the provider does, outcome of the attempt, code of the failed job, seconds that a call may take] */
const RETRYABLE = [
  ['status=500', 'unavailable', 'provider_unavailable', 60],
  ['status=503', 'unavailable', 'provider_unavailable', 60],
  ['status=529', 'unavailable', 'provider_unavailable', 60],
  ['status=409', 'unavailable', 'provider_unavailable', 60],
  ['fail=reset', 'unavailable', 'provider_unavailable', 60],
  ['status=408', 'timed_out', 'provider_timeout', 60],
  ['fail=hang', 'timed_out', 'provider_timeout', 1],
  ['fail=stall', 'timed_out', 'provider_timeout', 1],
  ['fail=cut', 'unavailable', 'provider_bad_response', 60],
  ['fail=html', 'unavailable', 'provider_bad_response', 60],
  ['fail=bad-json', 'unavailable', 'provider_bad_response', 60],
  ['fail=empty', 'unavailable', 'provider_bad_response', 60],
] as const;

const FINAL_AT_ONCE = [
  ['status=400', 'provider_rejected_request'],
  ['status=401', 'user_key_rejected'],
  ['status=403', 'user_key_rejected'],
  ['status=422', 'provider_rejected_request'],
  ['fail=quota', 'user_key_quota_exhausted'],
] as const;

const outcomes = (job: Job): unknown[] => job.attempts.map(({ outcome }) => outcome);
const onOwnKey = (model: string, ownKey = OPENAI_KEY) => ({ headers: userKey(ownKey), fields: { model } });

describe('a job whose call did not succeed', () => {
  let gateway: TestGateway;
  let redis: Redis;
  beforeAll(async () => {
    gateway = await startGateway({
      env: { MAX_ATTEMPTS: String(MAX_ATTEMPTS) },
      sandbox: { record: { limit: 5_000, keys: 'clear' } },
    });
    redis = new Redis(gateway.redis.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await gateway.stop();
  });

  test.concurrent.each(RETRYABLE)(
    '%s: waits in back-off, runs again and completes',
    async (fault, outcome, _, timeout) => {
      const job = await gateway.submit(`back off from it sandbox:${fault} times=1`, {
        ...onOwnKey(`retry-${fault}`.replace('=', '-')),
        fields: { model: `retry-${fault}`.replace('=', '-'), timeout_seconds: timeout },
      });
      const waiting = await until('it waits to be retried', async () => {
        const seen = await gateway.read(job.id);
        return seen.queue?.wait_reason === 'retry_backoff' && seen;
      });
      expect(waiting).toMatchObject({ status: 'queued', attempts: [{ number: 1, outcome }], error: null });
      const done = await gateway.finished(job.id);
      expect(done).toMatchObject({ status: 'completed', error: null });
      expect(outcomes(done)).toEqual([outcome, 'completed']);
      const [first, second] = done.attempts.map(({ started_at, finished_at }) =>
        [started_at, finished_at].map(parseTime),
      );
      // Half of the first back-off is the least that jitter leaves of it.
      expect((second?.[0] ?? 0) - (first?.[1] ?? 0)).toBeGreaterThanOrEqual(500);
    },
  );

  test.concurrent.each(RETRYABLE)(
    '%s each time: fails after MAX_ATTEMPTS with its code',
    async (fault, outcome, code, timeout) => {
      const job = await gateway.submit(`never mends sandbox:${fault}`, {
        headers: userKey(),
        fields: { model: `hopeless-${fault}`.replace('=', '-'), timeout_seconds: timeout },
      });
      const done = await gateway.finished(job.id);
      expect(done).toMatchObject({ status: 'failed', error: { code, retryable: true }, result: null, usage: null });
      expect(outcomes(done)).toEqual(Array.from({ length: MAX_ATTEMPTS }, () => outcome));
    },
  );

  test.concurrent.each(FINAL_AT_ONCE)('%s: fails at the first attempt, as %s', async (fault, code) => {
    const job = await gateway.submit(`no use sandbox:${fault}`, onOwnKey('refused'));
    const done = await gateway.finished(job.id);
    expect(done).toMatchObject({ status: 'failed', error: { code, retryable: false } });
    expect(outcomes(done)).toEqual(['rejected']);
  });

  test.concurrent('rate limits are no failures: a job outlives as many of them as MAX_ATTEMPTS, never sooner than the own back-off', async () => {
    const times = MAX_ATTEMPTS;
    const job = await gateway.submit(`patient sandbox:status=429 retry-after=0 times=${times}`, onOwnKey('patient'));
    const done = await gateway.finished(job.id);
    expect(done.status).toBe('completed');
    expect(outcomes(done)).toEqual([...Array.from({ length: times }, () => 'throttled'), 'completed']);
    expect(await redis.hget(key(TAG, 'JOB', job.id), 'failures')).toBeNull();
    const starts = gateway.callsWith('patient sandbox').map(({ startedAt }) => startedAt);
    for (const [index, start] of starts.slice(1).entries()) {
      expect(start - (starts[index] ?? 0)).toBeGreaterThanOrEqual(500 * 2 ** index);
    }
  });

  test.concurrent('a rate limit that lasts is bounded by the deadline, with few calls', async () => {
    const job = await gateway.submit('to the end sandbox:status=429 retry-after=0', {
      headers: userKey(),
      fields: { model: 'limited-for-ever', deadline_seconds: 5 },
    });
    const done = await gateway.finished(job.id);
    // Which of the two depends on whether its next turn came before the deadline.
    expect(['provider_rate_limited', 'deadline_exceeded']).toContain(done.error?.code);
    expect(done.attempts.length).toBeGreaterThan(1);
    expect(done.attempts.length).toBeLessThanOrEqual(4);
    expect(new Set(outcomes(done))).toEqual(new Set(['throttled']));
  });

  test.concurrent('a Retry-After past the deadline fails the job at once, and parks the lane for the others all the same', async () => {
    const model = 'limited-for-long';
    const hurried = await gateway.submit('in a hurry sandbox:status=429 retry-after=600', {
      headers: userKey(),
      fields: { model, deadline_seconds: 60 },
    });
    const failed = await gateway.finished(hurried.id);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'provider_rate_limited', provider_status: 429 } });
    expect(outcomes(failed)).toEqual(['throttled']);

    const patient = await gateway.submit('has all the time', { headers: userKey(), fields: { model } });
    expect(patient.queue?.wait_reason).toBe('provider_rate_limited');
    expect((await gateway.call('POST', `/v1/jobs/${patient.id}/cancel`)).status).toBe(200);
    expect(gateway.callsWith('has all the time')).toEqual([]);
  });

  test.concurrent('on a user’s key, Retry-After parks that key and model of that tenant and nothing else', async () => {
    const model = 'parked-model';
    const limited = await gateway.submit('lane limited sandbox:status=429 retry-after=4 times=1', onOwnKey(model));
    await until('the provider has limited the lane', async () => (await gateway.read(limited.id)).attempts[0]?.outcome);
    const behind = await gateway.submit('same lane, behind it', onOwnKey(model));
    expect(behind.queue?.wait_reason).toBe('provider_rate_limited');

    const others = [
      await gateway.submit('beside it: another model', onOwnKey('other-model')),
      await gateway.submit('beside it: another user', onOwnKey(model, 'sk-proj-another00000000000')),
      await gateway.submit('beside it: another tenant', { ...onOwnKey(model), key: KEYS.beta }),
    ];
    const done = await Promise.all([
      ...others.slice(0, 2).map(({ id }) => gateway.finished(id)),
      gateway.finished(others[2]?.id ?? '', { key: KEYS.beta }),
    ]);
    expect(done.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
    const parked = await Promise.all([gateway.read(limited.id), gateway.read(behind.id)]);
    expect(parked.map(({ status, queue }) => [status, queue?.wait_reason])).toEqual([
      ['queued', 'provider_rate_limited'],
      ['queued', 'provider_rate_limited'],
    ]);

    const late = await Promise.all([gateway.finished(limited.id), gateway.finished(behind.id)]);
    expect(late.map(outcomes)).toEqual([['throttled', 'completed'], ['completed']]);
    const [first, ...later] = [...gateway.callsWith('lane limited'), ...gateway.callsWith('same lane, behind')];
    for (const { startedAt } of later) expect(startedAt - (first?.finishedAt ?? 0)).toBeGreaterThanOrEqual(3_990);
  });

  test.concurrent('on the platform’s account, a rate limit parks the model for every tenant, and no other model', async () => {
    const model = 'amazon.nova-pro-v1:0';
    const limited = await gateway.submit('platform limited sandbox:status=429 retry-after=4 times=1', {
      fields: { model },
    });
    await until(
      'the provider has limited the model',
      async () => (await gateway.read(limited.id)).attempts[0]?.outcome,
    );
    const beta = { key: KEYS.beta };
    const behind = await gateway.submit('behind the platform’s limit', { ...beta, fields: { model } });
    expect(behind.queue?.wait_reason).toBe('provider_rate_limited');
    const beside = await gateway.submit('beside the platform’s limit', beta);
    expect((await gateway.finished(beside.id, beta)).status).toBe('completed');
    expect((await gateway.read(behind.id, beta)).queue?.wait_reason).toBe('provider_rate_limited');

    expect(outcomes(await gateway.finished(limited.id))).toEqual(['throttled', 'completed']);
    expect(outcomes(await gateway.finished(behind.id, beta))).toEqual(['completed']);
    const [first, ...later] = [...gateway.callsWith('platform limited'), ...gateway.callsWith('behind the platform')];
    for (const { startedAt } of later) expect(startedAt - (first?.finishedAt ?? 0)).toBeGreaterThanOrEqual(3_990);
  });

  test.concurrent('many calls that meet one limit halve the upstream’s cap once; each success gives one back', async () => {
    const calls = 8;
    const own = onOwnKey('congested');
    const jobs = await Promise.all(
      Array.from({ length: calls }, (_, index) =>
        gateway.submit(`congested ${index} sandbox:status=429 retry-after=2 delay=1000 times=1`, own),
      ),
    );
    const lane = (await redis.hget(key(TAG, 'JOB', jobs[0]?.id ?? ''), 'lane')) ?? '';
    const upstream = (await redis.hget(key(TAG, 'LANE', lane), 'upstream')) ?? '';
    const limit = (): Promise<Record<string, string>> => redis.hgetall(key(TAG, 'UPSTREAM', upstream));

    await until('all of them met the limit', async () => {
      const all = await Promise.all(jobs.map(({ id }) => gateway.read(id)));
      return all.every(({ attempts }) => attempts[0]?.outcome === 'throttled');
    });
    expect(await limit()).toMatchObject({ cap: String(calls / 2), strikes: '1' });

    const done = await Promise.all(jobs.map(({ id }) => gateway.finished(id)));
    expect(done.map(({ status }) => status)).toEqual(jobs.map(() => 'completed'));
    expect(await limit()).toMatchObject({ cap: String(calls / 2 + calls), inflight: '0' });
    expect(await limit()).not.toHaveProperty('strikes');
    const second = gateway.callsWith('congested').slice(calls);
    const firstEnd = Math.min(...second.map(({ finishedAt }) => finishedAt ?? 0));
    // Only as many as the cap allows ran at once.
    expect(second.filter(({ startedAt }) => startedAt < firstEnd)).toHaveLength(calls / 2);
  });

  test('nothing is left out of place', () => expectInvariants(gateway.redis.url));
});

describe('jobs that come back to their lane', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      env: { WORKER_CONCURRENCY: '3' },
      sandbox: { record: { limit: 5_000, keys: 'clear' } },
    });
  });
  afterAll(() => gateway.stop());

  /** The texts of the calls, in the order in which they reached the provider. */
  const order = (): string[] =>
    gateway.sandbox.calls.flatMap(({ body }) => /(\w+) comes/.exec(JSON.stringify(body))?.[1] ?? []);

  test('let others of their upstream probe a limit before them, and run before all that came after them', async () => {
    // Of a tenant's jobs two are handed off at once; the limit leaves a cap of one.
    const own = onOwnKey('in-order');
    const texts = [
      'first comes sandbox:status=429 retry-after=1 delay=900 times=1',
      'second comes sandbox:status=429 retry-after=1 delay=500 times=1',
      'third comes sandbox:delay=4000',
      'fourth comes sandbox:delay=4000',
      'fifth comes',
    ];
    const jobs = [];
    for (const text of texts) jobs.push(await gateway.submit(text, own));
    await Promise.all(jobs.map(({ id }) => gateway.finished(id)));
    const [, , probe, ...more] = order();
    expect(probe).toBe('third');
    expect(more.toSorted()).toEqual(['fifth', 'first', 'fourth', 'second']);
    expect(more.at(-1)).toBe('fifth');
    await expectInvariants(gateway.redis.url);
  });
});

const parseTime = (time: string | null | undefined): number => Date.parse(time ?? '');
