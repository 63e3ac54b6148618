import { Agent, request } from 'node:http';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { KEYS, type TestApi, type TestGateway } from '../../support/processes/gateway.ts';
import { readMemory, TELLS_MEMORY } from '../../support/processes/process-memory.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);

let gateway: TestGateway;
let redis: Redis;
const setUp = (options: Parameters<typeof useGateway>[0]): void =>
  useGateway(options, (opened) => {
    ({ gateway, redis } = opened);
  });

const firstApi = (): TestApi => {
  const [api] = gateway.apis;
  if (!api) throw new Error('no API');
  return api;
};

const waiters = async (): Promise<number> => (await redis.keys(key(TAG, 'WATCHERS', '*'))).length;

/** From the moment at which a job became final, by Redis' clock, to the arrival of an answer, by the same machine's clock. */
const sinceFinal = (job: Job, arrivedAt: number): number => arrivedAt - Date.parse(job.finished_at ?? '');

describe('a request that waits', () => {
  setUp({});

  const timed = async (method: string, path: string, options: Parameters<TestGateway['call']>[2] = {}) => {
    const startedMs = performance.now();
    const answer = await gateway.call(method, path, options);
    return { ...answer, job: answer.body as Job, arrivedAt: Date.now(), tookMs: performance.now() - startedMs };
  };
  const complete = (text: string, wait: string) =>
    timed('POST', '/v1/complete', {
      headers: { Prefer: wait },
      body: { messages: [{ role: 'user', content: text }] },
    });

  test('Prefer: wait answers 200 with the finished job, and says that it waited', async () => {
    const { status, headers, job, arrivedAt } = await complete('quick sandbox:delay=200', 'respond-async, wait=20');
    expect(status).toBe(200);
    expect(headers.get('Preference-Applied')).toBe('wait=20');
    expect(job).toMatchObject({ status: 'completed', result: { role: 'assistant' } });
    expect(sinceFinal(job, arrivedAt)).toBeLessThan(1_000);
  });

  test('Prefer: wait answers 202 when the time is up, and the job goes on', async () => {
    const { status, job, tookMs } = await complete('slow sandbox:delay=2500', 'wait=1');
    expect({ status, job: job.status }).toEqual({ status: 202, job: 'in_progress' });
    expect(tookMs).toBeGreaterThanOrEqual(990);
    expect(tookMs).toBeLessThan(2_000);
    expect((await gateway.finished(job.id)).status).toBe('completed');
  });

  test('without a tag, ?wait answers when the job is final and not before', async () => {
    const { id } = await gateway.submit('waited for sandbox:delay=700');
    const { status, job, tookMs } = await timed('GET', `/v1/jobs/${id}?wait=20`);
    expect({ status, job: job.status }).toEqual({ status: 200, job: 'completed' });
    expect(tookMs).toBeGreaterThan(500);
    expect((await timed('GET', `/v1/jobs/${id}?wait=20`)).tookMs).toBeLessThan(500);
  });

  test('with a tag, ?wait answers at each change of status, and 304 when there was none', async () => {
    const { id } = await gateway.submit('step by step sandbox:status=500 delay=300 times=1');
    const first = await timed('GET', `/v1/jobs/${id}`);
    let tag = first.headers.get('ETag') ?? '';
    const seen = [`${first.job.status} ${first.job.attempts.length}`];
    for (let status = ''; status !== 'completed'; ) {
      const answer = await timed('GET', `/v1/jobs/${id}?wait=20`, { headers: { 'If-None-Match': tag } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('ETag')).not.toBe(tag);
      tag = answer.headers.get('ETag') ?? '';
      status = answer.job.status;
      seen.push(`${status} ${answer.job.attempts.length}`);
      // Sooner than the next look of a second later would have shown it.
      if (status === 'queued' && answer.job.attempts.length === 1) {
        expect(answer.arrivedAt - Date.parse(answer.job.attempts[0]?.finished_at ?? '')).toBeLessThan(400);
      }
    }
    // Before the first call it may have been read as queued.
    expect(seen.slice(-4)).toEqual(['in_progress 1', 'queued 1', 'in_progress 2', 'completed 2']);

    const slow = await gateway.submit('no news sandbox:delay=3000');
    await until('it runs', async () => (await gateway.read(slow.id)).status === 'in_progress');
    const before = await gateway.call('GET', `/v1/jobs/${slow.id}`);
    const same = await timed('GET', `/v1/jobs/${slow.id}?wait=1`, {
      headers: { 'If-None-Match': before.headers.get('ETag') ?? '' },
    });
    expect({ status: same.status, body: same.body }).toEqual({ status: 304, body: null });
    expect(same.tookMs).toBeGreaterThanOrEqual(990);
  });

  test('is answered within 2 s although the news of the change is lost', async () => {
    const { id } = await gateway.submit('news is lost sandbox:delay=1500');
    const answer = timed('GET', `/v1/jobs/${id}?wait=20`);
    await until('it waits', async () => (await waiters()) === 1);
    await redis.acl('SETUSER', 'default', '-subscribe');
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const { job, arrivedAt } = await answer;
    await redis.acl('SETUSER', 'default', '+subscribe');
    expect(job.status).toBe('completed');
    expect(sinceFinal(job, arrivedAt)).toBeLessThan(2_000);
  });

  test('nothing is left out of place', () => expectInvariants(gateway.redis.url));
});

const WAITERS = 2_000;

describe(`${WAITERS} requests that wait on one API process`, () => {
  setUp({ workers: 0, env: TELLS_MEMORY });

  /** In use, and resident with what the process keeps for later; in MiB. */
  const memory = async (): Promise<{ heap: number; resident: number }> => {
    const { heapBytes, residentBytes } = await readMemory(firstApi());
    return { heap: heapBytes / 1_024 ** 2, resident: residentBytes / 1_024 ** 2 };
  };

  const get = (path: string, agent: Agent): Promise<{ job: Job; arrivedAt: number }> => {
    const { promise, resolve, reject } = Promise.withResolvers<{ job: Job; arrivedAt: number }>();
    request(`${firstApi().url}${path}`, { agent, headers: { 'X-API-Key': KEYS.acme } }, (response) => {
      const arrivedAt = Date.now();
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ job: JSON.parse(Buffer.concat(chunks).toString()) as Job, arrivedAt }));
    })
      .on('error', reject)
      .end();
    return promise;
  };

  const p95 = (delays: number[]): number =>
    delays.toSorted((a, b) => a - b)[Math.floor(delays.length * 0.95)] ?? Number.NaN;

  /** Submits so many jobs, waits for all of them at once, and lets them be done only then. */
  const waitForAll = async (round: number) => {
    const jobs: Job[] = [];
    for (let index = 0; index < WAITERS; index += 100) {
      jobs.push(
        ...(await Promise.all(
          Array.from({ length: 100 }, (_, each) =>
            gateway.submit(`round ${round} job ${index + each} sandbox:delay=100`),
          ),
        )),
      );
    }
    const agent = new Agent({ keepAlive: true, maxSockets: WAITERS });
    const answers = Promise.all(jobs.map(({ id }) => get(`/v1/jobs/${id}?wait=60`, agent)));
    await until('all of them wait', async () => (await waiters()) === WAITERS, { withinMs: 20_000, everyMs: 100 });
    const whileWaiting = await memory();
    const worker = await gateway.addWorker({ WORKER_CONCURRENCY: '50' });
    const woken = await answers;
    agent.destroy();
    await worker.stop();
    const delays = woken
      .toSorted((a, b) => a.arrivedAt - b.arrivedAt)
      .map(({ job, arrivedAt }) => sinceFinal(job, arrivedAt));
    return {
      delays,
      whileWaiting,
      after: await memory(),
      statuses: woken.map(({ job }) => job.status),
    };
  };

  test('are woken within 100 ms of the end of their job at p95, and memory stays flat', {
    timeout: 90_000,
  }, async () => {
    const before = await memory();
    const rounds = [await waitForAll(1), await waitForAll(2)];
    expect(rounds.flatMap(({ statuses }) => statuses).filter((status) => status !== 'completed')).toEqual([]);
    // Other work on the machine only adds to it: the best quarter of a round tells what the gateway takes.
    const quarters = rounds.flatMap(({ delays }) =>
      [0, 1, 2, 3].map((quarter) => delays.slice((quarter * WAITERS) / 4, ((quarter + 1) * WAITERS) / 4)),
    );
    console.info(`${WAITERS} waiting requests:`, {
      p95Ms: rounds.map(({ delays }) => p95(delays)),
      p95MsByQuarter: quarters.map(p95),
      memoryMiB: [before, ...rounds.flatMap(({ whileWaiting, after }) => [whileWaiting, after])],
    });
    expect(Math.min(...quarters.map(p95))).toBeLessThanOrEqual(100);
    const [first, second] = rounds;
    // 40 KiB for each that waits, its socket and request included; the next 2,000 use the same memory.
    expect((first?.whileWaiting.heap ?? Number.NaN) - before.heap).toBeLessThan((WAITERS * 40) / 1_024);
    expect((second?.after.resident ?? Number.NaN) - (first?.after.resident ?? Number.NaN)).toBeLessThan(80);
    expect((second?.after.heap ?? Number.NaN) - (first?.after.heap ?? Number.NaN)).toBeLessThan(8);
    await expectInvariants(gateway.redis.url);
  });
});
