/** GET /admin/audit over several shards, and the rows of what operators do. */

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRow } from '../../../shared/domain/audit/audit-row.ts';
import type { Tenant } from '../../../shared/domain/tenants/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectRefusal } from '../../support/clients/refusal.ts';
import { runCommand } from '../../support/processes/command.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const SHARDS = 3;

let gateway: TestGateway;
let operator: ReturnType<typeof operate>;
beforeAll(async () => {
  gateway = await startGateway({ env: { ADMIN_TOKEN, SHARDS: String(SHARDS) } });
  operator = operate(gateway);
});
afterAll(() => gateway.stop());

const page = async (query: Record<string, string> = {}): Promise<Page<AuditRow>> => {
  const { status, body } = await operator.call('GET', `/admin/audit?${new URLSearchParams(query).toString()}`);
  expect(status).toBe(200);
  return body as Page<AuditRow>;
};
const all = async (query: Record<string, string> = {}): Promise<AuditRow[]> => {
  const rows: AuditRow[] = [];
  let after: string | null = null;
  do {
    const { data, has_more, next_cursor }: Page<AuditRow> = await page({
      limit: '7',
      ...query,
      ...(after && { after }),
    });
    expect(data.length).toBeLessThanOrEqual(Number(query.limit ?? 7));
    expect(has_more).toBe(next_cursor !== null);
    rows.push(...data);
    after = next_cursor;
  } while (after !== null);
  return rows;
};
const command = (name: 'audit' | 'tenants', ...args: string[]) =>
  runCommand(name, [...args, '--json'], {
    REDIS_URL: gateway.redis.url,
    DATA_DIR: gateway.env.DATA_DIR ?? '',
    SHARDS: String(SHARDS),
  });

describe('what an operator does to the registry', () => {
  test('is a row each, in the order in which it was done, with who did it and without a secret', async () => {
    const tenant = await operator.tenant({ name: 'Audited', weight: 3, limits: { max_queued: 5 } });
    await operator.change(tenant, { disabled: true });
    await operator.change(tenant, {});
    await operator.change(tenant, { limits: { max_queued: null, monthly_budget_usd: 9.5 }, allowed_models: ['m'] });
    const first = await operator.issue(tenant, { name: 'ci', scopes: ['jobs:read', 'usage:read'] });
    const second = await operator.rotate(tenant, first, 60);
    await operator.revoke(tenant, second);
    await operator.revoke(tenant, second);
    await command('tenants', 'enable', tenant.id);
    const third = JSON.parse((await command('tenants', 'keys', 'issue', tenant.id, '--name', 'x')).stdout) as {
      id: string;
      secret: string;
    };
    await operator.call('DELETE', `/admin/tenants/${tenant.id}`);
    await operator.call('DELETE', `/admin/tenants/${tenant.id}`);

    const rows = (await all({ tenant: tenant.id })).toReversed();
    const by = { object: 'audit_row', tenant: tenant.id, actor: 'operator' };
    const stops = rows.filter(({ kind }) => kind === 'work_stopped');
    expect(stops).toMatchObject([
      { ...by, reason: 'tenant_disabled', platform_key: null },
      { ...by, reason: 'key_revoked', platform_key: second.id },
      { ...by, reason: 'tenant_deleted', platform_key: null },
    ]);
    const ofRegistry = rows.filter(({ id }) => id.startsWith('registry:'));
    expect(ofRegistry).toMatchObject([
      { ...by, kind: 'tenant_created', changes: { name: 'Audited', weight: 3, limits: { max_queued: 5 } } },
      { ...by, kind: 'tenant_changed', changes: { disabled: true } },
      {
        ...by,
        kind: 'tenant_changed',
        changes: { limits: { max_queued: null, monthly_budget_usd: 9.5 }, allowed_models: ['m'] },
      },
      { ...by, kind: 'key_issued', platform_key: first.id, name: 'ci', scopes: 'jobs:read usage:read' },
      { ...by, kind: 'key_rotated', platform_key: second.id, replaced_key: first.id, overlap_ms: 60_000 },
      { ...by, kind: 'key_revoked', platform_key: second.id },
      { ...by, actor: 'command', kind: 'tenant_changed', changes: { disabled: false } },
      { ...by, actor: 'command', kind: 'key_issued', platform_key: third.id, name: 'x', scopes: null },
      { ...by, kind: 'tenant_deleted', revoked_keys: 2 },
    ]);
    for (const { secret } of [first, second, third]) expect(JSON.stringify(rows)).not.toContain(secret.slice(-12));
  });

  test('leaves no row where it was refused', async () => {
    const before = await all();
    const absent = { id: 'ten_01m828mxt1fr081gqvaaqfex75' } as Tenant;
    await operator.change(absent, { weight: 2 });
    await operator.call('POST', `/admin/tenants/${absent.id}/keys`, { name: 'x' });
    await operator.call('POST', '/admin/tenants', { name: '' });
    await operator.call('DELETE', `/admin/tenants/${absent.id}`);
    expect(await all()).toEqual(before);
  });
});

describe('what shows a secret, or asks for more than it may', () => {
  const rowsOf = async (kind: string) => (await all({ limit: '100' })).filter((row) => row.kind === kind);

  test('a webhook secret that is read is a row with the key that read it, once a minute however often it is read', async () => {
    const tenant = await operator.tenant();
    const { id, secret: key } = await operator.issue(tenant);
    const read = () => gateway.call('GET', '/v1/webhooks/secret', { key });
    // This draws it.
    expect((await read()).status).toBe(200);
    const before = (await rowsOf('webhook_secret_read')).length;
    for (let count = 0; count < 4; count++) await read();
    const { secret } = (await read()).body as { secret: string };
    const rows = await rowsOf('webhook_secret_read');
    expect(rows.length - before).toBeLessThanOrEqual(1);
    expect(rows[0]).toMatchObject({ tenant: tenant.id, platform_key: id });
    expect(JSON.stringify(rows)).not.toContain(secret.slice(-12));
  });

  test('log-ins with a wrong admin token are rows with their network and number, few however many there are', async () => {
    const wrong = 'wrong-admin-token-0123456789abcdefghij';
    for (let count = 0; count < 25; count++) {
      const answer = await fetch(`${gateway.apis[0]?.url}/admin/tenants`, {
        headers: { Authorization: `Bearer ${wrong}` },
      });
      expect(answer.status).toBe(401);
    }
    await until('both rows are there', async () => (await rowsOf('admin_login_failed')).length === 2);
    expect(
      (await rowsOf('admin_login_failed')).map(({ tenant, network, count }) => ({ tenant, network, count })),
    ).toEqual([
      { tenant: '', network: '127.0.0.1', count: 10 },
      { tenant: '', network: '127.0.0.1', count: 1 },
    ]);
  });
});

describe('the log of all shards', () => {
  let rows: AuditRow[] = [];
  beforeAll(async () => {
    // The tenants are on different shards.
    const keys = [KEYS.acme, KEYS.beta, KEYS.gamma];
    const jobs = await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        const own = keys[index % keys.length] ?? '';
        return { own, id: (await gateway.submit(`audited ${index}`, { key: own })).id };
      }),
    );
    for (const { id, own } of jobs) await gateway.finished(id, { key: own });
    await operator.tenant();
    rows = await all({ limit: '100' });
  });

  test('is listed newest first, each row once, whatever the size of the pages', async () => {
    const shards = new Set(rows.map(({ id }) => id.split(':')[0]));
    expect(shards.size).toBeGreaterThan(2);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.filter(({ kind }) => kind.startsWith('attempt_'))).toHaveLength(48);
    expect(rows.map(({ time }) => time)).toEqual(
      rows
        .map(({ time }) => time)
        .toSorted()
        .toReversed(),
    );
    for (const limit of ['1', '7', '100']) expect(await all({ limit })).toEqual(rows);
    expect((await page()).data).toEqual(rows.slice(0, 20));
  });

  test('is listed by tenant, and no tenant’s page holds a row of another', async () => {
    for (const tenant of ['acme', 'beta', 'gamma']) {
      const own = await all({ tenant });
      expect(own).toEqual(rows.filter((row) => row.tenant === tenant));
      expect(own).toHaveLength(16);
    }
    expect(await all({ tenant: 'nobody' })).toEqual([]);
  });

  test('is found for a tenant behind hundreds of rows of others, in pages that may be short', async () => {
    const redis = new Redis(gateway.redis.url);
    const pipeline = redis.pipeline();
    const startMs = Date.now();
    for (let count = 0; count < 700; count++) {
      // The same id on every shard.
      for (let shard = 0; shard < SHARDS; shard++) {
        pipeline.xadd(key(shardTag(shard), 'AUDIT'), `${startMs + count}-0`, 'row', '["key_revoked","other"]');
      }
    }
    await pipeline.exec();
    redis.disconnect();
    const everything = await all({ limit: '100' });
    expect(everything).toHaveLength(rows.length + 700 * SHARDS);
    expect(new Set(everything.map(({ id }) => id)).size).toBe(everything.length);
    expect((await page({ tenant: 'acme' })).data).toEqual([]);
    expect((await page({ tenant: 'acme' })).has_more).toBe(true);
    expect(await all({ tenant: 'acme' })).toEqual(rows.filter(({ tenant }) => tenant === 'acme'));
  });

  test('is listed by the command too', async () => {
    const { stdout } = await command('audit', 'list', '--tenant', 'beta', '--limit', '5');
    expect(JSON.parse(stdout)).toEqual(rows.filter(({ tenant }) => tenant === 'beta').slice(0, 5));
    const table = await runCommand('audit', ['list', '--tenant', 'beta', '--limit', '1'], {
      REDIS_URL: gateway.redis.url,
      DATA_DIR: gateway.env.DATA_DIR ?? '',
      SHARDS: String(SHARDS),
    });
    expect(table.stdout).toMatch(
      /^id .*\ns\d:\S+ +\S+Z +attempt_ended +beta +platform_key=config_\S+ job_id=job_.* outcome=completed\n$/,
    );
    expect(await command('audit', 'list', '--limit', 'many')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^limit must be a whole number/),
    });
    expect(await command('audit', 'list', '--tenant', 'a b')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tenant must be/),
    });
  });

  test.each([
    ['tenant', 'a%20b'],
    ['limit', '0'],
    ['limit', '101'],
    ['after', 'x'],
    ['after', Buffer.from('s0:1-0x').toString('base64url')],
    ['after', Buffer.from('s0:0-0').toString('base64url')],
    ['before', 'x'],
  ])('refuses a query with %s=%s', async (param, value) => {
    expectRefusal(await operator.call('GET', `/admin/audit?${param}=${value}`), {
      status: 400,
      code: 'invalid_query',
      param,
    });
  });
});
