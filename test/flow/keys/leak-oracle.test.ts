import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { VARIABLE_NAMES } from '../../../shared/process/config/variables.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { createCanary, findLeaks, WINDOW } from '../../support/leaks/leak-oracle.ts';
import { type Sinks, watchSinks } from '../../support/leaks/sinks.ts';
import { type Collector, startCollector } from '../../support/network/collector.ts';
import {
  type EchoingProvider,
  SCENARIOS,
  type Scenario,
  startEchoingProvider,
} from '../../support/network/echoing-provider.ts';
import { openConnection, request } from '../../support/network/raw.ts';
import { type Receiver, startReceiver } from '../../support/network/receiver.ts';
import { startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { type GatewayProcess, startProcess } from '../../support/processes/process.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const CANARIES = {
  openai: createCanary('sk-proj-'),
  anthropic: createCanary('sk-ant-api03-'),
  platform: createCanary('platform-key-'),
  admin: createCanary('the-operators-token-'),
  config: createCanary('sk-proj-'),
  // In a body, for a tool that the provider calls.
  tool: createCanary('tool-token-'),
} as const;
type Provider = 'openai' | 'anthropic';
const PROVIDERS = ['openai', 'anthropic'] as const;

let gateway: TestGateway;
let provider: EchoingProvider;
let receiver: Receiver;
let collector: Collector;
let sinks: Sinks;
const others: GatewayProcess[] = [];
beforeAll(async () => {
  [provider, receiver, collector] = await Promise.all([startEchoingProvider(), startReceiver(), startCollector()]);
  gateway = await startGateway({
    workers: 2,
    env: {
      PROVIDER_OPENAI_URL: provider.urls.openai,
      PROVIDER_ANTHROPIC_URL: provider.urls.anthropic,
      PLATFORM_API_KEYS: `acme:${CANARIES.platform.key}`,
      ADMIN_TOKEN: CANARIES.admin.key,
      MAX_ATTEMPTS: '2',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      METRICS_PORT: '0',
      LOG_LEVEL: 'debug',
    },
  });
  sinks = watchSinks({ gateway, receiver, collector, others });
  await sinks.monitor();
});
afterAll(async () => {
  sinks?.close();
  await gateway?.stop();
  await Promise.all([provider?.close(), receiver?.close(), collector?.close()]);
});

const own = (name: Provider, key: string = CANARIES[name].key): Record<string, string> => ({
  'X-API-Key': CANARIES.platform.key,
  'X-User-API-Key': key,
  'X-User-Provider': name,
  'Content-Type': 'application/json',
});

const prompt = (what: string, scenario: Scenario, name: Provider): string => `${what} of ${name} [${scenario}]`;

/** Submits a job that meets this scenario on a user's own key, and answers its path. */
const submit = async (what: string, scenario: Scenario, name: Provider, fields: object = {}): Promise<string> => {
  const content = prompt(what, scenario, name);
  const { status, body } = await sinks.ask('/v1/complete', {
    method: 'POST',
    headers: { ...own(name), 'Idempotency-Key': `${content} ${CANARIES[name].key}` },
    body: JSON.stringify({
      // A model of its own: a rate limit holds back no other scenario.
      model: content.replace(/[^a-z]/g, '-'),
      messages: [{ role: 'user', content }],
      webhook: { url: `${receiver.url}/hook` },
      ...fields,
    }),
  });
  expect(status, body).toBe(202);
  return (JSON.parse(body) as Job).urls.self;
};

/** The same in the provider's own words, with a secret among them. */
const FOREIGN_WORDS = {
  openai: {
    path: '/openai/v1/chat/completions',
    tools: { tools: [{ type: 'mcp', server_url: 'https://tools.example', authorization: CANARIES.tool.key }] },
  },
  anthropic: {
    path: '/anthropic/v1/messages',
    tools: { mcp_servers: [{ type: 'url', url: 'https://tools.example', authorization_token: CANARIES.tool.key }] },
  },
} as const;
const submitForeign = async (what: string, scenario: Scenario, name: Provider, filler = ''): Promise<string> => {
  const content = prompt(what, scenario, name);
  const { path, tools } = FOREIGN_WORDS[name];
  const { status, body } = await sinks.ask(path, {
    method: 'POST',
    headers: {
      ...own(name),
      Prefer: 'respond-async',
      'X-Gateway-Timeout-Seconds': scenario === 'hang' ? '1' : '30',
      'X-Gateway-Deadline-Seconds': scenario === 'limit' ? '3' : '600',
      'X-Gateway-Webhook-Url': `${receiver.url}/hook`,
      'Idempotency-Key': `${content} ${CANARIES[name].key}`,
    },
    body: JSON.stringify({
      model: content.replace(/[^a-z]/g, '-'),
      max_tokens: 10,
      messages: [{ role: 'user', content }],
      ...tools,
      filler,
    }),
  });
  expect(status, body).toBe(202);
  return (JSON.parse(body) as Job).urls.self;
};

const tenantHeaders = { 'X-API-Key': CANARIES.platform.key };
const finished = async (path: string): Promise<string> => {
  for (;;) {
    const { body } = await sinks.ask(`${path}?wait=20`, { headers: tenantHeaders });
    const { finished_at, status } = JSON.parse(body) as Job;
    if (finished_at !== null) return status;
  }
};

const ENDS: Record<Scenario, string> = {
  good: 'completed',
  'refused key': 'failed',
  'refused request': 'failed',
  limit: 'failed',
  broken: 'failed',
  page: 'failed',
  reset: 'failed',
  hang: 'failed',
  'bad json': 'failed',
  cut: 'failed',
  'error in 200': 'failed',
};

/** Requests that are refused, with a key in every place where somebody may put one. */
const refusals = (name: Provider): [string, RequestInit][] => {
  const { key } = CANARIES[name];
  const post = (headers: Record<string, string>, body = '{}'): [string, RequestInit] => [
    '/v1/complete',
    { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body },
  ];
  const wrong = name === 'openai' ? 'anthropic' : 'openai';
  return [
    post(own(name), '{"messages":'),
    post(own(name), JSON.stringify({ [key]: key })),
    post(own(name), JSON.stringify({ messages: [{ role: key, content: key }] })),
    post(own(name), JSON.stringify({ messages: key, webhook: { url: key } })),
    post({ ...own(name), 'X-User-Provider': wrong }),
    post({ ...own(name), 'X-User-Provider': key }),
    post({ ...own(name), 'Content-Type': key }),
    post({ ...own(name), Prefer: `wait=${key}`, traceparent: key }),
    post(own(name, `${key} ${key}`)),
    post(own(name, `${key}, ${key}`)),
    post(own(name, key.repeat(20))),
    post(own(name, key.replace('sk-proj-', 'sk-admin-').replace('-api03-', '-oat01-'))),
    post({ 'X-User-API-Key': key, 'X-User-Provider': name }),
    post({ ...own(name), 'X-API-Key': key }),
    post({ ...own(name), Authorization: `Bearer ${key}` }),
    [`/v1/jobs/${key}`, { headers: { ...tenantHeaders, 'If-None-Match': key, Accept: key } }],
    [`/v1/jobs?after=${key}&${key}=1`, { headers: tenantHeaders }],
    [`/v1/${key}?key=${key}`, { headers: tenantHeaders }],
    ['/admin/tenants', { headers: { Authorization: `Bearer ${key}` } }],
    post({ ...own(name), Authorization: `Basic ${key}` }),
    post({ ...own(name), Authorization: `Bearer ${CANARIES.platform.key} ${key}` }),
    post({ ...own(name), 'Content-Type': `application/json; charset=${key}` }),
    post({ ...own(name), 'Content-Encoding': key }),
    post(
      { ...own(name), 'Idempotency-Key': `${key}é` },
      JSON.stringify({ messages: [{ role: 'user', content: 'Hi.' }] }),
    ),
    post({ ...own(name), 'X-Request-Id': key, 'User-Agent': key, Referer: `http://${key}/`, Cookie: `key=${key}` }),
    post({ ...own(name), 'X-Forwarded-For': key, 'X-Forwarded-Proto': key, Forwarded: `for=${key}`, tracestate: key }),
    // Letters that look alike, and bytes that are none.
    post(own(name, `${key}é`)),
    post(own(name, `\u00a0${key}`)),
    post(own(name, Buffer.from(`${key}ѕк`).toString('latin1'))),
    post(own(name), JSON.stringify({ api_key: key, user_api_key: key, 'X-User-API-Key': key })),
    post(own(name), JSON.stringify({ model: `${key} `, messages: [{ role: 'user', content: 'Hi.' }] })),
    post(own(name), `{"${key}": {"${key}": [`),
    [`/v1/complete?api_key=${key}&X-User-API-Key=${key}`, { method: 'POST', headers: own(name), body: '{}' }],
    [`/v1/complete?${key}&${key}`, { method: 'POST', headers: own(name), body: '{}' }],
    ...['status', 'batch_id', 'limit', 'after', 'wait'].map(ask('/v1/jobs', key)),
    ...['from', 'to', 'group_by', 'batch_id'].map(ask('/v1/usage', key)),
    ...['status', 'job_id', 'limit', 'after'].map(ask('/v1/webhooks/deliveries', key)),
    [`/v1/batches/${key}/results?after=${key}`, { headers: tenantHeaders }],
    [`/v1/batches/${key}/retry`, { method: 'POST', headers: own(name), body: JSON.stringify({ only: [key] }) }],
    [`/v1/webhooks/deliveries/${key}/redeliver`, { method: 'POST', headers: tenantHeaders }],
    ['/v1/webhooks/test', { method: 'POST', headers: own(name), body: JSON.stringify({ url: key }) }],
    ['/v1/webhooks/secret/rotate', { method: 'POST', headers: own(name), body: JSON.stringify({ [key]: key }) }],
    ...batches(name),
    ...operators(key),
  ];
};

const ask =
  (path: string, key: string) =>
  (name: string): [string, RequestInit] => [`${path}?${name}=${key}`, { headers: tenantHeaders }];

/** Batches of nothing but bad lines, in both forms. */
const batches = (name: Provider): [string, RequestInit][] => {
  const { key } = CANARIES[name];
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi.' }] };
  const lines = [
    { custom_id: key, body: { ...body, [key]: key } },
    { custom_id: key, body: { ...body, messages: key } },
    { custom_id: key, [key]: key },
    { custom_id: key, body: { ...body, model: `${key} ` } },
    { custom_id: { [key]: key }, body },
    key,
  ].map((line) => JSON.stringify(line));
  const send = (type: string, text: string, query = ''): [string, RequestInit] => [
    `/v1/batches${query}`,
    { method: 'POST', headers: { ...own(name), 'Content-Type': type }, body: text },
  ];
  const ndjson = 'application/x-ndjson';
  return [
    send(ndjson, [...lines, `{"${key}`, key.repeat(3)].join('\n')),
    send('application/json', `{"requests":[${lines.join(',')}],"metadata":{"${key}":"${key}"}}`),
    send('application/json', `{"${key}":"${key}","requests":[]}`),
    send('application/json', `{"requests":[${key}`),
    ...['webhook_url', 'webhook_events', 'deadline_seconds', 'on_invalid', key].map((parameter) =>
      send(ndjson, lines.join('\n'), `?${parameter}=${key}`),
    ),
  ];
};

/** The operator's calls, with a key where a name, a number or an id belongs. */
const operators = (key: string): [string, RequestInit][] => {
  const send = (method: string, path: string, body?: object): [string, RequestInit] => [
    path,
    {
      method,
      headers: { Authorization: `Bearer ${CANARIES.admin.key}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    },
  ];
  return [
    send('POST', '/admin/tenants', { [key]: key }),
    send('POST', '/admin/tenants', { name: 'x', limits: { requests_per_minute: key }, allowed_models: [`${key} `] }),
    send('GET', `/admin/tenants/${key}?${key}=${key}`),
    send('PATCH', `/admin/tenants/${key}`, { weight: key }),
    send('POST', `/admin/tenants/${key}/keys`, { name: 'x', scopes: [key], expires_at: key }),
    send('POST', `/admin/tenants/${key}/keys/${key}/rotate`, { overlap_seconds: key }),
    send('DELETE', `/admin/tenants/${key}/keys/${key}`),
    send('GET', `/admin/audit?tenant=${key}&after=${key}`),
  ];
};

/** What no client library would send: a line feed, a NUL, headers without end. */
const rawRefusals = ({ key }: { key: string }): string[] => {
  const begin = [`X-API-Key: ${CANARIES.platform.key}`, 'X-User-Provider: openai'];
  return [
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}\0`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `X-User-API-Key: ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `X-Filler: ${key.repeat(1_000)}`]),
    request(`POST /${key}\0`, [...begin, `X-User-API-Key : ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `X-User-Provider: ${key}`]),
    request('POST /v1/complete', [...begin, `X-API-Key: ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `Transfer-Encoding: ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `Content-Length: ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}`, `Host: ${key}`]),
    request('POST /v1/complete', [...begin, `X-User-API-Key: ${key}\r\n ${key}`]),
    request(`POST http://${key}:${key}@${key}/v1/${key}`, [...begin, `Expect: ${key}`, `Upgrade: ${key}`]),
    request(`TRACE /v1/complete`, [...begin, `X-User-API-Key: ${key}`]),
    request(`${key} /v1/complete`, begin),
    `${key}\r\n\r\n`,
  ];
};

/** Processes that do not come to life, with a secret in every setting. */
const failToBoot = async (): Promise<void> => {
  const { key } = CANARIES.config;
  const everywhere = Object.fromEntries(VARIABLE_NAMES.map((name) => [name, key]));
  const redisUrl = gateway.redis.url.replace('redis://', `redis://:${key}@`);
  const environments: Record<string, string>[] = [
    everywhere,
    { ...everywhere, NODE_ENV: 'production' },
    {
      ...gateway.env,
      KEY_ENCRYPTION_KEYS: `k1:${key}`,
      KEY_PEPPERS: `${key}:${key}`,
      PLATFORM_API_KEYS: `acme:${key},${key}`,
    },
    {
      ...gateway.env,
      OPENAI_CUSTOM_HEADERS: key,
      ANTHROPIC_AUTH_TOKEN: key,
      AWS_SECRET_ACCESS_KEY: key,
      AWS_ACCESS_KEY_ID: '',
    },
    { ...gateway.env, PLATFORM_API_KEYS: `acme:${key}`, ADMIN_TOKEN: key },
    // Redis refuses the password, and is unfit besides.
    { ...gateway.env, REDIS_URL: redisUrl },
  ];
  await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'));
  const started = environments.flatMap((env) => [
    startProcess('api/main.ts', env),
    startProcess('worker/main.ts', env),
  ]);
  others.push(...started);
  // The last two may wait for a Redis that takes the password.
  const ends = started.slice(0, -2).map(({ exited }) => exited);
  for (const { code } of await Promise.all(ends)) expect(code).toBe(1);
  await until('the last two said something or ended', () =>
    started.slice(-2).every(({ printed }) => printed.stdout.length + printed.stderr.length > 0),
  );
  await Promise.all(started.slice(-2).map((each) => each.stop()));
  await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory-policy', 'noeviction'));
};

describe('no six characters of a key are in any output or store', () => {
  test('after all that can happen to a job and its key', async () => {
    const jobs = new Map<string, string>();
    const expected = new Map<string, string[]>();
    const add = async (ends: string[], ...args: Parameters<typeof submit>): Promise<string> => {
      const path = await submit(...args);
      jobs.set(path, `${args[0]} ${args[1]} ${args[2]}`);
      expected.set(path, ends);
      return path;
    };

    for (const name of PROVIDERS) {
      for (const scenario of SCENARIOS) {
        const limits =
          scenario === 'limit' ? { deadline_seconds: 3 } : { timeout_seconds: scenario === 'hang' ? 1 : 30 };
        await add([ENDS[scenario], ...(scenario === 'limit' ? ['expired'] : [])], 'a job', scenario, name, limits);
      }
      await add(['expired'], 'one that expires', 'hang', name, { deadline_seconds: 1 });
    }
    for (const name of PROVIDERS) {
      for (const scenario of SCENARIOS) {
        for (const filler of ['', 'x'.repeat(100_000)]) {
          const what = filler === '' ? 'in its words' : 'in many of its words';
          const path = await submitForeign(what, scenario, name, filler);
          jobs.set(path, `${what} ${scenario} ${name}`);
          expected.set(path, [ENDS[scenario], ...(scenario === 'limit' ? ['expired'] : [])]);
        }
      }
    }
    const cancelled = await Promise.all(
      PROVIDERS.map((name) => add(['cancelled'], 'one that is cancelled', 'hang', name)),
    );
    const lost = await Promise.all(PROVIDERS.map((name) => add(['completed'], 'one whose worker dies', 'hang', name)));
    await sinks.look();

    for (const name of PROVIDERS) {
      for (const [path, init] of refusals(name)) {
        const { status } = await sinks.ask(path, init);
        expect(status, path).toBeGreaterThanOrEqual(400);
        expect(status, path).toBeLessThan(500);
      }
      for (const text of rawRefusals(CANARIES[name])) {
        const connection = openConnection(gateway.apis[0]?.url ?? '');
        connection.send(text);
        const { status, headers, body } = await connection.answer();
        expect(status).toBeGreaterThanOrEqual(400);
        sinks.keepAnswer(JSON.stringify([...headers, body]));
        connection.close();
      }
    }
    const called = (what: string, scenario: Scenario, name: Provider): string[] =>
      provider.keysOf(prompt(what, scenario, name));
    await until('the jobs that are to be disturbed run', () =>
      PROVIDERS.every(
        (name) =>
          called('one that is cancelled', 'hang', name).length > 0 &&
          called('one whose worker dies', 'hang', name).length > 0,
      ),
    );
    for (const path of cancelled) await sinks.ask(`${path}/cancel`, { method: 'POST', headers: tenantHeaders });
    const settled = [...jobs.keys()].filter((path) => !lost.includes(path));
    for (const path of settled) expect(expected.get(path), jobs.get(path)).toContain(await finished(path));

    // Their workers die; Redis is away for a while; and the provider comes to itself.
    provider.recover();
    await sinks.look();
    for (const worker of gateway.workers) worker.signal('SIGKILL');
    await Promise.all(gateway.workers.map(({ exited }) => exited));
    await sinks.look();
    await gateway.redis.kill();
    const away = await sinks.ask('/v1/complete', {
      method: 'POST',
      headers: own('openai'),
      body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Is anybody there?' }] }),
    });
    expect(away.status).toBe(503);
    await gateway.redis.restart();
    await sinks.monitor();
    await gateway.addWorker();
    await failToBoot();
    for (const path of lost) expect(await finished(path), jobs.get(path)).toBe('completed');

    for (const path of [...jobs.keys(), '/v1/jobs?limit=100', '/v1/usage', '/v1/webhooks/deliveries']) {
      expect((await sinks.ask(path, { headers: tenantHeaders })).status, path).toBe(200);
    }
    for (const path of ['/admin/tenants', '/admin/queues', '/admin/audit?limit=100']) {
      const { status } = await sinks.ask(path, { headers: { Authorization: `Bearer ${CANARIES.admin.key}` } });
      expect(status, path).toBe(200);
    }
    await until('every end was told', () => new Set(receiver.received.map(({ id }) => id)).size === jobs.size, {
      withinMs: 20_000,
    });

    // It was all for something: each call had its key, and each sink has something in it.
    for (const name of PROVIDERS) {
      for (const scenario of SCENARIOS) {
        expect(new Set(called('a job', scenario, name)), `${scenario} of ${name}`).toEqual(
          new Set([CANARIES[name].key]),
        );
      }
      expect(called('one whose worker dies', 'hang', name)).toHaveLength(2);
    }
    const all = await sinks.collect();
    for (const [sink, content] of all) expect(content.length, sink).toBeGreaterThan(1_000);
    expect(findLeaks(Object.values(CANARIES), all)).toEqual([]);
    await expectInvariants(gateway.redis.url);
  }, 120_000);
});

describe('the oracle sees', () => {
  const canary = createCanary('sk-proj-');
  const part = (at: number): string => canary.tail.slice(at, at + WINDOW);

  test('six characters that were planted in any of the sinks', async () => {
    const bytes = Buffer.from(part(5)).toString('hex');
    const { status } = await sinks.ask('/v1/complete', {
      method: 'POST',
      headers: {
        ...tenantHeaders,
        'Content-Type': 'application/json',
        'X-Request-Id': part(0),
        traceparent: `00-${bytes.padEnd(32, '1')}-${randomBytes(8).toString('hex')}-01`,
      },
      body: JSON.stringify({
        messages: [{ role: 'user', content: 'Hello!' }],
        metadata: { note: Buffer.from(`x${part(3)}`).toString('base64') },
        webhook: { url: `${receiver.url}/planted` },
      }),
    });
    expect(status).toBe(202);
    const dying = startProcess('api/main.ts', { ...gateway.env, DATA_DIR: `/dev/null/${part(9)}`, KEY_PEPPERS: '' });
    others.push(dying);
    await dying.exited;
    await until('it was told', () => receiver.received.some(({ path }) => path === '/planted'));
    // Spans leave their process after a while.
    await until('it was traced', () => collector.received().includes(part(0)));
    const all = await sinks.collect();
    // Nothing that a client writes gets into the metrics, so what stands there anyway is looked for.
    const found = findLeaks([canary, { key: '', tail: 'gateway_redis_seconds' }], all).map(({ sink }) => sink);
    expect([...all.keys()].filter((sink) => !found.includes(sink))).toEqual([]);
  });

  test.each<[string, (text: string) => string]>([
    ['plain', (text) => text],
    ['hex', (text) => Buffer.from(text).toString('hex')],
    ['percent', (text) => text.replaceAll('_', '%5F')],
    ['percent', (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('')],
    ['JSON escapes', (text) => [...Buffer.from(text)].map((byte) => `\\u00${byte.toString(16)}`).join('')],
    ...['', '.', '..'].flatMap((before): [string, (text: string) => string][] => [
      ['base64', (text) => Buffer.from(`${before}${text}ÿ>`).toString('base64')],
      ['base64url', (text) => Buffer.from(`${before}${text}ÿ>`).toString('base64url')],
    ]),
  ])('any six of them in a row, as %s', (encoding, write) => {
    for (let at = 0; at + WINDOW <= canary.tail.length; at++) {
      const leaks = findLeaks([canary], new Map([['a sink', `before ${write(part(at))} after`]]));
      expect(leaks.map((leak) => leak.encoding)).toContain(encoding);
    }
  });

  test('nothing in five of them, and nothing in a key of another', () => {
    const { key, tail } = createCanary('sk-proj-');
    const five = Array.from({ length: tail.length - 4 }, (_, at) => canary.tail.slice(at, at + 5)).join(' ');
    expect(findLeaks([canary], new Map([['a sink', `${key} ${five}`]]))).toEqual([]);
  });
});
