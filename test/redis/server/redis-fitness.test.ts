/** Which servers the gateway runs on, and what it says to the others. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FUNCTION_COMMANDS, NEEDED_COMMANDS } from '../../../shared/storage/redis/commands.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { flawOf, verifyServer } from '../../../shared/storage/redis/server.ts';
import { startProcess } from '../../support/processes/process.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { type SpecialRedis, withSpecialRedis } from '../../support/redis/special-redis.ts';
import { until } from '../../support/until.ts';

const info = (fields: Record<string, string>) =>
  new Map(Object.entries({ redis_mode: 'standalone', maxmemory_policy: 'noeviction', ...fields }));

test.for([
  [{ redis_version: '6.2.14' }, /Redis 6\.2\.14 is too old: Redis 7\.0 or later, or Valkey 7\.2 or later/],
  [{ redis_version: '7.0.0' }, null],
  [{ redis_version: '8.2.1' }, null],
  [{ redis_version: '7.2.4', valkey_version: '7.2.4' }, null],
  [{ redis_version: '7.2.4', valkey_version: '8.1.0', server_mode: 'standalone' }, null],
  [{ redis_version: '7.2.4', valkey_version: '7.1.0' }, /Valkey 7\.1\.0 is too old/],
  [{ redis_version: '7.2.4', maxmemory_policy: 'allkeys-lru' }, /Set maxmemory-policy noeviction/],
] as const)('INFO with %o', ([fields, flaw]) => {
  const found = flawOf(info(fields), { production: false });
  if (flaw === null) expect(found).toBeNull();
  else expect(found).toMatch(flaw);
});

test('a server without maxmemory is refused in production', () =>
  withSpecialRedis([], async ({ redis }) => {
    const verify = () => verifyServer(redis, { shards: 1, production: true });
    await expect(verify()).rejects.toThrow(/Redis has no maxmemory, which production demands.*Set maxmemory/);
    await redis.config('SET', 'maxmemory', '1gb');
    await expect(verify()).resolves.toBe(true);
  }));

test('INFO without a memory limit speaks against a server in production only', () => {
  const server = { redis_version: '7.0.15' };
  expect(flawOf(info({ ...server, maxmemory: '0' }), { production: false })).toBeNull();
  expect(flawOf(info({ ...server, maxmemory: '0' }), { production: true })).toMatch(/no maxmemory.*Set maxmemory/);
  expect(flawOf(info({ ...server, maxmemory: '2147483648' }), { production: true })).toBeNull();
});

describe('a server that is not supported is refused by API and worker, with what to change', {
  timeout: 60_000,
}, () => {
  const env = {
    SANDBOX: 'true',
    SANDBOX_URL: 'http://127.0.0.1:1',
    PLATFORM_API_KEYS: 'acme:acme-platform-key-0001',
    PORT: '0',
    METRICS_PORT: '0',
    ADMIN_PORT: '0',
    ADMIN_TOKEN: '9f27c0de51b84a6390fe72ab15cd8e64',
  };
  const expectRefusal = async (url: string, message: RegExp): Promise<void> => {
    for (const file of ['api/main.ts', 'worker/main.ts'] as const) {
      const process = startProcess(file, { ...env, REDIS_URL: url });
      expect([file, await process.exited]).toEqual([file, { code: 1, signal: null }]);
      expect(process.otherOutput.join('\n')).toMatch(message);
      expect(process.log.filter(({ msg }) => /listening|started/.test(msg))).toEqual([]);
    }
  };
  const withUser = async ({ redis, port }: SpecialRedis, ...rules: string[]): Promise<string> => {
    await redis.call('ACL', 'SETUSER', 'gateway', 'on', '>secret', '~*', '&*', '+@all', ...rules);
    return `redis://gateway:secret@127.0.0.1:${port}`;
  };

  test.concurrent('a node of a Redis Cluster', () =>
    withSpecialRedis(['--cluster-enabled', 'yes'], ({ url }) => expectRefusal(url, /node of a Redis Cluster/)));

  test.concurrent('a Sentinel', () =>
    withSpecialRedis(['--sentinel'], ({ url }) => expectRefusal(url, /leads to a Sentinel/)));

  test.concurrent('one that drops keys when its memory is full', () =>
    withSpecialRedis(['--maxmemory-policy', 'allkeys-lru'], ({ url }) => expectRefusal(url, /maxmemory-policy noev/)));

  test.concurrent('the data of another number of shards, or of real providers', () =>
    withSpecialRedis([], async ({ redis, url }) => {
      await redis.set(key(shardTag(0), 'MODE'), 'live');
      await expectRefusal(url, /SANDBOX is on, but/);
      await redis.set(key(shardTag(0), 'SHARDS'), '2');
      await expectRefusal(url, /SHARDS is 1, but/);
    }));

  test.concurrent('a password that is missing or wrong', () =>
    withSpecialRedis(['--requirepass', 'secret'], async ({ port, url }) => {
      await expectRefusal(url, /check the user and the password/);
      await expectRefusal(`redis://default:wrong@127.0.0.1:${port}`, /check the user and the password/);
    }));

  test.concurrent('a user without one of the needed commands', () =>
    withSpecialRedis([], async (server) => {
      await expectRefusal(
        await withUser(server, '-bzpopmin', '-copy'),
        /may not run copy, bzpopmin.*\+copy \+bzpopmin/,
      );
      await expectRefusal(await withUser(server, '-eval'), /EVAL/);
    }));

  test('each single needed command, if it is missing', () =>
    withSpecialRedis([], async (server) => {
      for (const name of NEEDED_COMMANDS) {
        // ioredis sets its connection up with these before anything of ours is asked.
        if (['info', 'client info'].includes(name)) continue;
        const url = await withUser(server, `-${name.replace(' ', '|')}`);
        await withRedis(url, async (redis) => {
          const refusal = await verifyServer(redis, { shards: 1, production: false }).catch((error: unknown) => error);
          expect([name, refusal]).toEqual([name, expect.objectContaining({ name: 'UnfitServer' })]);
        });
        await server.redis.call('ACL', 'DELUSER', 'gateway');
      }
    }));
});

describe('the list of needed commands is complete', { timeout: 60_000 }, () => {
  const listed = new Set(NEEDED_COMMANDS);

  test('for the scripts', () => {
    const folder = new URL('../../../shared/storage/commands/', import.meta.url);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
    const called = files.flatMap((file) =>
      [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\bcall\('([A-Z]+)'/g)].map(([, name = '']) =>
        name.toLowerCase(),
      ),
    );
    expect([...new Set(called)].filter((name) => !listed.has(name))).toEqual([]);
  });

  test.each([
    ['functions', FUNCTION_COMMANDS],
    ['scripts', []],
  ])(
    'for what API, worker and BullMQ send as %s while jobs run, under a user that may do nothing else',
    async (_, functions) => {
      await withGateway({ apis: 0, workers: 0 }, async (gateway) => {
        await withRedis(gateway.redis.url, async (redis) => {
          // `hello`, `select` and `client setinfo` are ioredis' own, which goes on without them.
          const rules = [...NEEDED_COMMANDS, ...functions].map((name) => `+${name.replace(' ', '|')}`);
          await redis.call('ACL', 'SETUSER', 'least', 'on', '>secret', '~*', '&*', ...rules);
          await redis.acl('LOG', 'RESET');
          const url = gateway.redis.url.replace('redis://', 'redis://least:secret@');
          await gateway.addWorker({ REDIS_URL: url });
          await gateway.addApi({ REDIS_URL: url });
          await until('the API is ready', async () => (await gateway.call('GET', '/readyz')).status === 200);
          const job = await gateway.finished((await gateway.submit('under the least user')).id);
          expect(job.status).toBe('completed');
          expect((await gateway.call('GET', '/v1/usage')).status).toBe(200);
          const log = (await redis.acl('LOG')) as string[][];
          const refused = log.map((entry) => entry[entry.indexOf('object') + 1]);
          const others = refused.filter((name) => !name?.startsWith('client|'));
          // Asked once by each process, and not again.
          expect(new Set(others)).toEqual(new Set(functions.length > 0 ? [] : ['fcall', 'function|list']));
        });
      });
    },
  );
});
