import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);
const EXPIRED = { status: 'expired', error: { code: 'deadline_exceeded', retryable: true }, result: null } as const;

let gateway: TestGateway;
let redis: Redis;
const setUp = (options: Parameters<typeof useGateway>[0]): void =>
  useGateway(options, (opened) => {
    ({ gateway, redis } = opened);
  });

const outcomes = (job: Job): unknown[] => job.attempts.map(({ outcome }) => outcome);

const deadlineOf = (job: Job): number => Date.parse(job.deadline_at);
const passed = (job: Job): Promise<boolean> => until('the deadline has passed', () => Date.now() > deadlineOf(job));

const isCalled = (text: string): Promise<boolean> =>
  until('the provider is asked', () => gateway.callsWith(text).length > 0);

describe('a job whose deadline passes', () => {
  setUp({ workers: 0 });

  test('while it waits: expires as soon as a worker is there, was never sent, and its sealed key is gone', async () => {
    const own = { headers: userKey(), fields: { model: 'gpt-4o', deadline_seconds: 1 } };
    const jobs = [
      await gateway.submit('too late, on the platform', { fields: { deadline_seconds: 1 } }),
      await gateway.submit('too late, on a user’s key', own),
    ];
    const [, onUserKey] = jobs;
    const sealed = key(TAG, 'SEALED', onUserKey?.id ?? '');
    expect(await redis.pexpiretime(sealed)).toBe(deadlineOf(onUserKey as Job) + 60_000);
    await Promise.all(jobs.map(passed));

    const worker = await gateway.addWorker();
    for (const { id } of jobs) expect(await gateway.finished(id)).toMatchObject({ ...EXPIRED, attempts: [] });
    await worker.stop();
    expect(await redis.exists(sealed)).toBe(0);
    expect(gateway.callsWith('too late')).toEqual([]);
  });

  test('while it runs: the call is aborted at the deadline, and the job expires, each of 25 times', async () => {
    const worker = await gateway.addWorker();
    const jobs = await Promise.all(
      Array.from({ length: 25 }, (_, index) =>
        gateway.submit(`runs too long ${index}. sandbox:delay=60000`, { fields: { deadline_seconds: 1 } }),
      ),
    );
    for (const [index, { id }] of jobs.entries()) {
      const done = await gateway.finished(id);
      expect(done).toMatchObject({ ...EXPIRED, attempts: [{ outcome: 'timed_out' }] });
      // The provider may see the hang-up a moment later than we the job's end.
      const { finishedAt } = await until('the provider sees the hang-up', () =>
        gateway.callsWith(`runs too long ${index}.`).find(({ aborted }) => aborted),
      );
      expect((finishedAt ?? Number.POSITIVE_INFINITY) - deadlineOf(done)).toBeLessThan(1_000);
    }
    await worker.stop();
  });

  test('while its worker is dead: expires with an attempt that nobody knows the end of', async () => {
    const worker = await gateway.addWorker();
    const job = await gateway.submit('its worker dies sandbox:delay=60000', { fields: { deadline_seconds: 2 } });
    await isCalled('its worker dies');
    worker.signal('SIGKILL');
    const next = await gateway.addWorker();
    const done = await gateway.finished(job.id);
    expect(done).toMatchObject(EXPIRED);
    expect(outcomes(done)).toEqual(['unknown']);
    expect(Date.parse(done.finished_at ?? '') - deadlineOf(done)).toBeLessThan(5_000);
    expect(gateway.callsWith('its worker dies')).toHaveLength(1);
    await next.stop();
  });

  test('in back-off: expires without another call', async () => {
    const worker = await gateway.addWorker();
    const job = await gateway.submit('no time to retry sandbox:status=500', { fields: { deadline_seconds: 3 } });
    await until('it is in back-off', async () => (await gateway.read(job.id)).queue?.wait_reason === 'retry_backoff');
    await worker.stop();
    expect((await gateway.read(job.id)).status).toBe('queued');
    await passed(job);
    await gateway.addWorker();
    const done = await gateway.finished(job.id);
    expect(done).toMatchObject(EXPIRED);
    expect(outcomes(done)).toEqual(['unavailable']);
    expect(await redis.zscore(key(TAG, 'DELAYED'), job.id)).toBeNull();
    expect(gateway.callsWith('no time to retry')).toHaveLength(1);
  });

  test('nothing is left out of place', () => expectInvariants(gateway.redis.url));
});

describe('when a job’s retention has ended', () => {
  setUp({ env: { RESULT_TTL_SECONDS: '1' } });

  test('it answers 410, the list leaves it out, and Redis holds nothing of it but its audit rows; an id of nobody’s answers 404', async () => {
    const job = await gateway.submit('soon forgotten');
    const done = await gateway.finished(job.id);
    expect(done.status).toBe('completed');
    expect(Date.parse(done.retained_until ?? '') - Date.parse(done.finished_at ?? '')).toBe(1_000);
    const { status, body } = await until('it is forgotten', async () => {
      const answer = await gateway.call('GET', `/v1/jobs/${job.id}`);
      return answer.status !== 200 && answer;
    });
    expect({ status, body }).toMatchObject({ status: 410, body: { error: { code: 'result_expired' } } });
    for (const [method, path] of [
      ['POST', `/v1/jobs/${job.id}/cancel`],
      ['DELETE', `/v1/jobs/${job.id}`],
      ['GET', `/v1/jobs/${job.id}?wait=5`],
    ] as const) {
      expect((await gateway.call(method, path)).status).toBe(410);
    }
    expect(await gateway.call('GET', '/v1/jobs')).toMatchObject({ body: { data: [], has_more: false } });
    // BullMQ's stream of events forgets ids as others come.
    const left = [key(TAG, 'AUDIT'), key(TAG, 'COMPLETIONS', 'events')];
    await until('no other key holds its id', async () =>
      (await keysHolding(redis, job.id)).every((holding) => left.includes(holding)),
    );

    const lastLetter = job.id.endsWith('0') ? '1' : '0';
    const forged = `${job.id.slice(0, -1)}${lastLetter}`;
    expect(await gateway.call('GET', `/v1/jobs/${forged}`)).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    });
    expect(await gateway.call('GET', '/v1/usage')).toMatchObject({ body: { totals: { requests: 1, completed: 1 } } });
    await expectInvariants(gateway.redis.url, { allRecordsStored: false });
  });
});
