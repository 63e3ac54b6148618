/** The admin interface: what it answers, and what it refuses. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlatformKey, Tenant } from '../../../shared/domain/tenants/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectRefusal, type Received } from '../../support/clients/refusal.ts';
import { startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

let gateway: TestGateway;
let operator: ReturnType<typeof operate>;
beforeAll(async () => {
  gateway = await startGateway({ workers: 1, env: { ADMIN_TOKEN } });
  operator = operate(gateway);
});
afterAll(() => gateway.stop());

const call = async (...given: Parameters<typeof operator.call>): Promise<Received> => operator.call(...given);

test('a tenant is created, read, changed and deleted', async () => {
  const created = await call('POST', '/admin/tenants', { name: 'Acme', weight: 3, limits: { max_in_flight: 7 } });
  const tenant = created.body as Tenant;
  expect(created.status).toBe(201);
  expect(created.headers.get('location')).toBe(`/admin/tenants/${tenant.id}`);
  expect(created.headers.get('cache-control')).toBe('no-store');
  expect(tenant).toEqual({
    id: expect.stringMatching(/^ten_[0-9a-z]{26}$/),
    object: 'tenant',
    name: 'Acme',
    disabled: false,
    limits: {
      requests_per_minute: null,
      tokens_per_minute: null,
      max_in_flight: 7,
      max_queued: null,
      max_stored_bytes: null,
      monthly_budget_usd: null,
      monthly_user_budget_usd: null,
    },
    allowed_models: null,
    weight: 3,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  });
  const path = `/admin/tenants/${tenant.id}`;
  expect(await call('GET', path)).toMatchObject({ status: 200, body: tenant });
  expect((await call('PATCH', path, {})).body).toEqual(tenant);
  const changed = { ...tenant, name: 'Acme Ltd', disabled: true, allowed_models: ['gpt-4o'] };
  expect((await call('PATCH', path, { name: 'Acme Ltd', disabled: true, allowed_models: ['gpt-4o'] })).body).toEqual(
    changed,
  );
  expect(await call('DELETE', path)).toMatchObject({ status: 204, body: null });
  for (const method of ['GET', 'DELETE']) expectRefusal(await call(method, path), { status: 404, code: 'not_found' });
  expectRefusal(await call('PATCH', path, {}), { status: 404, code: 'not_found' });
});

test('the work of a tenant is shown and cancelled, and what does not go together is refused', async () => {
  const tenant = await operator.tenant();
  const path = `/admin/tenants/${tenant.id}`;
  const none = { object: 'tenant_work', tenant: tenant.id, waiting_jobs: 0, waiting_lines: 0, in_flight: 0 };
  expect(await call('GET', `${path}/work`)).toMatchObject({
    status: 200,
    body: { ...none, stop: null, erasure: null },
  });
  const { status, body } = await call('POST', `${path}/cancel`);
  expect({ status, body }).toMatchObject({ status: 202, body: { ...none, stop: { reason: 'cancelled', jobs: 0 } } });
  for (const [method, at] of [
    ['GET', 'work'],
    ['POST', 'cancel'],
  ] as const) {
    expectRefusal(await call(method, `/admin/tenants/ten_01m828mxt1fr081gqvaaqfex75/${at}`), {
      status: 404,
      code: 'not_found',
    });
  }
  expectRefusal(await call('PATCH', path, { keep_work: true }), {
    status: 400,
    code: 'invalid_body',
    param: 'keep_work',
  });
  expectRefusal(await call('PATCH', path, { disabled: false, keep_work: true }), {
    status: 400,
    code: 'invalid_body',
    param: 'keep_work',
  });
  expectRefusal(await call('DELETE', `${path}?erase=yes`), { status: 400, code: 'invalid_query', param: 'erase' });
  expectRefusal(await call('DELETE', `${path}?erase=true&keep_work=true`), {
    status: 400,
    code: 'invalid_query',
    param: 'keep_work',
  });
  expectRefusal(await call('POST', '/admin/tenants', { name: 'x', keep_work: true }), {
    status: 400,
    code: 'invalid_body',
    param: 'keep_work',
  });
  const { body: disabled } = await call('PATCH', path, { disabled: true, keep_work: true });
  expect(disabled).toEqual({ ...tenant, disabled: true });
});

test('a key is issued with its secret, listed without it, replaced, and revoked', async () => {
  const tenant = await operator.tenant();
  const path = `/admin/tenants/${tenant.id}/keys`;
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const { status, body } = await call('POST', path, { name: 'ci', scopes: ['usage:read'], expires_at });
  expect(status).toBe(201);
  const { secret, ...key } = body as PlatformKey & { secret: string };
  expect(secret).toMatch(new RegExp(`^gk_${key.id.slice(4)}_[0-9a-z]{47}$`));
  expect(key).toEqual({
    id: expect.stringMatching(/^key_[0-9a-z]{26}$/),
    object: 'platform_key',
    name: 'ci',
    scopes: ['usage:read'],
    created_at: expect.any(String),
    expires_at,
    last_used_at: null,
  });
  expect((await call('GET', path)).body).toEqual({ object: 'list', data: [key], has_more: false, next_cursor: null });

  const rotated = (await call('POST', `${path}/${key.id}/rotate`, { overlap_seconds: 60 })).body as PlatformKey;
  expect(rotated).toMatchObject({ name: 'ci', scopes: ['usage:read'] });
  const { data } = (await call('GET', path)).body as Page<PlatformKey>;
  expect(data.map(({ id }) => id)).toEqual([rotated.id, key.id]);
  expect(Date.parse(data[1]?.expires_at ?? '')).toBeLessThan(Date.now() + 61_000);

  expect((await call('DELETE', `${path}/${key.id}`)).status).toBe(204);
  expectRefusal(await call('DELETE', `${path}/${key.id}`), { status: 404, code: 'not_found' });
  expectRefusal(await call('POST', `${path}/${key.id}/rotate`, {}), { status: 404, code: 'not_found' });
  const other = await operator.tenant();
  expectRefusal(await call('DELETE', `/admin/tenants/${other.id}/keys/${rotated.id}`), {
    status: 404,
    code: 'not_found',
  });
});

test('lists come in pages, newest first', async () => {
  const made: string[] = [];
  for (let count = 0; count < 5; count++) made.unshift((await operator.tenant()).id);
  const seen: string[] = [];
  for (let after = ''; ; ) {
    const page = (await call('GET', `/admin/tenants?limit=2${after}`)).body as Page<Tenant>;
    seen.push(...page.data.map(({ id }) => id));
    expect(page.has_more).toBe(page.next_cursor !== null);
    if (page.next_cursor === null) break;
    after = `&after=${page.next_cursor}`;
  }
  expect(seen.slice(0, 5)).toEqual(made);
  expect(new Set(seen).size).toBe(seen.length);
});

test('the queues are counted', async () => {
  expect((await call('GET', '/admin/queues')).body).toEqual({
    object: 'list',
    data: [
      {
        queue: 'completions',
        shard: 0,
        unfinished: 0,
        handed_off: 0,
        delayed: 0,
        parked_lanes: 0,
        worker_slots: expect.any(Number),
      },
    ],
    has_more: false,
    next_cursor: null,
  });
});

describe('refused with the place of the mistake:', () => {
  const NAME = { name: 'x' };
  test.each<[string, unknown, string | null, RegExp]>([
    ['nothing', {}, 'name', /required/],
    ['an array', [], null, /object/],
    ['an id', { ...NAME, id: 'ten_1' }, 'id', /not known/],
    ['a secret as a name of a field', { ...NAME, 'sk-1234': 1 }, '(name not shown)', /not known/],
    ['no name', { name: '' }, 'name', /1 or more/],
    ['a name with a line feed', { name: 'a\nb' }, 'name', /plain text/],
    ['a weight of nothing', { ...NAME, weight: 0 }, 'weight', /1 or more/],
    ['too much weight', { ...NAME, weight: 1_001 }, 'weight', /1000 or less/],
    ['a limit of nothing', { ...NAME, limits: { max_queued: 0 } }, 'limits.max_queued', /1 or more/],
    ['a limit in words', { ...NAME, limits: { max_queued: 'many' } }, 'limits.max_queued', /number/],
    ['an unknown limit', { ...NAME, limits: { max: 1 } }, 'limits.max', /not known/],
    ['a budget below a cent', { ...NAME, limits: { monthly_budget_usd: 0.001 } }, 'limits.monthly_budget_usd', /0\.01/],
    ['an empty list of models', { ...NAME, allowed_models: [] }, 'allowed_models', /1 or more/],
    ['a model with a blank', { ...NAME, allowed_models: ['a b'] }, 'allowed_models[0]', /must match/],
  ])('a tenant with %s', async (_, body, param, message) => {
    expectRefusal(await call('POST', '/admin/tenants', body), { status: 400, code: 'invalid_body', param, message });
  });

  test.each<[string, unknown, string, RegExp]>([
    ['no name', {}, 'name', /required/],
    ['no scopes', { ...NAME, scopes: [] }, 'scopes', /1 or more/],
    ['an unknown scope', { ...NAME, scopes: ['jobs:read', 'admin'] }, 'scopes[1]', /one of jobs:write/],
    ['a past expiry', { ...NAME, expires_at: '2020-01-01T00:00:00Z' }, 'expires_at', /future/],
    ['a far expiry', { ...NAME, expires_at: '2999-01-01T00:00:00Z' }, 'expires_at', /10 years/],
    ['a day as its expiry', { ...NAME, expires_at: '2030-01-01' }, 'expires_at', /such as/],
    ['a secret of one’s own', { ...NAME, secret: 'gk_x' }, 'secret', /not known/],
  ])('a key with %s', async (_, body, param, message) => {
    const { id } = await operator.tenant();
    const answer = await call('POST', `/admin/tenants/${id}/keys`, body);
    expectRefusal(answer, { status: 400, code: 'invalid_body', param, message });
  });

  test.each([-1, 604_801, 0.5, '60', null])('an overlap of %j', async (overlap_seconds) => {
    const tenant = await operator.tenant();
    const { id } = await operator.issue(tenant);
    const answer = await call('POST', `/admin/tenants/${tenant.id}/keys/${id}/rotate`, { overlap_seconds });
    expectRefusal(answer, { status: 400, code: 'invalid_body', param: 'overlap_seconds' });
  });

  test.each(['limit=0', 'limit=101', 'after=x', 'after=', 'other=1', 'limit=1&limit=2'])(
    'a list with ?%s',
    async (query) => {
      const { id } = await operator.tenant();
      for (const path of ['/admin/tenants', `/admin/tenants/${id}/keys`]) {
        expectRefusal(await call('GET', `${path}?${query}`), { status: 400, code: 'invalid_query' });
      }
    },
  );

  test.each(['ten_0', 'acme', 'key_01m828mxt1fr081gqvaaqfex75', 'ten_01m828mxt1fr081gqvaaqfex75'])(
    'the tenant %s, which is none',
    async (id) => {
      const path = `/admin/tenants/${id}`;
      for (const answer of [
        await call('GET', path),
        await call('PATCH', path, {}),
        await call('DELETE', path),
        await call('GET', `${path}/keys`),
        await call('POST', `${path}/keys`, { name: 'x' }),
        await call('DELETE', `${path}/keys/key_01m828mxt1fr081gqvaaqfex75`),
        await call('POST', `${path}/keys/key_01m828mxt1fr081gqvaaqfex75/rotate`, {}),
      ]) {
        expectRefusal(answer, { status: 404, code: 'not_found', param: null });
      }
    },
  );
});

test('two tokens contradict each other', async () => {
  const headers: [string, string][] = [
    ['Authorization', `Bearer ${ADMIN_TOKEN}`],
    ['Authorization', `Bearer ${ADMIN_TOKEN}`],
  ];
  const response = await fetch(`${gateway.apis[0]?.url ?? ''}/admin/queues`, { headers });
  expect(response.status).toBe(400);
});

test('each call has a line in the log, with neither token nor body', async () => {
  const { headers } = await call('POST', '/admin/tenants', { name: 'NameOfATenant7' });
  const lines = () => gateway.apis[0]?.log.filter(({ request_id }) => request_id === headers.get('x-request-id')) ?? [];
  await until('the call has its line', () => lines().length > 0);
  expect(lines()).toMatchObject([{ msg: 'request', method: 'POST', route: '/admin/tenants', status: 201 }]);
  expect(JSON.stringify(gateway.apis[0]?.log)).not.toMatch(/NameOfATenant7|operator-token/);
});
