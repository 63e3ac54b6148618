/** The authenticator over the real registry: what it remembers, for how long, and what that costs of Redis. */
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthenticator, REMEMBERED_MS } from '../../api/access/authenticator.ts';
import { networkOf } from '../../api/access/failed-logins.ts';
import { type PlatformKeyId, toBase32 } from '../../shared/domain/ids.ts';
import { SCOPES } from '../../shared/domain/tenants/caller.ts';
import type { NewKey } from '../../shared/domain/tenants/changes.ts';
import type { Tenant } from '../../shared/domain/tenants/schema.ts';
import { createPlatformKeySecrets, platformKeyIdOf } from '../../shared/keys/platform/platform-key.ts';
import { createPlatformKeys, parsePlatformKeys } from '../../shared/keys/platform/platform-keys.ts';
import { createCommands } from '../../shared/storage/commands/run/run-commands.ts';
import { connectForRequests } from '../../shared/storage/redis/client.ts';
import { RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';
import { createPlatformKeyStore } from '../../shared/storage/tenants/platform-key-store.ts';
import { createTenantStore } from '../../shared/storage/tenants/tenant-store.ts';
import { AMPLE_LIMITS } from '../support/redis/no-limits.ts';
import { startOwnRedis, type TestRedis } from '../support/redis/redis.ts';
import { until } from '../support/until.ts';
import { peppersOf, ringText } from '../unit/keys/rings.ts';

const CONFIGURED = 'configured-key-0001';
const peppers = peppersOf(ringText('p1'));
const secrets = createPlatformKeySecrets(peppers);
const parsed = parsePlatformKeys(`acme:${CONFIGURED}`, { allowSample: false });
if (!parsed.ok) throw new Error('not parsed');
const platformKeys = createPlatformKeys(parsed.entries, peppers);

let server: TestRedis;
let redis: ReturnType<typeof connectForRequests>;
let store: ReturnType<typeof createPlatformKeyStore>;
let tenants: ReturnType<typeof createTenantStore>;
let tenant: Tenant;
beforeAll(async () => {
  server = await startOwnRedis();
  redis = connectForRequests(server.url);
  const run = createCommands(redis);
  store = createPlatformKeyStore({ redis, run, secrets, actor: 'operator' });
  tenants = createTenantStore({ redis, run, shards: 1, actor: 'operator' });
  tenant = await until('Redis is there', () => tenants.create({ name: 'test' }));
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const LIMITS = { ...AMPLE_LIMITS, requests_per_minute: 600 };

/** For how long the process has run before a test. */
const RUNNING_MS = 7_000_000;

/** An authenticator with clocks of its own, and the number of look-ups that it made. */
const start = (registry: Pick<typeof store, 'lookUp' | 'touch'> = store) => {
  const clock = { elapsedMs: 0, nowMs: Date.now() };
  const asked = { lookUps: 0, touches: 0 };
  const authenticator = createAuthenticator({
    platformKeys,
    secrets,
    store: {
      lookUp: (id) => {
        asked.lookUps += 1;
        return registry.lookUp(id);
      },
      touch: (id) => {
        asked.touches += 1;
        return registry.touch(id);
      },
    },
    defaultLimits: () => LIMITS,
    now: () => clock.nowMs,
    elapsed: () => RUNNING_MS + clock.elapsedMs,
  });
  return { ...authenticator, clock, asked };
};
const issue = async (fields: Partial<NewKey> = {}) => {
  const answer = await store.issue(tenant.id, { name: 'x', ...fields });
  if (answer.kind !== 'issued') throw new Error(answer.kind);
  return { id: answer.key.id, text: answer.secret.reveal() };
};

test('a key of the configuration needs no Redis, has every scope and no list of models', () => {
  const { authenticate, asked } = start();
  const platformKey = expect.stringMatching(/^config_/);
  const caller = { tenant: 'acme', platformKey, scopes: SCOPES, allowedModels: null, disabled: false, limits: LIMITS };
  expect(authenticate(CONFIGURED)).toEqual(caller);
  for (const text of ['', 'x', `${CONFIGURED}x`, 'gk_', 'gk_x_y']) expect(authenticate(text)).toBeNull();
  expect(asked).toEqual({ lookUps: 0, touches: 0 });
});

test('a managed key is looked up once for all requests of the next seconds, and afterwards again', async () => {
  const { authenticate, clock, asked } = start();
  const { id, text } = await issue({ scopes: ['jobs:read'] });
  const caller = {
    tenant: tenant.id,
    platformKey: id,
    scopes: ['jobs:read'],
    allowedModels: null,
    disabled: false,
    limits: LIMITS,
  };
  expect(await Promise.all(Array.from({ length: 50 }, async () => authenticate(text)))).toEqual(Array(50).fill(caller));
  clock.elapsedMs = REMEMBERED_MS - 1;
  // Not even a promise: the answer is there.
  expect(authenticate(text)).toEqual(caller);
  expect(asked.lookUps).toBe(1);
  clock.elapsedMs = REMEMBERED_MS;
  expect(await authenticate(text)).toEqual(caller);
  expect(asked.lookUps).toBe(2);
});

test('an unknown key is remembered too, whatever secret it comes with', async () => {
  const { authenticate, clock, asked } = start();
  const { text } = secrets.issue();
  for (let count = 0; count < 20; count++) expect(await authenticate(text.reveal())).toBeNull();
  expect(asked.lookUps).toBe(1);
  clock.elapsedMs = REMEMBERED_MS;
  expect(await authenticate(text.reveal())).toBeNull();
  expect(asked.lookUps).toBe(2);
});

test('a mistyped key asks nobody', async () => {
  const { authenticate, asked } = start();
  const { text } = await issue();
  const last = text.at(-1) === '0' ? '1' : '0';
  expect(authenticate(text.slice(0, -1) + last)).toBeNull();
  expect(asked.lookUps).toBe(0);
});

test('a good key’s id with another secret is nobody’s key, whether the good one is remembered or not', async () => {
  const { authenticate, asked } = start();
  const { text } = await issue();
  const open = text.slice(0, 30) + secrets.issue().text.reveal().slice(30, 70);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(open));
  const forged = open + toBase32(check);
  expect(platformKeyIdOf(forged)).toBe(platformKeyIdOf(text));
  expect(await authenticate(forged)).toBeNull();
  expect(await authenticate(text)).not.toBeNull();
  expect(authenticate(forged)).toBeNull();
  expect(asked).toEqual({ lookUps: 1, touches: 1 });
});

test('a revoked key, a disabled tenant and another list of models show when what is remembered is too old', async () => {
  const { authenticate, clock } = start();
  const [one, two] = [await issue(), await issue()];
  for (const { text } of [one, two]) expect(await authenticate(text)).toMatchObject({ disabled: false });
  await store.revoke(tenant.id, one.id);
  await tenants.change(tenant.id, { disabled: true, allowed_models: ['m'] });
  clock.elapsedMs = REMEMBERED_MS;
  expect(await authenticate(one.text)).toBeNull();
  expect(await authenticate(two.text)).toMatchObject({ disabled: true, allowedModels: ['m'] });
  await tenants.change(tenant.id, { disabled: false, allowed_models: null });
});

test('a key ends at its expiry, also while it is remembered', async () => {
  const { authenticate, clock } = start();
  const { text } = await issue({ expires_at: clock.nowMs + 60_000 });
  expect(await authenticate(text)).not.toBeNull();
  clock.nowMs += 60_000;
  expect(authenticate(text)).toBeNull();
});

describe('who was let in is let in still', () => {
  const letIn = async (fields: Partial<NewKey> = {}) => {
    const started = start();
    const { id, text } = await issue(fields);
    await started.authenticate(text);
    return { ...started, id, isStill: () => started.letsInStill({ platformKey: id }) };
  };

  test('with a key of the configuration, and with its own while nothing has changed, without asking anew', async () => {
    const { isStill, letsInStill, asked } = await letIn();
    expect([await isStill(), await letsInStill({ platformKey: 'config_1' })]).toEqual([true, true]);
    expect(asked.lookUps).toBe(1);
  });

  test('but not when what is remembered is too old and its key was revoked', async () => {
    const { id, isStill, clock } = await letIn();
    await store.revoke(tenant.id, id);
    expect(await isStill()).toBe(true);
    clock.elapsedMs = REMEMBERED_MS;
    expect(await isStill()).toBe(false);
  });

  test('but not when its tenant was disabled', async () => {
    const { isStill, clock } = await letIn();
    await tenants.change(tenant.id, { disabled: true });
    clock.elapsedMs = REMEMBERED_MS;
    expect(await isStill()).toBe(false);
    await tenants.change(tenant.id, { disabled: false });
  });

  test('but not when its key has expired, also while that is remembered', async () => {
    const expiresInMs = 60_000;
    const { isStill, clock } = await letIn({ expires_at: Date.now() + expiresInMs });
    expect(await isStill()).toBe(true);
    clock.nowMs += expiresInMs + 1_000;
    expect(await isStill()).toBe(false);
  });
});

test('a flood of unknown keys does not make it forget the good ones', async () => {
  const { authenticate, asked } = start();
  const { text } = await issue();
  await authenticate(text);
  for (let round = 0; round < 12; round++) {
    await Promise.all(Array.from({ length: 1_000 }, async () => authenticate(secrets.issue().text.reveal())));
  }
  const before = asked.lookUps;
  expect(await authenticate(text)).not.toBeNull();
  expect(asked.lookUps).toBe(before);
});

test('the use of a key is noted once a minute, and that of a wrong one never', async () => {
  const { authenticate, clock, asked } = start();
  const { id, text } = await issue();
  const other = (await issue()).text;
  for (let second = 0; second < 60; second++) {
    clock.elapsedMs = second * 1_000;
    await authenticate(text);
  }
  expect(asked.touches).toBe(1);
  clock.elapsedMs = 60_000;
  await authenticate(text);
  expect(asked.touches).toBe(2);
  await authenticate(secrets.issue().text.reveal());
  expect(asked.touches).toBe(2);
  await authenticate(other);
  const noted = async () => (await store.list(tenant.id, { limit: 64, after: null })).keys.find((key) => key.id === id);
  await until('it is noted', async () => (await noted())?.last_used_at);
});

describe('of 10,001 keys in use', () => {
  const MOST = 10_000;
  const startWithMany = async () => {
    const keys = Array.from({ length: MOST + 1 }, () => secrets.issue());
    const known = new Map(keys.map((key) => [key.id, { ...key, scopes: SCOPES, expiresAtMs: null, tenant }]));
    const registry = { lookUp: async (id: PlatformKeyId) => known.get(id) ?? null, touch: async () => {} };
    const { authenticate, ...started } = start(registry);
    const use = async (number: number) => {
      expect(await authenticate(keys[number]?.text.reveal() ?? '')).not.toBeNull();
      return { ...started.asked };
    };
    for (let number = 0; number < MOST; number++) await use(number);
    return { ...started, use };
  };

  test('the one that was looked up longest ago is forgotten, and no other', async () => {
    const { use, clock } = await startWithMany();
    expect(await use(0)).toMatchObject({ lookUps: MOST });
    expect(await use(MOST)).toMatchObject({ lookUps: MOST + 1 });
    expect(await use(1)).toMatchObject({ lookUps: MOST + 1 });
    expect(await use(0)).toMatchObject({ lookUps: MOST + 2 });
    // Looked up again, one is no longer the oldest.
    clock.elapsedMs = REMEMBERED_MS;
    expect(await use(2)).toMatchObject({ lookUps: MOST + 3 });
    expect(await use(1)).toMatchObject({ lookUps: MOST + 4 });
    expect(await use(2)).toMatchObject({ lookUps: MOST + 4 });
  });

  test('the uses in one minute are noted again rather than never', async () => {
    const { use } = await startWithMany();
    expect(await use(0)).toMatchObject({ touches: MOST });
    expect(await use(MOST)).toMatchObject({ touches: MOST + 1 });
    expect(await use(0)).toMatchObject({ touches: MOST + 2 });
    expect(await use(MOST)).toMatchObject({ touches: MOST + 2 });
  });
});

test('while Redis is away a remembered key goes on, another is an error and no refusal, and both come back', async () => {
  const { authenticate, clock } = start();
  const { text } = await issue();
  await authenticate(text);
  await server.kill();
  expect(authenticate(text)).not.toBeNull();
  expect(authenticate(CONFIGURED)).not.toBeNull();
  await expect(authenticate(secrets.issue().text.reveal())).rejects.toThrow(RedisUnavailable);
  clock.elapsedMs = REMEMBERED_MS;
  await expect(authenticate(text)).rejects.toThrow(RedisUnavailable);
  await server.restart();
  expect(await until('Redis is back', () => authenticate(text))).toMatchObject({ tenant: tenant.id });
});

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
