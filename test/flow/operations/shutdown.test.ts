import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import type { TestApi, TestGateway } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);

/** A test of a gateway of its own. */
const inGateway =
  (options: Parameters<typeof withGateway>[0], use: (gateway: TestGateway, redis: Redis) => Promise<void>) =>
  (): Promise<void> =>
    withGateway({ sandbox: { record: { limit: 20_000, keys: 'clear' } }, ...options }, (gateway) =>
      withRedis(gateway.redis.url, (redis) => use(gateway, redis)),
    );
const limit = { timeout: 60_000 };

const outcomes = (job: Job): unknown[] => job.attempts.map(({ outcome }) => outcome);

/** The counts that bound a job's attempts; null where nothing was counted. */
const countedAgainst = (redis: Redis, id: string): Promise<unknown> =>
  redis.hmget(key(TAG, 'JOB', id), 'failures', 'crashes');

/** SIGTERM; answers how the process went and how long that took. */
const terminate = async (process: Pick<TestApi, 'signal' | 'exited'>) => {
  const startedMs = performance.now();
  process.signal('SIGTERM');
  const { code } = await process.exited;
  return { code, tookMs: performance.now() - startedMs };
};

describe.concurrent('a worker that is told to stop', () => {
  test.concurrent(
    'goes within 8 s: short calls end, long ones go back at no cost, and another worker finishes them',
    limit,
    inGateway({ env: { DRAIN_SECONDS: '3' } }, async (gateway, redis) => {
      const hanging = await Promise.all(
        Array.from({ length: 5 }, (_, index) => gateway.submit(`hangs once ${index} sandbox:fail=hang times=1`)),
      );
      const short = await gateway.submit('ends soon sandbox:delay=1500');
      await until('all calls run', () => gateway.sandbox.calls.length === 6);

      const [worker] = gateway.workers;
      if (!worker) throw new Error('no worker');
      const { code, tookMs } = await terminate(worker);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(8_000);
      expect(await gateway.read(short.id)).toMatchObject({ status: 'completed' });
      expect(outcomes(await gateway.read(short.id))).toEqual(['completed']);
      for (const { id } of hanging) {
        const job = await gateway.read(id);
        expect({ status: job.status, outcomes: outcomes(job) }).toEqual({ status: 'queued', outcomes: ['unknown'] });
      }
      expect(gateway.callsWith('hangs once').every(({ aborted }) => aborted)).toBe(true);

      await gateway.addWorker();
      for (const { id } of hanging) {
        const job = await gateway.finished(id);
        expect({ status: job.status, outcomes: outcomes(job) }).toEqual({
          status: 'completed',
          outcomes: ['unknown', 'completed'],
        });
        expect(await countedAgainst(redis, id)).toEqual([null, null]);
      }
    }),
  );
});

describe.concurrent('times at a stop', () => {
  test.concurrent(
    'a worker lets a call of 5 s end and pays it once; a second SIGTERM changes nothing',
    limit,
    inGateway({}, async (gateway) => {
      const { id } = await gateway.submit('takes its time sandbox:delay=5000');
      await until('it runs', () => gateway.callsWith('takes its time').length === 1);
      const [worker] = gateway.workers;
      if (!worker) throw new Error('no worker');
      const stopped = terminate(worker);
      worker.signal('SIGTERM');
      expect((await stopped).code).toBe(0);
      expect(outcomes(await gateway.read(id))).toEqual(['completed']);
      expect(gateway.callsWith('takes its time')).toHaveLength(1);
    }),
  );

  test.concurrent(
    'an API is not ready first and still serves, for UNREADY_SECONDS',
    limit,
    inGateway({}, async (gateway) => {
      const api = await gateway.addApi({ UNREADY_SECONDS: '2' });
      const readiness = () => gateway.call('GET', '/readyz', { api });
      await until('it is ready', async () => (await readiness()).status === 200);
      const stopped = terminate(api);
      await until('it says no', async () => (await readiness()).status === 503);
      const { body, headers } = await readiness();
      expect(body).toMatchObject({ error: { code: 'stopping', message: expect.stringMatching(/is stopping/) } });
      expect(headers.get('Retry-After')).toBe('1');
      await gateway.submit('still taken', { api });
      const { code, tookMs } = await stopped;
      expect(code).toBe(0);
      expect(tookMs).toBeGreaterThan(2_000);
    }),
  );
});

describe('an API that is told to stop', () => {
  test(
    'answers everyone who waits with the state as it is, and goes at once',
    limit,
    inGateway({ apis: 2, workers: 0 }, async (gateway, redis) => {
      const [, api] = gateway.apis;
      if (!api) throw new Error('no second API');
      const jobs = await Promise.all(Array.from({ length: 100 }, (_, index) => gateway.submit(`waited for ${index}`)));
      const reads = jobs.slice(0, 50).map(({ id }) => gateway.call('GET', `/v1/jobs/${id}?wait=30`, { api }));
      const taggedReads = jobs.slice(50).map(async ({ id }) => {
        const tag = (await gateway.call('GET', `/v1/jobs/${id}`)).headers.get('ETag') ?? '';
        return gateway.call('GET', `/v1/jobs/${id}?wait=30`, { api, headers: { 'If-None-Match': tag } });
      });
      const submissions = Array.from({ length: 50 }, (_, index) =>
        gateway.call('POST', '/v1/complete', {
          api,
          headers: { Prefer: 'wait=30' },
          body: { messages: [{ role: 'user', content: `submitted and waited for ${index}` }] },
        }),
      );
      await until('all of them wait', async () => (await redis.keys(key(TAG, 'WATCHERS', '*'))).length === 150);
      const { code, tookMs } = await terminate(api);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(2_000);

      for (const { status, body, headers } of await Promise.all(reads)) {
        expect({ status, body }).toMatchObject({ status: 200, body: { status: 'queued' } });
        expect(headers.get('Retry-After')).toBe('1');
      }
      for (const { status } of await Promise.all(taggedReads)) expect(status).toBe(304);
      const accepted = await Promise.all(submissions);
      for (const { status, body } of accepted)
        expect({ status, body }).toMatchObject({ status: 202, body: { status: 'queued' } });

      await gateway.addWorker();
      const ids = [...jobs.map(({ id }) => id), ...accepted.map(({ body }) => (body as Job).id)];
      const done = await Promise.all(ids.map((id) => gateway.finished(id)));
      expect(done.filter(({ status }) => status !== 'completed')).toEqual([]);
    }),
  );
});

describe('a rolling restart of everything', () => {
  test(
    'under a steady load fails no request, loses no job and costs no job an attempt',
    limit,
    inGateway({ apis: 2, workers: 2 }, async (gateway, redis) => {
      // What a load balancer does: the next one of those in rotation.
      let rotation = [...gateway.apis];
      let turn = 0;
      const next = (): { api: TestApi } => {
        const api = rotation[turn++ % rotation.length];
        if (!api) throw new Error('no API in rotation');
        return { api };
      };
      const ids: string[] = [];
      const failures: unknown[] = [];
      let isOver = false;
      const request = async (method: string, path: string, body?: unknown) => {
        const answer = await gateway
          .call(method, path, { ...next(), ...(body ? { body } : {}) })
          .catch((error: unknown) => {
            failures.push({ method, error });
            return null;
          });
        if (answer && answer.status !== 200 && answer.status !== 202) failures.push({ method, ...answer });
        return answer?.body as Job | undefined;
      };
      const client = async (number: number): Promise<void> => {
        for (let count = 0; !isOver; count++) {
          const content = `client ${number} job ${count} sandbox:delay=${number < 2 ? 4_000 : 50}`;
          const job = await request('POST', '/v1/complete', { messages: [{ role: 'user', content }] });
          if (!job) continue;
          const { id } = job;
          ids.push(id);
          // Odd clients wait, even ones ask again and again.
          const wait = number % 2 ? '?wait=10' : '';
          const isFinal = async () => (await request('GET', `/v1/jobs/${id}${wait}`))?.finished_at;
          await until('it is final', isFinal, { withinMs: 25_000, everyMs: 50 });
        }
      };
      const clients = Array.from({ length: 10 }, (_, number) => client(number));
      const running = (count: number): Promise<boolean> =>
        until(`${count} jobs are accepted`, () => ids.length >= count);

      await running(20);
      for (const old of gateway.apis.slice(0, 2)) {
        rotation = rotation.filter((api) => api !== old);
        expect((await terminate(old)).code).toBe(0);
        const api = await gateway.addApi();
        await until('it is ready', async () => (await gateway.call('GET', '/readyz', { api })).status === 200);
        rotation = [...rotation, api];
        await running(ids.length + 20);
      }
      for (const old of gateway.workers.slice(0, 2)) {
        expect((await terminate(old)).code).toBe(0);
        await gateway.addWorker();
        await running(ids.length + 20);
      }
      isOver = true;
      await Promise.all(clients);

      expect(failures).toEqual([]);
      const done = await Promise.all(ids.map((id) => gateway.read(id, next())));
      expect(done.filter(({ status }) => status !== 'completed')).toEqual([]);
      for (const job of done) {
        const others = outcomes(job).slice(0, -1);
        expect(others.filter((outcome) => outcome !== 'unknown')).toEqual([]);
        expect(await countedAgainst(redis, job.id)).toEqual([null, null]);
      }
    }),
  );
});
