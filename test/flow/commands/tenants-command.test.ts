/** `npm run tenants -- …` as it is typed. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PrivateRedis, redisDir, startPrivateRedis } from '../../../dev/private-redis.ts';
import type { PlatformKey, Tenant } from '../../../shared/domain/tenants/schema.ts';
import { loadConfig } from '../../../shared/process/config/config.ts';
import { runCommand } from '../../support/processes/command.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';

let dataDir = '';
let server: PrivateRedis;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'gateway-command-'));
  // As a gateway that ran there left its keys.
  loadConfig({ HOME: dataDir, DATA_DIR: dataDir });
  server = await startPrivateRedis({ dir: redisDir(dataDir, { sandbox: true }) });
});
afterAll(async () => {
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

// REDIS_URL is left out: the command finds the server that runs on the folder, as that of `npm start` does.
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCommand('tenants', args, { DATA_DIR: dataDir, ...env });
/** What a command that succeeds prints as JSON. */
const json = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await run([...args, '--json']);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
};

const NOTHING = 'Stopped: 0 jobs, and 0 lines of 0 batches; 0 of them were running.\n';
test('a Redis that is there and does not answer is not taken for a gateway that does not run', async () => {
  process.kill(server.pid, 'SIGSTOP');
  try {
    const { code, stderr } = await run(['list']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/is there \(port \d+\) and does not answer/);
    const named = await run(['list'], { REDIS_URL: server.url });
    expect(named.stderr).toMatch(/takes connections and does not answer/);
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
});

test('a tenant goes from its creation over keys to its end', async () => {
  const tenant = await json<Tenant>(
    'create',
    'Acme Ltd',
    '--weight',
    '5',
    '--max-in-flight',
    '7',
    '--allowed-models',
    'a,b',
  );
  expect(tenant).toMatchObject({
    name: 'Acme Ltd',
    weight: 5,
    limits: { max_in_flight: 7 },
    allowed_models: ['a', 'b'],
  });
  expect(await json('show', tenant.id)).toEqual(tenant);
  expect(await json('list')).toEqual([tenant]);
  expect((await run(['list'])).stdout).toMatch(new RegExp(`^id .*\n${tenant.id}  Acme Ltd  false     5 `));

  expect(await json('disable', tenant.id)).toMatchObject({ disabled: true });
  expect(await json('enable', tenant.id)).toMatchObject({ disabled: false });
  const limited = await json(
    'limits',
    tenant.id,
    '--max-in-flight',
    'default',
    '--monthly-budget-usd',
    '9.5',
    '--allowed-models',
    'all',
  );
  expect(limited).toMatchObject({
    limits: { max_in_flight: null, monthly_budget_usd: 9.5 },
    allowed_models: null,
    weight: 5,
  });

  type Issued = PlatformKey & { secret: string };
  const first = await json<Issued>('keys', 'issue', tenant.id, '--name', 'ci', '--scopes', 'jobs:read,usage:read');
  expect(first).toMatchObject({
    name: 'ci',
    scopes: ['jobs:write', 'jobs:read', 'usage:read', 'webhooks:manage'].slice(1, 3),
  });
  const second = await json<Issued>('keys', 'rotate', tenant.id, first.id, '--overlap-seconds', '60');
  const listed = await json<PlatformKey[]>('keys', 'list', tenant.id);
  expect(listed.map(({ id }) => id)).toEqual([second.id, first.id]);
  expect(Date.parse(listed[1]?.expires_at ?? '')).toBeLessThan(Date.now() + 61_000);
  const table = await run(['keys', 'list', tenant.id]);
  expect(table.stdout).toContain(`${second.id}  ci    jobs:read,usage:read`);
  for (const { secret } of [first, second]) {
    expect(table.stdout + JSON.stringify(listed)).not.toContain(secret.slice(30, 40));
    const redis = new Redis(server.url);
    expect(await keysHolding(redis, secret.slice(30, 40))).toEqual([]);
    redis.disconnect();
  }
  expect(await run(['keys', 'revoke', tenant.id, first.id])).toMatchObject({ code: 0, stdout: `Revoked. ${NOTHING}` });
  expect(await run(['delete', tenant.id])).toMatchObject({ code: 1, stdout: '' });
  expect(await run(['delete', tenant.id, '--yes'])).toMatchObject({ code: 0, stdout: `Deleted. ${NOTHING}` });
  expect(await json('list')).toEqual([]);
});

test('a tenant that is created is told its next step, which works as it is printed', async () => {
  const { stdout } = await run(['create', 'Next']);
  const [, next = ''] = /^Next, a platform key: npm run tenants -- (.+)$/m.exec(stdout) ?? [];
  expect((await run(next.split(' '))).stdout).toContain('gk_');
});

test('a key that is issued without --json is printed once, on a line of its own', async () => {
  const { id } = await json<Tenant>('create', 'Other');
  const { stdout } = await run(['keys', 'issue', id, '--name', 'ci']);
  expect(stdout.match(/gk_[0-9a-z]{26}_[0-9a-z]{47}/g)).toHaveLength(1);
  expect(stdout).toMatch(/\nThe key, shown this once: gk_\S+\n$/);
});

describe('a mistake is explained in a line, with exit code 1:', () => {
  const ABSENT = 'ten_01m828mxt1fr081gqvaaqfex75';
  test.concurrent.each<[string, string[], RegExp, Record<string, string>?]>([
    ['a tenant that is not there', ['show', ABSENT], /^There is no tenant of this id\.\n$/],
    ['a key for nobody', ['keys', 'issue', ABSENT, '--name', 'x'], /^There is no tenant of this id\.\n$/],
    ['no id', ['disable', 'acme'], /^A tenant id looks like ten_/],
    ['no id of a key', ['keys', 'revoke', ABSENT, 'gk_x'], /^The id of a platform key looks like key_/],
    ['a bad limit', ['create', 'x', '--max-queued', '0'], /^limits\.max_queued must be 1 or more\.\n$/],
    ['a limit in words', ['create', 'x', '--max-queued', 'many'], /^limits\.max_queued must be a /],
    [
      'an unknown scope',
      ['keys', 'issue', ABSENT, '--name', 'x', '--scopes', 'admin'],
      /^scopes\[0\] must be one of jobs:write, jobs:read, usage:read, webhooks:manage\.\n$/,
    ],
    [
      'a budget below a cent',
      ['create', 'x', '--monthly-budget-usd', '0.0001'],
      /^limits\.monthly_budget_usd must be 0\.01 or more\.\n$/,
    ],
    ['a weight beyond all', ['create', 'x', '--weight', '5000'], /^weight must be 1000 or less\.\n$/],
    ['a bad time', ['keys', 'issue', ABSENT, '--name', 'x', '--expires-at', 'soon'], /^expires_at must be a time/],
    ['an unknown command', ['destroy'], /unknown command 'destroy'/],
    ['no Redis', ['list'], /^No Redis answers at 127\.0\.0\.1:1 \(REDIS_URL\): /, { REDIS_URL: 'redis://127.0.0.1:1' }],
    ['a bad setting', ['list'], /SHARDS: must be a whole number/, { SHARDS: 'x' }],
    ['another number of shards', ['list'], /SHARDS is 2, but/, { SHARDS: '2' }],
    [
      'no gateway here',
      ['list'],
      /KEY_PEPPERS is not set, and .*gateway-nowhere\/peppers is not there: no gateway has run .* start the gateway first/,
      { DATA_DIR: join(tmpdir(), 'gateway-nowhere') },
    ],
  ])('%s', async (_, args, message, env) => {
    const { code, stdout, stderr } = await run(args, env);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(existsSync(join(tmpdir(), 'gateway-nowhere'))).toBe(false);
  });
});
