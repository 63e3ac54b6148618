/** Every route with every kind of credential, from the table of routes; and what becomes of keys while requests run. */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../../api/interface.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { SCOPES, type Scope } from '../../../shared/domain/tenants/caller.ts';
import type { IssuedPlatformKey, PlatformKey, Tenant } from '../../../shared/domain/tenants/schema.ts';
import { createPlatformKeySecrets } from '../../../shared/keys/platform/platform-key.ts';
import { key as redisKey, shardTag } from '../../../shared/storage/redis/names.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectRefusal, HELLO, type Received, type Refusal } from '../../support/clients/refusal.ts';
import { KEYS, startGateway, type TestApi, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';
import { peppersOf, ringText } from '../../unit/keys/rings.ts';

const MOST_FAILURES = 20;

let gateway: TestGateway;
let throttled: TestApi;
let operator: ReturnType<typeof operate>;
let tenant: Tenant;
let foreignJob: Job;
const keys: Record<string, IssuedPlatformKey> = {};
beforeAll(async () => {
  gateway = await startGateway({ workers: 1, apis: 2, env: { ADMIN_TOKEN } });
  throttled = await gateway.addApi({ AUTH_FAILURES_PER_MINUTE: String(MOST_FAILURES) });
  operator = operate(gateway);
  tenant = await operator.tenant();
  foreignJob = await gateway.submit('of another tenant');
  keys.good = await operator.issue(tenant);
  for (const scope of SCOPES) {
    keys[`only ${scope}`] = await operator.issue(tenant, { scopes: [scope] });
    keys[`all but ${scope}`] = await operator.issue(tenant, { scopes: SCOPES.filter((other) => other !== scope) });
  }
  keys.revoked = await operator.issue(tenant);
  await gateway.call('GET', '/v1/usage', { key: keys.revoked.secret });
  await operator.revoke(tenant, keys.revoked);
  keys.expired = await operator.issue(tenant, { expires_at: new Date(Date.now() + 1_500).toISOString() });
  const disabled = await operator.tenant({ disabled: true });
  keys.disabled = await operator.issue(disabled);
  const deleted = await operator.tenant();
  keys.deleted = await operator.issue(deleted);
  await operator.call('DELETE', `/admin/tenants/${deleted.id}`);
  await delay(3_100);
});
afterAll(() => gateway.stop());

/** Without the third, which takes few wrong keys. */
const both = (): TestApi[] => gateway.apis.slice(0, 2);

const secretOf = (name: string): string => keys[name]?.secret ?? '';
const strangers = createPlatformKeySecrets(peppersOf(ringText('p1')));

const send = async (method: string, path: string, headers: Record<string, string>, api = gateway.apis[0]) => {
  const body = method === 'POST' || method === 'PATCH' ? JSON.stringify(HELLO) : null;
  const response = await fetch(`${api?.url ?? ''}${path}`, {
    method,
    headers: { ...(body === null ? {} : { 'Content-Type': 'application/json' }), ...headers },
    body,
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  const answer: Received = {
    status: response.status,
    headers: response.headers,
    // What needs no key may be a page or a list of measures.
    body: isJson ? JSON.parse(text) : text || null,
  };
  return answer;
};
const withKey = (key: string) => ({ 'X-API-Key': key });

const CALLS = OPERATIONS.map(({ method, path, access }) => ({ method, path, access }));
/** The path with ids that are another tenant's, or nobody's. */
const pathOf = (path: string): string =>
  path.startsWith('/v1') ? path.replace(':id', foreignJob.id) : path.replace(':id', 'ten_0').replace(':keyId', 'key_0');

const MISSING: Refusal = { status: 401, code: 'missing_api_key', param: 'X-API-Key' };
const INVALID: Refusal = { status: 401, code: 'invalid_api_key', param: 'X-API-Key', message: /^This platform key is/ };
const DISABLED: Refusal = { status: 403, code: 'tenant_disabled', param: null };

describe.each(CALLS.filter(({ path }) => path.startsWith('/v1/')))('$method $path, which needs $access,', (call) => {
  const { method, path } = call;
  // A cast because the filter is one by path: the table's own type says that such a path has a scope.
  const access = call.access as Scope;
  const refused = async (headers: Record<string, string>, refusal: Refusal): Promise<void> => {
    for (const api of both()) expectRefusal(await send(method, pathOf(path), headers, api), refusal);
  };

  test('is refused without a key', () => refused({}, MISSING));
  test('is refused with a wrong key', () => refused(withKey('wrong-platform-key-0001'), INVALID));
  test('is refused with a key whose checksum is wrong', () =>
    refused(withKey(`${secretOf('good').slice(0, -1)}!`), INVALID));
  test('is refused with a key nobody issued', () => refused(withKey(strangers.issue().text.reveal()), INVALID));
  test('is refused with the id of a good key and another secret', () => {
    const stranger = strangers.issue().text.reveal();
    return refused(withKey(`${secretOf('good').slice(0, 30)}${stranger.slice(30)}`), INVALID);
  });
  test.each(['revoked', 'expired', 'deleted'])('is refused with a key that was %s', (name) =>
    refused(withKey(secretOf(name)), INVALID),
  );
  test('is refused with the operator’s token', () => refused(withKey(ADMIN_TOKEN), INVALID));
  test('is refused for a disabled tenant', () => refused(withKey(secretOf('disabled')), DISABLED));
  test('is refused with a key that has every other scope', () =>
    refused(withKey(secretOf(`all but ${access}`)), {
      status: 403,
      code: 'scope_missing',
      param: null,
      message: new RegExp(access),
    }));
  test.each(['good', `only ${access}`])('is let in with a key that is %s', async (name) => {
    for (const headers of [withKey(secretOf(name)), { Authorization: `Bearer ${secretOf(name)}` }]) {
      const answer = await send(method, pathOf(path), headers);
      // What names something of another tenant, finds nothing.
      if (path.includes(':id')) expectRefusal(answer, { status: 404, code: 'not_found', param: null });
      else expect([401, 403, 404, 405, 500, 503]).not.toContain(answer.status);
    }
  });
  test('says 404 and 405 before it says what scope is missing', async () => {
    const headers = withKey(secretOf(`all but ${access}`));
    expectRefusal(await send('GET', '/v1/nowhere', headers), { status: 404, code: 'not_found' });
    expectRefusal(await send('PUT', pathOf(path), headers), { status: 405, code: 'method_not_allowed' });
  });
});

describe.each(CALLS.filter(({ path }) => path.startsWith('/admin/')))('$method $path', ({ method, path, access }) => {
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const NO_TOKEN: Refusal = { status: 401, code: 'missing_api_key', param: 'Authorization' };
  const NOT_IT: Refusal = { status: 401, code: 'invalid_api_key', param: 'Authorization' };
  test.each<[string, () => Record<string, string>, Refusal]>([
    ['no token', () => ({}), NO_TOKEN],
    ['a tenant’s key', () => withKey(secretOf('good')), NO_TOKEN],
    ['a tenant’s key of the configuration', () => withKey(KEYS.acme), NO_TOKEN],
    ['the token in another header', () => withKey(ADMIN_TOKEN), NO_TOKEN],
    ['a tenant’s key as a token', () => bearer(secretOf('good')), NOT_IT],
    ['a wrong token', () => bearer(`${ADMIN_TOKEN}1`), NOT_IT],
    ['the token in capitals', () => bearer(ADMIN_TOKEN.toUpperCase()), NOT_IT],
    [
      'basic authentication',
      () => ({ Authorization: `Basic ${ADMIN_TOKEN}` }),
      { status: 400, code: 'invalid_header' },
    ],
  ])('is refused with %s', async (_, headers, refusal) => {
    expect(access).toBe('operator');
    expectRefusal(await send(method, pathOf(path), headers()), refusal);
  });
  test('lets the operator in', async () => {
    const { status } = await send(method, pathOf(path), bearer(ADMIN_TOKEN));
    expect([200, 400, 404]).toContain(status);
  });
});

test.each(CALLS.filter(({ access }) => access === 'anyone'))(
  '$method $path needs nothing',
  async ({ method, path }) => {
    expect(await send(method, path, {})).toMatchObject({ status: 200 });
  },
);

test('an admin path that does not exist says so to the operator only', async () => {
  expectRefusal(await send('GET', '/admin/nowhere', {}), { status: 401, code: 'missing_api_key' });
  expectRefusal((await operator.call('GET', '/admin/nowhere')) as Received, { status: 404, code: 'not_found' });
});

test('a model that is not in the tenant’s list is refused, on the platform’s account and on a user’s key', async () => {
  const choosy = await operator.tenant({ allowed_models: ['gpt-4o'] });
  const { secret } = await operator.issue(choosy);
  const submit = (fields: object, headers = {}) =>
    gateway.call('POST', '/v1/complete', { key: secret, body: { ...HELLO, ...fields }, headers });
  const user = { 'X-User-API-Key': 'sk-proj-test0000000000000000', 'X-User-Provider': 'openai' };
  const refusal: Refusal = { status: 403, code: 'model_not_allowed', param: 'model', message: /gpt-4o/ };
  for (const answer of [
    await submit({}),
    await submit({ model: 'gpt-4' }),
    await submit({ model: 'GPT-4o' }),
    await submit({ model: 'gpt-4o-mini' }, user),
  ]) {
    expectRefusal(answer, refusal);
  }
  expect((await submit({ model: 'gpt-4o' }, user)).status).toBe(202);
  await operator.change(choosy, { allowed_models: null });
  await until('every model is let in', async () => (await submit({})).status === 202, { withinMs: 5_000 });
});

test('another tenant’s jobs are neither listed nor found with a managed key', async () => {
  const { secret } = await operator.issue(await operator.tenant());
  expect((await gateway.call('GET', '/v1/jobs', { key: secret })).body).toMatchObject({ data: [] });
  expect((await gateway.call('GET', `/v1/jobs/${foreignJob.id}`, { key: secret })).status).toBe(404);
});

describe.concurrent('within 5 seconds in every process', () => {
  /** Keeps the key in use on both processes, changes something, and waits until both answer this. */
  const expectSoon = async (key: string, change: () => Promise<unknown>, status: number): Promise<void> => {
    const answers = () => Promise.all(both().map((api) => gateway.call('GET', '/v1/usage', { key, api })));
    for (const answer of await answers()) expect(answer.status).toBe(200);
    await change();
    const soon = async () => (await answers()).every((answer) => answer.status === status);
    await until(`all say ${status}`, soon, { withinMs: 5_000, everyMs: 50 });
  };

  test('a revoked key is refused', async () => {
    const key = await operator.issue(tenant);
    await expectSoon(key.secret, () => operator.revoke(tenant, key), 401);
  });
  test('a disabled tenant is refused, and let in again', async () => {
    const other = await operator.tenant();
    const key = await operator.issue(other);
    await expectSoon(key.secret, () => operator.change(other, { disabled: true }), 403);
    await operator.change(other, { disabled: false });
    const back = async () => (await gateway.call('GET', '/v1/usage', { key: key.secret })).status === 200;
    await until('it is let in', back, { withinMs: 5_000 });
  });
  test('a tenant that is deleted with keep_work is refused, and its jobs run out', async () => {
    const other = await operator.tenant();
    const key = await operator.issue(other);
    const job = await gateway.submit('of a tenant that leaves', { key: key.secret });
    await expectSoon(key.secret, () => operator.call('DELETE', `/admin/tenants/${other.id}?keep_work=true`), 401);
    const redis = new Redis(gateway.redis.url);
    const record = redisKey(shardTag(0), 'JOB', job.id);
    await until('its job has run', async () => (await redis.hget(record, 'status')) === 'completed');
    redis.disconnect();
  });
  test('a key that was replaced without overlap is refused', async () => {
    const key = await operator.issue(tenant);
    await expectSoon(key.secret, () => operator.rotate(tenant, key, 0), 401);
  });
});

test('keys are rotated under constant load without one failed request', async () => {
  const busy = await operator.tenant();
  let current = await operator.issue(busy);
  const issued: PlatformKey[] = [current];
  const statuses: number[] = [];
  let stopped = false;
  const client = async (index: number): Promise<void> => {
    for (let turn = index; !stopped; turn++) {
      const api = gateway.apis[turn % 2];
      const { secret } = current;
      const call =
        turn % 3 === 0
          ? gateway.call('POST', '/v1/complete', { key: secret, body: HELLO, ...(api && { api }) })
          : gateway.call('GET', '/v1/usage', { key: secret, ...(api && { api }) });
      statuses.push((await call).status);
    }
  };
  const clients = Array.from({ length: 8 }, (_, index) => client(index));
  for (let rotation = 0; rotation < 8; rotation++) {
    await delay(500);
    // Two seconds are enough for requests under way.
    current = await operator.rotate(busy, current, 2);
    issued.push(current);
  }
  await delay(500);
  stopped = true;
  await Promise.all(clients);
  expect(statuses.length).toBeGreaterThan(200);
  expect(statuses.filter((status) => status !== 200 && status !== 202)).toEqual([]);
  expect(issued.map(({ scopes }) => scopes)).toEqual(issued.map(() => [...SCOPES]));
});

test('failed authentications are throttled by address: past them only keys that authenticated from there before pass, and no other is judged', async () => {
  const fresh = await operator.issue(tenant);
  const known = [
    () => send('GET', '/v1/usage', withKey(secretOf('good')), throttled),
    () => send('GET', '/v1/usage', withKey(KEYS.acme), throttled),
    () => operator.call('GET', '/admin/queues', undefined, throttled),
  ];
  for (const call of known) expect((await call()).status).toBe(200);
  const wrong = () => send('GET', '/v1/usage', withKey('wrong-platform-key-0001'), throttled);
  for (let count = 0; count < MOST_FAILURES; count++) expectRefusal(await wrong(), INVALID);
  for (const answer of [
    await wrong(),
    await send('GET', '/v1/usage', withKey(strangers.issue().text.reveal()), throttled),
    await send(
      'GET',
      '/v1/usage',
      { ...withKey('x'), 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.2' },
      throttled,
    ),
    await send('GET', '/admin/queues', { Authorization: 'Bearer wrong' }, throttled),
    // Good ones that this address never showed: a guess must not learn that it is right.
    await send('GET', '/v1/usage', withKey(fresh.secret), throttled),
    await send('GET', '/v1/usage', withKey(KEYS.beta), throttled),
  ]) {
    expectRefusal(answer, { status: 429, code: 'rate_limited', param: null });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  }
  for (const call of known) expect((await call()).status).toBe(200);
  // No key at all is a mistake and no guess.
  expectRefusal(await send('GET', '/v1/usage', {}, throttled), MISSING);
});

test('while Redis is away a key that no process remembers is unavailable, and never refused', async () => {
  const key = await operator.issue(tenant);
  await gateway.redis.kill();
  try {
    const answer = await send('GET', '/v1/usage', withKey(key.secret));
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'queue_unavailable' } } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expectRefusal(await send('GET', '/v1/usage', withKey('wrong-platform-key-0001')), INVALID);
  } finally {
    await gateway.redis.restart();
  }
  await until('it is let in', async () => (await send('GET', '/v1/usage', withKey(key.secret))).status === 200);
});

test('no key, no token and no part of one is in a log line or in an answer but the one that issued it', async () => {
  const { body: listed } = await operator.call('GET', `/admin/tenants/${tenant.id}/keys?limit=100`);
  const answers = [listed, (await operator.call('GET', '/admin/tenants?limit=100')).body];
  for (const { secret } of Object.values(keys)) {
    for (const method of ['GET', 'POST']) answers.push((await send(method, '/v1/usage', withKey(secret))).body);
    answers.push((await send('GET', '/v1/usage', withKey(`${secret}x`))).body);
  }
  const logs = [...gateway.apis, ...gateway.workers].map(({ log, otherOutput }) => JSON.stringify([log, otherOutput]));
  const shown = JSON.stringify(answers) + logs.join('');
  expect(shown).toContain(keys.good?.id);
  for (const secret of [...Object.values(keys).map(({ secret: text }) => text.slice(30)), ADMIN_TOKEN.slice(9)]) {
    // Shorter pieces of base32 also stand in random ids by chance.
    for (let at = 0; at + 10 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 10));
  }
});
