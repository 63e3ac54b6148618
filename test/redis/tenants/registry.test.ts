/** Tenants and platform keys in a real Redis. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newPlatformKeyId, newTenantId } from '../../../shared/domain/ids.ts';
import { SCOPES } from '../../../shared/domain/tenants/caller.ts';
import { newKey, newTenant, tenantChanges } from '../../../shared/domain/tenants/changes.ts';
import type { Tenant } from '../../../shared/domain/tenants/schema.ts';
import { createPlatformKeySecrets } from '../../../shared/keys/platform/platform-key.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import {
  createPlatformKeyStore,
  type IssueAnswer,
  MOST_KEYS,
} from '../../../shared/storage/tenants/platform-key-store.ts';
import { createTenantStore } from '../../../shared/storage/tenants/tenant-store.ts';
import { createWorkStore } from '../../../shared/storage/tenants/work-store.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';
import { useRedis } from '../../support/redis/use-engine.ts';
import { until } from '../../support/until.ts';
import { peppersOf, ringText } from '../../unit/keys/rings.ts';

const SHARDS = 4;
const secrets = createPlatformKeySecrets(peppersOf(ringText('p1')));
const { redis } = await useRedis();
const run = createCommands(redis);
const tenants = createTenantStore({ redis, run, shards: SHARDS, actor: 'operator' });
const keys = createPlatformKeyStore({ redis, run, secrets, actor: 'operator' });
const work = createWorkStore({ redis, run, shards: SHARDS, retentionMs: 3_600_000 });

const tenant = (): Promise<Tenant> => tenants.create({ name: 'test' });
const issued = (answer: IssueAnswer) => {
  if (answer.kind !== 'issued') throw new Error(`not issued: ${answer.kind}`);
  return answer;
};
const weightOf = async ({ id }: Tenant): Promise<(string | null)[]> =>
  Promise.all(Array.from({ length: SHARDS }, (_, shard) => redis.hget(key(shardTag(shard), 'TENANT', id), 'weight')));

test('a tenant is what it was created with, and the rest are defaults', async () => {
  const plain = await tenant();
  expect(plain).toEqual({
    id: expect.stringMatching(/^ten_[0-9a-z]{26}$/),
    object: 'tenant',
    name: 'test',
    disabled: false,
    limits: NO_LIMITS,
    allowed_models: null,
    weight: 1,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  });
  expect(await tenants.read(plain.id)).toEqual(plain);
  const wish = {
    name: 'Açme "Ltd" 株式会社',
    disabled: true,
    limits: { ...NO_LIMITS, monthly_budget_usd: 0.07, max_queued: 100_000_000 },
    allowed_models: ['gpt-4o', 'amazon.nova-lite-v1:0'],
    weight: 1_000,
  };
  const full = await tenants.create(wish);
  expect(full).toMatchObject(wish);
  expect(await tenants.read(full.id)).toEqual(full);
});

test('a change touches only what it names, also when two come at once', async () => {
  const { id } = await tenants.create({ name: 'test', limits: { max_queued: 5 } });
  await Promise.all([
    tenants.change(id, { limits: { requests_per_minute: 7 } }),
    tenants.change(id, { limits: { max_in_flight: 3 } }),
    tenants.change(id, { disabled: true }),
    tenants.change(id, { allowed_models: ['m'] }),
  ]);
  const limits = { ...NO_LIMITS, max_queued: 5, requests_per_minute: 7, max_in_flight: 3 };
  expect(await tenants.read(id)).toMatchObject({ name: 'test', disabled: true, allowed_models: ['m'], limits });
  expect(
    await tenants.change(id, { disabled: false, allowed_models: null, limits: { max_queued: null } }),
  ).toMatchObject({
    disabled: false,
    allowed_models: null,
    limits: { ...limits, max_queued: null },
  });
});

test('nobody is changed or deleted into being', async () => {
  const id = newTenantId();
  expect(await tenants.change(id, { name: 'x' })).toBeNull();
  expect(await tenants.remove(id)).toBe(false);
  expect(await tenants.read(id)).toBeNull();
  expect(await keys.issue(id, { name: 'x' })).toEqual({ kind: 'no_tenant' });
  expect(await keysHolding(redis, id)).toEqual([]);
});

test('the weight stands where the scheduler of the tenant’s shard reads it, and a change of nothing repairs it', async () => {
  const heavy = await tenants.create({ name: 'test', weight: 7 });
  expect((await weightOf(heavy)).filter(Boolean)).toEqual(['7']);
  await tenants.change(heavy.id, { weight: 9 });
  expect((await weightOf(heavy)).filter(Boolean)).toEqual(['9']);
  const shard = (await weightOf(heavy)).indexOf('9');
  await redis.hdel(key(shardTag(shard), 'TENANT', heavy.id), 'weight');
  await tenants.change(heavy.id, {});
  expect((await weightOf(heavy)).filter(Boolean)).toEqual(['9']);
});

test('lists are newest first, in pages that together hold each once', async () => {
  const made = [];
  for (let count = 0; count < 7; count++) made.push((await tenant()).id);
  const seen: string[] = [];
  let after = null;
  do {
    const { tenants: page, next }: Awaited<ReturnType<typeof tenants.list>> = await tenants.list({ limit: 3, after });
    expect(page.length).toBeLessThanOrEqual(3);
    seen.push(...page.map(({ id }) => id));
    after = next;
  } while (after !== null);
  expect(seen.slice(0, 7).toSorted()).toEqual(made.toSorted());
  expect(seen).toEqual(seen.toSorted().toReversed());
  expect(new Set(seen).size).toBe(seen.length);
});

test('of a deleted tenant nothing stays but its audit rows and, for 14 days, what the scheduler knows of it and that its work is stopped; its keys are gone in the same step', async () => {
  const gone = await tenants.create({ name: 'test', weight: 5 });
  const one = issued(await keys.issue(gone.id, { name: 'one' }));
  await keys.issue(gone.id, { name: 'two' });
  expect(await tenants.remove(gone.id)).toBe(true);
  await work.carryOut(() => true);
  for await (const _ of work.end(gone.id, { mostHandoffs: 0 }));
  expect(await keys.lookUp(one.key.id)).toBeNull();
  expect(await keys.rotate(gone.id, one.key.id, 0)).toEqual({ kind: 'no_tenant' });
  const left = [key('{registry}', 'AUDIT')];
  expect(await keysHolding(redis, one.key.id)).toEqual(left);
  const remains = (await keysHolding(redis, gone.id)).filter((name) => !name.endsWith(':audit'));
  expect(new Set(remains.map((name) => name.split(':')[1]))).toEqual(new Set(['stops', 'tenant']));
  expect(await weightOf(gone)).toContain('5');
  for (const name of remains) expect(await redis.pttl(name)).toBeGreaterThan(13.9 * 86_400_000);
});

test('what is stored of a key recognises it, and holds no part of its secret', async () => {
  const { id } = await tenant();
  const { key: made, secret } = issued(await keys.issue(id, { name: 'ci', scopes: ['jobs:read'] }));
  expect(made).toEqual({
    id: expect.stringMatching(/^key_/),
    object: 'platform_key',
    name: 'ci',
    scopes: ['jobs:read'],
    created_at: expect.any(String),
    expires_at: null,
    last_used_at: null,
  });
  const known = await keys.lookUp(made.id);
  expect(known).toMatchObject({ id: made.id, tenant: { id }, scopes: ['jobs:read'], expiresAtMs: null, pepper: 'p1' });
  expect(secrets.matches(secret.reveal(), known)).toBe(true);
  const text = secret.reveal();
  expect(await keysHolding(redis, text.slice(3, 29))).not.toEqual([]);
  for (const at of [30, 45, text.length - 8]) expect(await keysHolding(redis, text.slice(at, at + 8))).toEqual([]);
});

test('a key that was revoked is gone for every store; revoking it again, or as another tenant, changes nothing', async () => {
  const [mine, other] = [await tenant(), await tenant()];
  const { key: made } = issued(await keys.issue(mine.id, { name: 'x' }));
  expect(await keys.revoke(other.id, made.id)).toBe(false);
  expect(await keys.rotate(other.id, made.id, 0)).toEqual({ kind: 'no_key' });
  expect(await keys.lookUp(made.id)).not.toBeNull();
  expect(await keys.revoke(mine.id, made.id)).toBe(true);
  expect(await keys.revoke(mine.id, made.id)).toBe(false);
  await keys.touch(made.id);
  expect(await keys.lookUp(made.id)).toBeNull();
  expect((await keys.list(mine.id, { limit: 10, after: null })).keys).toEqual([]);
  expect(await keys.rotate(mine.id, made.id, 0)).toEqual({ kind: 'no_key' });
  expect(await keys.rotate(mine.id, newPlatformKeyId(), 0)).toEqual({ kind: 'no_key' });
});

test('whatever keys are rotated in whatever order, none has more scopes or a longer life than the one it came from', async () => {
  const { id } = await tenant();
  const scopes = fc.option(fc.uniqueArray(fc.constantFrom(...SCOPES), { minLength: 1 }), { nil: undefined });
  const lifetime = fc.option(fc.integer({ min: 60_000, max: 10_000_000 }), { nil: null });
  const rotations = fc.array(fc.constantFrom(0, 1_000, 60_000, 86_400_000), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(scopes, lifetime, rotations, async (wanted, lifetimeMs, overlaps) => {
      const expires_at = lifetimeMs === null ? null : Date.now() + lifetimeMs;
      const first = issued(await keys.issue(id, { name: 'n', scopes: wanted, expires_at })).key;
      const chain = [first];
      for (const overlapMs of overlaps) {
        const before = chain.at(-1) ?? first;
        const beforeKnown = await keys.lookUp(before.id);
        const next = issued(await keys.rotate(id, before.id, overlapMs)).key;
        const old = await keys.lookUp(before.id);
        if (overlapMs === 0) expect(old).toBeNull();
        else {
          expect(old?.expiresAtMs).toBeLessThanOrEqual(Date.now() + overlapMs + 50);
          if (beforeKnown?.expiresAtMs) expect(old?.expiresAtMs).toBeLessThanOrEqual(beforeKnown.expiresAtMs);
        }
        chain.push(next);
      }
      for (const made of chain) {
        expect(made.name).toBe('n');
        expect(made.scopes.toSorted()).toEqual([...(wanted ?? SCOPES)].toSorted());
        const life = made.expires_at === null ? null : Date.parse(made.expires_at) - Date.parse(made.created_at);
        if (lifetimeMs === null) expect(life).toBeNull();
        else expect(life).toBeLessThanOrEqual(lifetimeMs + 50);
      }
      for (const made of chain) await keys.revoke(id, made.id);
    }),
    { numRuns: 60 },
  );
});

test('a rotated key can be rotated again with the lifetime that it was made for, an expired one cannot', async () => {
  const { id } = await tenant();
  const first = issued(await keys.issue(id, { name: 'x', expires_at: Date.now() + 600_000 })).key;
  const second = issued(await keys.rotate(id, first.id, 1_000)).key;
  const third = issued(await keys.rotate(id, first.id, 1)).key;
  for (const { created_at, expires_at } of [second, third]) {
    expect(Math.abs(Date.parse(expires_at ?? '') - Date.parse(created_at) - 600_000)).toBeLessThan(1_000);
  }
  await until('it has expired', async () => (await keys.rotate(id, first.id, 60_000)).kind === 'expired');
});

test(`a tenant has at most ${MOST_KEYS} keys; one that expired 30 days ago makes room`, async () => {
  const { id } = await tenant();
  const made = [];
  for (let count = 0; count < MOST_KEYS; count++) made.push(issued(await keys.issue(id, { name: 'x' })).key);
  const [first, second] = made;
  if (!first || !second) throw new Error('none made');
  expect(await keys.issue(id, { name: 'x' })).toEqual({ kind: 'full' });
  expect(await keys.rotate(id, first.id, 1_000)).toEqual({ kind: 'full' });
  expect((await keys.lookUp(first.id))?.expiresAtMs).toBeNull();
  const replaced = issued(await keys.rotate(id, first.id, 0)).key;
  expect(await keys.lookUp(replaced.id)).not.toBeNull();
  await redis.hset(key('{registry}', 'PLATFORM_KEY', second.id), 'expires', Date.now() - 29 * 86_400_000);
  expect(await keys.issue(id, { name: 'x' })).toEqual({ kind: 'full' });
  await redis.hset(key('{registry}', 'PLATFORM_KEY', second.id), 'expires', Date.now() - 31 * 86_400_000);
  issued(await keys.issue(id, { name: 'x' }));
  expect(await keys.lookUp(second.id)).toBeNull();
  expect(await tenants.remove(id)).toBe(true);
  expect(await keysHolding(redis, second.id)).toEqual([key('{registry}', 'AUDIT')]);
});

test('the use of a key is noted', async () => {
  const { id } = await tenant();
  const { key: made } = issued(await keys.issue(id, { name: 'x' }));
  await keys.touch(made.id);
  const [listed] = (await keys.list(id, { limit: 1, after: null })).keys;
  expect(Math.abs(Date.parse(listed?.last_used_at ?? '') - Date.now())).toBeLessThan(5_000);
});

test.each([
  ['of a new tenant', {}, newTenant],
  ['of a new tenant', { name: '' }, newTenant],
  ['of a new tenant', { name: ' x' }, newTenant],
  ['of a new tenant', { name: 'a\nb' }, newTenant],
  ['of a new tenant', { name: 'x'.repeat(101) }, newTenant],
  ['of a new tenant', { name: 'x', id: 'ten_1' }, newTenant],
  ['of a change', { weight: 0 }, tenantChanges],
  ['of a change', { weight: 1_001 }, tenantChanges],
  ['of a change', { weight: 1.5 }, tenantChanges],
  ['of a change', { weight: null }, tenantChanges],
  ['of a change', { limits: { max_in_flight: 0 } }, tenantChanges],
  ['of a change', { limits: { max_in_flight: '1' } }, tenantChanges],
  ['of a change', { limits: { requests_per_minute: 1_000_001 } }, tenantChanges],
  ['of a change', { limits: { monthly_budget_usd: 0 } }, tenantChanges],
  ['of a change', { limits: { monthly_budget_usd: -1 } }, tenantChanges],
  ['of a change', { limits: { monthly_budget_usd: 1_000_001 } }, tenantChanges],
  ['of a change', { limits: { other: 1 } }, tenantChanges],
  ['of a change', { allowed_models: [] }, tenantChanges],
  ['of a change', { allowed_models: ['a b'] }, tenantChanges],
  ['of a change', { allowed_models: 'gpt-4o' }, tenantChanges],
  ['of a new key', {}, newKey],
  ['of a new key', { name: 'x', scopes: [] }, newKey],
  ['of a new key', { name: 'x', scopes: ['admin'] }, newKey],
  ['of a new key', { name: 'x', scopes: ['jobs:read', 'jobs:everything'] }, newKey],
  ['of a new key', { name: 'x', expires_at: '2020-01-01T00:00:00Z' }, newKey],
  ['of a new key', { name: 'x', expires_at: '2999-01-01T00:00:00Z' }, newKey],
  ['of a new key', { name: 'x', expires_at: 'tomorrow' }, newKey],
  ['of a new key', { name: 'x', expires_at: 1_900_000_000 }, newKey],
])('the fields %s %j are refused', (_, value, schema) => {
  expect(schema.safeParse(value).success).toBe(false);
});
