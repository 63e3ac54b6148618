/** What errors of Redis mean, each raised by a real server, by itself and inside of a script, a pipeline and a transaction. */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { answerOf, answersOf, classify, type Unavailability } from '../../../shared/storage/redis/unavailable.ts';
import { withSpecialRedis } from '../../support/redis/special-redis.ts';
import { until } from '../../support/until.ts';

type Case = {
  why: Unavailability;
  args?: readonly string[];
  prepare?: (redis: Redis, port: number) => Promise<unknown>;
};

const USER = ['ACL', 'SETUSER', 'limited', 'on', 'nopass', '~*', '&*', '+@all'] as const;

/** In each of these states a write is refused for the reason. */
const CASES: readonly Case[] = [
  { why: 'READONLY', prepare: (redis) => redis.replicaof('127.0.0.1', 1) },
  {
    why: 'MASTERDOWN',
    args: ['--replica-serve-stale-data', 'no', '--replica-read-only', 'no'],
    prepare: (redis) => redis.replicaof('127.0.0.1', 1),
  },
  { why: 'OOM', prepare: (redis) => redis.config('SET', 'maxmemory', '1') },
  { why: 'NOREPLICAS', prepare: (redis) => redis.config('SET', 'min-replicas-to-write', '1') },
  {
    why: 'MISCONF',
    prepare: async (redis) => {
      await redis.config('SET', 'save', '1 1');
      await redis.config('SET', 'rdbcompression', 'no');
      await redis.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1');
      // A directory stands where the file is to go.
      const [, dir = ''] = (await redis.config('GET', 'dir')) as string[];
      const { mkdir } = await import('node:fs/promises');
      await mkdir(`${dir}/dump.rdb/in-the-way`, { recursive: true });
      await until('a save failed', async () => {
        await redis.set('before', '1').catch(() => {});
        await redis.bgsave().catch(() => {});
        return /rdb_last_bgsave_status:err/.test(await redis.info('persistence'));
      });
    },
    args: ['--enable-debug-command', 'yes'],
  },
  {
    why: 'NOPERM',
    prepare: async (redis) => {
      await redis.call(...USER, '-set', '-incr');
      await redis.auth('limited', '');
    },
  },
  {
    why: 'BUSY',
    args: ['--busy-reply-threshold', '50'],
    prepare: async (_redis, port) => {
      const other = new Redis(port);
      other.on('error', () => {});
      other.eval('while true do end', 0).catch(() => {});
      await delay(300);
      other.disconnect();
    },
  },
  {
    why: 'UNKILLABLE',
    args: ['--busy-reply-threshold', '50'],
    prepare: async (redis, port) => {
      const other = new Redis(port);
      other.on('error', () => {});
      other.eval("redis.call('SET', 'x', '1') while true do end", 0).catch(() => {});
      await delay(300);
      other.disconnect();
      const judged = classify(await redis.script('KILL').catch((error: unknown) => error));
      expect(judged).toMatchObject({ why: 'UNKILLABLE' });
    },
  },
  {
    why: 'LOADING',
    args: ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024'],
    prepare: async (redis, port) => {
      await redis.mset(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, 'x'.repeat(100)])));
      await redis.config('SET', 'key-load-delay', '10000');
      const other = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0 });
      other.on('error', () => {});
      other.call('DEBUG', 'RELOAD').catch(() => {});
      await until(
        'it loads',
        () =>
          redis.get('k0').then(
            () => false,
            () => true,
          ),
        { withinMs: 5_000 },
      );
      other.disconnect();
    },
  },
  { why: 'CLUSTERDOWN', args: ['--cluster-enabled', 'yes'] },
  { why: 'NOAUTH', args: ['--requirepass', 'secret'] },
];

/** The error's reason in every way that the gateway and BullMQ send commands. */
const ways: Record<string, (redis: Redis) => Promise<unknown>> = {
  command: (redis) => answerOf(redis.set('{s0}:x', '1')),
  'call of a script': (redis) => answerOf(redis.eval("return redis.call('SET', KEYS[1], '1')", 1, '{s0}:x')),
  'call that a script caught and passed on': (redis) =>
    answerOf(redis.eval("local r = redis.pcall('SET', KEYS[1], '1') if r.err then return r end", 1, '{s0}:x')),
  'call that a script caught and raised': (redis) =>
    answerOf(
      redis.eval("local r = redis.pcall('SET', KEYS[1], '1') if r.err then error('-' .. r.err) end", 1, '{s0}:x'),
    ),
  pipeline: (redis) => answersOf(redis.pipeline().set('{s0}:x', '1').exec()),
  transaction: (redis) => answersOf(redis.multi().set('{s0}:x', '1').exec()),
  'job of BullMQ': async (redis) => {
    const queue = new Queue('completions', {
      connection: redis,
      prefix: '{s0}',
      skipVersionCheck: true,
      skipWaitingForReady: true,
      skipMetasUpdate: true,
    });
    queue.on('error', () => {});
    await answerOf(queue.addBulk([{ name: 'x', data: {}, opts: { jobId: 'x-1' } }]));
  },
};

describe('a server that does not serve is told from a mistake of ours', { timeout: 60_000 }, () => {
  test.concurrent.for(CASES)('$why', async ({ why, args = [], prepare }) => {
    await withSpecialRedis(args, async ({ redis, port }) => {
      await prepare?.(redis, port);
      for (const [way, send] of Object.entries(ways)) {
        const error = await send(redis).catch((thrown: unknown) => thrown);
        expect([way, error]).toEqual([way, expect.objectContaining({ name: 'RedisUnavailable' })]);
        const wanted = why === 'UNKILLABLE' ? 'BUSY' : why;
        expect([way, (error as { why: Unavailability }).why]).toEqual([way, wanted]);
      }
    });
  });

  test('nodes of a cluster that send a command elsewhere: MOVED, ASK, TRYAGAIN, and a script that reaches out: CROSSSLOT', async () => {
    await withSpecialRedis(['--cluster-enabled', 'yes'], ({ redis: one, port }) =>
      withSpecialRedis(['--cluster-enabled', 'yes'], async ({ redis: other }) => {
        await one.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
        await other.call('CLUSTER', 'MEET', '127.0.0.1', String(port));
        const whyOf = (command: Promise<unknown>) =>
          command.then(
            () => null,
            (error: unknown) => {
              const judged = classify(error);
              return judged.name === 'RedisUnavailable' ? (judged as { why?: string }).why : judged.message;
            },
          );
        await until('they know each other', async () => (await whyOf(other.set('{s0}:x', '1'))) === 'MOVED', {
          withinMs: 20_000,
        });
        const slot = String(await one.call('CLUSTER', 'KEYSLOT', '{s0}:x'));
        // For a moment after they met, a node takes the cluster for down.
        await until('it serves', async () => (await whyOf(one.set('{s0}:here', '1'))) === null);
        await one.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(await other.call('CLUSTER', 'MYID')));
        expect(await whyOf(one.get('{s0}:gone'))).toBe('ASK');
        expect(await whyOf(one.mget('{s0}:here', '{s0}:gone'))).toBe('TRYAGAIN');
        expect(await whyOf(one.mget('{s0}:here', '{s1}:here'))).toMatch(/^Redis refused a command: CROSSSLOT/);
      }),
    );
  });

  test('UNBLOCKED: a server that becomes a replica while a command waits', async () => {
    await withSpecialRedis([], async ({ redis, port }) => {
      const waiting = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0 });
      waiting.on('error', () => {});
      const told = waiting.bzpopmin('{s0}:nothing', 0).catch((error: unknown) => classify(error));
      await until('it waits', async () => /blocked_clients:1/.test(await redis.info('clients')));
      await redis.replicaof('127.0.0.1', 1);
      expect(await told).toMatchObject({ why: 'UNBLOCKED' });
      waiting.disconnect();
    });
  });

  test('WRONGPASS, a full table of connections, and a connection that is closed', async () => {
    await withSpecialRedis(['--maxclients', '2'], async ({ redis, port }) => {
      const wrong = await redis.auth('nobody', 'wrong').catch((error: unknown) => error);
      expect(classify(wrong)).toMatchObject({ why: 'WRONGPASS' });
      const others = [1, 2, 3].map(
        () => new Redis(port, '127.0.0.1', { enableReadyCheck: false, maxRetriesPerRequest: 0, retryStrategy: null }),
      );
      const refused = await Promise.all(
        others.map((other) => {
          other.on('error', () => {});
          return other.ping().then(
            () => null,
            (error: unknown) => classify(error),
          );
        }),
      );
      expect(refused.filter((each) => each !== null).map(({ name }) => name)).toContain('RedisUnavailable');
      for (const other of others) other.disconnect();
    });
  });

  test('a mistake of ours stays one, whatever words its arguments hold', async () => {
    await withSpecialRedis([], async ({ redis }) => {
      await redis.set('text', 'x');
      const mistakes = [
        redis.hget('text', 'READONLY'),
        redis.call('READONLY-OOM'),
        redis.eval("return redis.call('HGET', 'text', 'OOM')", 0),
        redis.eval("error('what OOM is')", 0),
        redis.eval("return redis.call('NO_SUCH_COMMAND', 'LOADING')", 0),
        redis.eval("return redis.call('GET')", 0),
        redis.eval("redis.call('SET', 'word', 'x') return redis.call('INCR', 'word')", 0),
        redis.eval('return nothing.at.all', 0),
        redis.eval('this is no script', 0),
        redis.call('GET'),
        redis.call('SET', 'text', 'x', 'STALE'),
        redis.incr('text'),
        redis.call('HINCRBY', 'hash', 'field', 'x'),
        redis.call('CLIENT', 'NOTHING'),
        redis.zadd('set', 'x', 'STALE'),
      ];
      for (const mistake of mistakes) {
        expect(classify(await mistake.catch((error: unknown) => error))).toMatchObject({ name: 'RedisRefused' });
      }
      const broken = redis.multi().hget('text', 'x').exec();
      await expect(answersOf(broken)).rejects.toMatchObject({ name: 'RedisRefused' });
    });
  });

  test.for([
    [
      "ERR Error running script (call to f_0123): @user_script:12: @user_script: 12: -READONLY You can't write against a read only replica. ",
      'READONLY',
    ],
    ["READONLY You can't write against a read only replica. script: 0123, on @user_script:12.", 'READONLY'],
    ['EXECABORT Transaction discarded because of: OOM command not allowed', 'OOM'],
    ['ERR max number of clients reached', 'MAXCLIENTS'],
    [
      "ERR The user executing the script can't run this command or subcommand script: 0123, on @user_script:1.",
      'NOPERM',
    ],
    ['NOPERM ACL failure in script: User limited has no permissions script: 0123, on @user_script:1.', 'NOPERM'],
    ['ERR Script attempted to access a non local key in a cluster node script: 0123, on @user_script:1.', 'MOVED'],
    ['UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)', 'UNBLOCKED'],
    ['MOVED 3999 127.0.0.1:6381', 'MOVED'],
    ['ASK 3999 127.0.0.1:6381', 'ASK'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'TRYAGAIN'],
    ['LOADING Redis is loading the dataset in memory', 'LOADING'],
    ['Ready check failed: NOAUTH Authentication required.', 'NOAUTH'],
    ['DENIED Redis is running in protected mode because protected mode is enabled', 'DENIED'],
    // What proxies and hosts say, and what a later release may.
    ['ERR server closed connection', 'unknown_error'],
    ['upstream failure', 'unknown_error'],
    ['no upstream host', 'unknown_error'],
    ['ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.', 'unknown_error'],
    ['ERR handle request, command EVALSHA: user_data is not there', 'unknown_error'],
    ['STALE x', 'unknown_error'],
    ['QUOTA of writes reached script: 0123, on @user_script:12.', 'unknown_error'],
    ['EXECABORT Transaction discarded because of previous errors.', 'unknown_error'],
  ] as const)('%s', ([text, why]) => {
    expect(classify(Object.assign(new Error(text), { name: 'ReplyError' }))).toMatchObject({ why });
  });
});
