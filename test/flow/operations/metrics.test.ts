import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TenantId } from '../../../shared/domain/ids.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { firstCells, tableOf } from '../../support/documents.ts';
import type { TestGateway } from '../../support/processes/gateway.ts';
import { KEYS, startGateway } from '../../support/processes/gateway.ts';
import { type GatewayProcess, startProcess } from '../../support/processes/process.ts';
import { createEngine, type Engine, TAG } from '../../support/redis/engine.ts';
import { type TestRedis, withRedis } from '../../support/redis/redis.ts';
import { startSharedRedis } from '../../support/redis/shared-redis.ts';
import { until } from '../../support/until.ts';
import { ringText } from '../../unit/keys/rings.ts';

/** Samples by name and labels, as Prometheus' text format has them. */
const parse = (text: string): Map<string, number> =>
  new Map(
    text.split('\n').flatMap((line): [string, number][] => {
      const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const own = labels.split(',').filter((label) => !label.startsWith('process='));
      return name === undefined ? [] : [[`${name}{${own.join(',')}}`, Number(value)]];
    }),
  );
const scrape = async (url: string): Promise<string> => {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return response.text();
};
const metricsPort = async ({ log }: GatewayProcess): Promise<string> => {
  const line = await until('it serves metrics', () => log.find(({ msg }) => msg === 'metrics_listening'));
  return `http://127.0.0.1:${String(line.port)}`;
};

describe('a gateway that tells of itself', () => {
  /** Many enough to show in any label that names them. */
  const TENANTS = Array.from(
    { length: 1_000 },
    (_, index) => [`tenant-${index}`, `canary-key-of-${index}-0123`] as const,
  );
  let gateway: TestGateway;
  let api: string;
  let worker: string;
  beforeAll(async () => {
    const keys = [...Object.entries(KEYS), ...TENANTS].map(([tenant, key]) => `${tenant}:${key}`).join(',');
    gateway = await startGateway({ workers: 0, env: { PLATFORM_API_KEYS: keys } });
    api = gateway.apis[0]?.url ?? '';
    worker = await metricsPort(await gateway.addWorker({ METRICS_PORT: '0' }));
  });
  afterAll(() => gateway.stop());

  test('requests, jobs, attempts and calls are counted by what came of them', async () => {
    for (const text of ['one', 'two', 'three sandbox:status=400']) {
      await gateway.finished((await gateway.submit(text)).id);
    }
    await gateway.call('GET', '/v1/jobs?limit=0');
    await gateway.call('GET', '/v1/jobs', { key: 'wrong' });
    const ofApi = parse(await scrape(api));
    expect(ofApi.get('gateway_requests_total{method="POST",route="/v1/complete",code="ok"}')).toBe(3);
    expect(ofApi.get('gateway_requests_total{method="GET",route="/v1/jobs",code="invalid_query"}')).toBe(1);
    expect([...ofApi].filter(([name]) => name.includes('invalid_api_key')).map(([, count]) => count)).toEqual([1]);
    expect(ofApi.get('gateway_request_seconds_count{route="/v1/complete"}')).toBe(3);
    expect(ofApi.get('gateway_redis_seconds_count{script="submit"}')).toBe(3);

    const account = 'provider="bedrock",credential="platform"';
    const ofWorker = parse(await scrape(worker));
    expect(ofWorker.get(`gateway_attempts_total{${account},outcome="completed"}`)).toBe(2);
    expect(ofWorker.get(`gateway_attempts_total{${account},outcome="rejected"}`)).toBe(1);
    expect(ofWorker.get(`gateway_jobs_finished_total{status="completed",${account}}`)).toBe(2);
    expect(ofWorker.get(`gateway_jobs_finished_total{status="failed",${account}}`)).toBe(1);
    expect(ofWorker.get('gateway_call_seconds_count{provider="bedrock"}')).toBe(3);
    expect(ofWorker.get('gateway_calls_running{}')).toBe(0);
    expect(ofWorker.get('gateway_redis_seconds_count{script="settle"}')).toBe(3);
    for (const samples of [ofApi, ofWorker]) expect(samples.has('nodejs_eventloop_lag_p99_seconds{}')).toBe(true);
  });

  test('the queue’s state is told as it is', async () => {
    const running = await gateway.submit('sandbox:fail=hang');
    await until('it runs', async () => parse(await scrape(worker)).get('gateway_calls_running{}') === 1);
    const samples = parse(await scrape(api));
    expect(samples.get('gateway_queue_handed_off{class="interactive"}')).toBe(1);
    expect(samples.get('gateway_queue_handed_off{class="batch"}')).toBe(0);
    expect(samples.get('gateway_queue_waiting{class="interactive"}')).toBe(0);
    expect(samples.get('gateway_queue_oldest_seconds{class="interactive"}')).toBe(0);
    expect(samples.get('gateway_worker_slots{}')).toBe(100);
    await gateway.call('POST', `/v1/jobs/${running.id}/cancel`);
    await gateway.finished(running.id);
  });

  test('a budget that does not cover a call is counted under its ledger', async () => {
    const told = async () => {
      const samples = parse(await scrape(api));
      const of = (ledger: string): unknown[] =>
        [80, 100].map((percent) =>
          samples.get(`gateway_budget_thresholds_total{ledger="${ledger}",percent="${percent}"}`),
        );
      return { platform: of('platform'), user: of('user') };
    };
    expect(await told()).toEqual({ platform: [0, 0], user: [0, 0] });
    const poor = await gateway.addApi({ MONTHLY_BUDGET_USD: '0.01' });
    await until('it is ready', async () => (await gateway.call('GET', '/readyz', { api: poor })).status === 200);
    const body = { max_tokens: 100_000, messages: [{ role: 'user', content: 'Hello!' }] };
    const { status } = await gateway.call('POST', '/v1/complete', { api: poor, body });
    expect(status).toBe(402);
    expect(await told()).toEqual({ platform: [0, 1], user: [0, 0] });
  });

  test('a thousand tenants, models, paths and methods add no series, and nothing that a client wrote is shown', async () => {
    const model = (index: number): string => `canary-model-${index}`;
    const ask = async (index: number): Promise<void> => {
      const [, key] = TENANTS[index] ?? ['', ''];
      const body = { model: model(index), messages: [{ role: 'user', content: `canary ${index}` }] };
      await gateway.call('POST', '/v1/complete', { key, body });
      if (index % 5 > 0) return;
      await gateway.call(index % 2 === 0 ? 'GET' : 'PROPFIND', `/v1/canary-${index}`, { key });
      await gateway.call('GET', `/canary-${index}`, { key });
      await gateway.call('PUT', `/v1/jobs/canary-${index}`, { key });
    };
    const askAll = async (from: number, to: number): Promise<void> => {
      const indices = Array.from({ length: to - from }, (_, offset) => from + offset);
      const lanes = Array.from({ length: 8 }, async () => {
        for (let index = indices.shift(); index !== undefined; index = indices.shift()) await ask(index);
      });
      await Promise.all(lanes);
    };
    const settled = (count: number) => async (): Promise<boolean> =>
      [...parse(await scrape(worker))].reduce(
        (sum, [name, value]) => sum + (name.startsWith('gateway_jobs_finished_total') ? value : 0),
        0,
      ) >= count;
    const names = async (): Promise<string[]> =>
      [...parse(await scrape(api)).keys(), ...parse(await scrape(worker)).keys()].filter((name) =>
        name.startsWith('gateway_'),
      );

    await askAll(0, 10);
    await until('the first are done', settled(10), { withinMs: 30_000 });
    await until('the last of the upkeep has had its turn', async () =>
      (await names()).some((name) => name.includes('script="trim-jobs"')),
    );
    const before = await names();
    await askAll(10, TENANTS.length);
    await until('all are done', settled(TENANTS.length), { withinMs: 60_000, everyMs: 100 });
    expect((await names()).toSorted()).toEqual(before.toSorted());
    expect(before.length).toBeLessThan(600);
    for (const url of [api, worker]) expect(await scrape(url)).not.toMatch(/canary|tenant-\d|acme|PROPFIND/);
  }, 120_000);

  test('with a port of its own an API tells it there only, and in production without one nowhere', async () => {
    const apart = await gateway.addApi({ METRICS_PORT: '0' });
    const own = await metricsPort(apart);
    expect(await scrape(own)).toContain('gateway_requests_total');
    for (const path of ['/', '/v1/jobs', '/metrics/', '/healthz'])
      expect((await fetch(`${own}${path}`)).status).toBe(404);
    expect((await fetch(`${own}/metrics`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${apart.url}/metrics`)).status).toBe(404);
    const password = 'q7Vf2mXw9Lc4TzHs';
    await withRedis(gateway.redis.url, (redis) =>
      redis.call('ACL', 'SETUSER', 'production', 'on', `>${password}`, '~*', '&*', '+@all'),
    );
    await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory', '1gb'));
    const production = await gateway.addApi({
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PLATFORM_API_KEYS: `acme:${KEYS.acme}`,
      KEY_PEPPERS: ringText('p'),
      KEY_ENCRYPTION_KEYS: ringText('k'),
      TRUSTED_PROXIES: '127.0.0.1',
      REDIS_URL: gateway.redis.url.replace('redis://', `redis://production:${password}@`),
      REDIS_ALLOW_INSECURE: 'true',
    });
    const overHttps = { headers: { 'X-Forwarded-For': '203.0.113.1', 'X-Forwarded-Proto': 'https' } };
    expect((await fetch(`${production.url}/metrics`, overHttps)).status).toBe(404);
  });

  test('a port that is taken ends the process with the name of the setting', async () => {
    for (const file of ['api/main.ts', 'worker/main.ts'] as const) {
      const late = startProcess(file, { ...gateway.env, METRICS_PORT: new URL(worker).port });
      expect(await late.exited).toMatchObject({ code: 1 });
      expect(late.otherOutput.join('\n')).toMatch(
        /METRICS_PORT: port \d+ on 127\.0\.0\.1 cannot be opened \(EADDRINUSE\)/,
      );
    }
  });

  test('every metric says what it is, and is listed', async () => {
    const listed = firstCells(tableOf('metric', 'from', 'labels', 'what it says'));
    for (const url of [api, worker]) {
      const text = await scrape(url);
      const ours = [...text.matchAll(/^# TYPE (gateway_\w+) /gm)].map(([, name = '']) => name);
      expect(ours.length).toBeGreaterThan(4);
      for (const name of ours) {
        expect(text).toMatch(new RegExp(`^# HELP ${name} [A-Z].+\\.$`, 'm'));
        expect(listed).toContain(name);
      }
    }
  });
});

describe('the queue’s measures', () => {
  let redis: TestRedis;
  let engine: Engine;
  beforeEach(async () => {
    redis = await startSharedRedis();
    engine = createEngine(redis.url);
  });
  afterEach(async () => {
    engine.stop();
    await redis.stop();
  });

  test('the oldest is the job that was accepted first and still waits, in whatever lane it stands', async () => {
    // Nobody works: all wait.
    const age = async () => (await engine.scheduler.measure(1)).interactive;
    const first = await engine.submit('acme', { model: 'model-a' });
    await until('it is older than what comes next', async () => (await age()).oldestMs >= 50);
    await engine.submit('acme', { model: 'model-a' });
    await engine.submit('beta', { model: 'model-b' });
    const before = await age();
    expect(before).toMatchObject({ waiting: 3, handedOff: 0 });
    expect(before.oldestMs).toBeGreaterThanOrEqual(50);
    await engine.jobs.cancel('acme' as TenantId, first);
    expect((await age()).waiting).toBe(2);
    // A cancelled job stays in its lane until it is met there.
    await engine.redis.lpop(key(TAG, 'LANE_NEW', (await engine.redis.hget(key(TAG, 'JOB', first), 'lane')) ?? ''));
    expect((await age()).oldestMs).toBeLessThan(50);
    await engine.scheduler.heartbeat(0, 'worker', 10);
    await engine.tick();
    expect(await age()).toEqual({ waiting: 0, oldestMs: 0, handedOff: 2 });
  });
});
