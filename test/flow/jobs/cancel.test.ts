import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { Usage } from '../../../api/surfaces/native/usage/schema.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { KEYS, type TestApi, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);
const ABORT_LIMIT_MS = 2_000;

let gateway: TestGateway;
let redis: Redis;
const setUp = (options: Parameters<typeof useGateway>[0]): void =>
  useGateway(options, (opened) => {
    ({ gateway, redis } = opened);
  });

const cancel = async (id: string, options: { key?: string; api?: TestApi } = {}) => {
  const { status, body } = await gateway.call('POST', `/v1/jobs/${id}/cancel`, options);
  return { status, job: body as Job };
};

/** Asks for the end of a running job: 202 while its call is being aborted, 200 where that was quicker than the answer. */
const cancelRunning = async (id: string, options: { api?: TestApi } = {}): Promise<void> => {
  const { status, job } = await cancel(id, options);
  expect([
    [202, 'in_progress'],
    [200, 'cancelled'],
  ]).toContainEqual([status, job.status]);
};

const erase = (id: string, options: { key?: string } = {}) => gateway.call('DELETE', `/v1/jobs/${id}`, options);

/** Submits a long call and waits until the provider has it. */
const startLongCall = async (text: string): Promise<Job> => {
  const job = await gateway.submit(`${text} sandbox:delay=60000`);
  await until('the provider is asked', () => gateway.callsWith(text).length === 1);
  return job;
};

/** Waits until the provider saw its client hang up; answers how long after `sinceMs` that was. */
const hangUp = async (text: string, sinceMs: number): Promise<number> => {
  const call = await until('the provider’s socket is closed', () =>
    gateway.callsWith(text).find(({ aborted }) => aborted),
  );
  return (call.finishedAt ?? Number.POSITIVE_INFINITY) - sinceMs;
};

const listeners = async (): Promise<unknown> => (await redis.pubsub('NUMSUB', key(TAG, 'ABORTS')))[1];

describe('cancel, while no worker is there', () => {
  setUp({ workers: 0 });

  test('a waiting job is final at once, whoever asks again changes nothing, and it is never sent to a provider', async () => {
    const { id } = await gateway.submit('cancelled while waiting');
    const first = await cancel(id);
    expect(first.status).toBe(200);
    expect(first.job).toMatchObject({ status: 'cancelled', attempts: [], error: null, result: null, queue: null });
    expect(await cancel(id)).toEqual(first);
    expect(await gateway.read(id)).toEqual(first.job);

    await gateway.addWorker();
    const after = await gateway.submit('after the cancelled one');
    expect((await gateway.finished(after.id)).status).toBe('completed');
    expect(gateway.callsWith('cancelled while waiting')).toEqual([]);
    await expectInvariants(gateway.redis.url);
  });
});

describe('cancel', () => {
  setUp({ apis: 2 });

  test('a running job: 202 (or 200 when done by then), and within 2 s its call is aborted and the job is cancelled', async () => {
    const { id } = await startLongCall('cancelled while running');
    const askedAt = Date.now();
    await cancelRunning(id);
    expect(await hangUp('cancelled while running', askedAt)).toBeLessThan(ABORT_LIMIT_MS);
    const done = await gateway.finished(id);
    expect(done).toMatchObject({ status: 'cancelled', attempts: [{ number: 1, outcome: 'cancelled' }], error: null });
    expect(await cancel(id)).toEqual({ status: 200, job: done });
  });

  test('a running job, from another API process', async () => {
    const { id } = await startLongCall('cancelled from elsewhere');
    const askedAt = Date.now();
    const [, api] = gateway.apis;
    await cancelRunning(id, api ? { api } : {});
    expect(await hangUp('cancelled from elsewhere', askedAt)).toBeLessThan(ABORT_LIMIT_MS);
    expect((await gateway.finished(id)).status).toBe('cancelled');
  });

  test('a running job whose message to the worker is lost: the heartbeat brings it in the same time', async () => {
    const { id } = await startLongCall('cancelled without news');
    // The workers' and APIs' own subscriptions end, and are not taken again.
    await redis.acl('SETUSER', 'default', '-subscribe');
    try {
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('nobody listens', async () => (await listeners()) === 0);
      const askedAt = Date.now();
      await cancelRunning(id);
      expect(await hangUp('cancelled without news', askedAt)).toBeLessThan(ABORT_LIMIT_MS);
      expect((await gateway.finished(id)).status).toBe('cancelled');
    } finally {
      await redis.acl('SETUSER', 'default', '+subscribe');
    }
    await until('the worker listens again', async () => (await listeners()) === 1);
  });

  test('a job that waits for its retry: final at once, and the retry is not made', async () => {
    const { id } = await gateway.submit('cancelled in back-off sandbox:status=500');
    await until('it is in back-off', async () => (await gateway.read(id)).queue?.wait_reason === 'retry_backoff');
    const { status, job } = await cancel(id);
    expect({ status, job: job.status }).toEqual({ status: 200, job: 'cancelled' });
    expect(await redis.zscore(key(TAG, 'DELAYED'), id)).toBeNull();
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['unavailable']);
  });

  test('a final job: 200, and it stays as it was', async () => {
    const { id } = await gateway.submit('done already');
    const done = await gateway.finished(id);
    expect(await cancel(id)).toEqual({ status: 200, job: done });
    expect(await gateway.read(id)).toEqual(done);
  });

  test('a foreign id and an unknown id get the same 404, and the job goes on', async () => {
    const { id } = await startLongCall('not yours');
    const answers = [await cancel(id, { key: KEYS.beta }), await cancel(`job_0${'1'.repeat(33)}`), await cancel('x')];
    for (const { status, job } of answers) {
      expect(status).toBe(404);
      expect(job).toMatchObject({ error: { code: 'not_found' } });
    }
    expect((await gateway.read(id)).status).toBe('in_progress');
    await cancel(id);
    expect((await gateway.finished(id)).status).toBe('cancelled');
  });

  test('cancels against completions, 100 times: each job has one final state, and usage counts it once', async () => {
    const usage = async () => {
      const { body } = await gateway.call('GET', '/v1/usage', { key: KEYS.gamma });
      return (body as Usage).totals;
    };
    const mine = { key: KEYS.gamma };
    const answers = new Map<string, Job>();
    const race = async (index: number): Promise<string> => {
      const text = `race number ${index} of 100`;
      const delayMs = Math.random() * 1_500;
      const { id } = await gateway.submit(`${text} sandbox:delay=${Math.floor(delayMs)}`, mine);
      // Within 50 ms of the end of its call, however late that began: on a slow machine too either side wins now and then.
      await until('the provider is asked', () => gateway.callsWith(text).length === 1, { withinMs: 30_000 });
      await delay(Math.max(0, delayMs - 50 + Math.random() * 100));
      const { status, job } = await cancel(id, mine);
      expect([200, 202]).toContain(status);
      if (status === 200) answers.set(id, job);
      // What is read next is never older than what was answered.
      else expect(['in_progress', 'cancelled', 'completed']).toContain((await gateway.read(id, mine)).status);
      return id;
    };
    const ids = await Promise.all(Array.from({ length: 100 }, (_, index) => race(index)));

    const done = await Promise.all(ids.map((id) => gateway.finished(id, mine)));
    for (const job of done) {
      if (answers.has(job.id)) expect(job).toEqual(answers.get(job.id));
      expect(job.result === null).toBe(job.status === 'cancelled');
    }
    const completed = done.filter(({ status }) => status === 'completed').length;
    const cancelled = done.filter(({ status }) => status === 'cancelled').length;
    expect(completed + cancelled).toBe(100);
    expect(Math.min(completed, cancelled)).toBeGreaterThan(0);
    expect(await usage()).toMatchObject({ requests: 100, completed, cancelled });
    await expectInvariants(gateway.redis.url);
  });
});

describe('cancel of a job that was handed off', () => {
  setUp({ workers: 1, env: { WORKER_CONCURRENCY: '1' } });

  test('and not yet claimed: final at once, and no worker runs it', async () => {
    const running = await startLongCall('takes the only slot');
    const { id } = await gateway.submit('handed off, not claimed', { key: KEYS.beta });
    expect(await redis.hexists(key(TAG, 'INFLIGHT'), id)).toBe(1);
    await until(
      'BullMQ knows the hand-off',
      async () => (await redis.exists(key(TAG, 'COMPLETIONS', `${id}-1`))) === 1,
    );
    const { status, job } = await cancel(id, { key: KEYS.beta });
    expect({ status, job: job.status }).toEqual({ status: 200, job: 'cancelled' });

    await cancel(running.id);
    const after = await gateway.submit('after both');
    expect((await gateway.finished(after.id)).status).toBe('completed');
    expect(gateway.callsWith('handed off, not claimed')).toEqual([]);
    await expectInvariants(gateway.redis.url);
  });
});

describe('DELETE', () => {
  setUp({});

  test('forgets request, result and metadata of a final job; what it used stays counted', async () => {
    const marker = 'marmalade-4711';
    const usage = async () => {
      const { limits, ...used } = (await gateway.call('GET', '/v1/usage')).body as Usage;
      const { stored_bytes, ...others } = limits;
      return { used: { ...used, limits: others }, stored_bytes };
    };
    const own = { headers: userKey(), fields: { model: 'gpt-4o', metadata: { order: marker } } };
    const completed = await gateway.submit(`spread the ${marker}`, own);
    const failed = await gateway.submit(`burn the ${marker} sandbox:status=400`, own);
    const kept = await gateway.submit('something else');
    const done = await gateway.finished(completed.id);
    expect(done.result?.content).toContain(marker);
    await gateway.finished(failed.id);
    await gateway.finished(kept.id);
    expect(await keysHolding(redis, marker)).not.toEqual([]);
    const before = await usage();

    for (const { id } of [completed, failed]) {
      const answer = await erase(id);
      expect({ status: answer.status, body: answer.body }).toEqual({ status: 204, body: null });
      expect(await gateway.call('GET', `/v1/jobs/${id}`)).toMatchObject({
        status: 410,
        body: { error: { code: 'result_expired' } },
      });
      expect((await erase(id)).status).toBe(410);
      expect((await cancel(id)).status).toBe(410);
    }
    expect(await keysHolding(redis, marker)).toEqual([]);
    const { body } = await gateway.call('GET', '/v1/jobs');
    expect((body as Page<Job>).data.map(({ id }) => id)).toEqual([kept.id]);
    const after = await usage();
    expect(after.used).toEqual(before.used);
    // Of the two no text is left, but the stubs in which a late attempt would report.
    const texts = JSON.stringify(done.result).length + 2 * JSON.stringify({ order: marker }).length;
    expect(after.stored_bytes).toBeLessThanOrEqual(before.stored_bytes - texts);
    expect(after.stored_bytes).toBeGreaterThan(3 * 1_024);
    await expectInvariants(gateway.redis.url);
  });

  test('of a job that is not final: 409, and it goes on', async () => {
    const { id } = await startLongCall('still at work');
    const answer = await erase(id);
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect((await gateway.read(id)).status).toBe('in_progress');
    await cancel(id);
    await gateway.finished(id);
    expect((await erase(id)).status).toBe(204);
  });

  test('of a foreign job: 404, and it stays', async () => {
    const { id } = await gateway.submit('mine alone');
    await gateway.finished(id);
    expect(await erase(id, { key: KEYS.beta })).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
    expect((await gateway.read(id)).status).toBe('completed');
  });
});
