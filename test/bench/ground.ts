/** The processes that a measure needs, each of its own, all on 127.0.0.1, and all gone when it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findFreePort, startPrivateRedis } from '../../dev/private-redis.ts';
import { key, shardTag } from '../../shared/storage/redis/names.ts';
import { ADMIN_TOKEN } from '../support/clients/operator.ts';
import { until } from '../support/until.ts';
import type { BareApiCalls } from './processes/bare-api.ts';
import { BARE_QUEUE } from './processes/bare-queue.ts';
import type { BareWorkerCalls } from './processes/bare-worker.ts';
import type { DirectCalls } from './processes/direct-calls.ts';
import type { LoadCalls } from './processes/load.ts';
import { type Remote, startRemote } from './processes/remote.ts';
import { NEIGHBOUR_KEYS, PLATFORM_KEY, TENANT } from './processes/request.ts';
import type { SandboxCalls } from './processes/sandbox.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const WORKERS = key(shardTag(0), 'WORKERS');

export type RedisServer = {
  url: string;
  pid: number;
  client: Redis;
  /** Empties it but for BullMQ's settings, and gives the disk back. */
  reset: () => Promise<void>;
};
export type Running = { pid: number; stop: (signal?: 'SIGTERM' | 'SIGKILL') => Promise<void> };
export type Api = { pid: number; url: string };
export type Providers = Remote<SandboxCalls> & { urls: Record<'openai' | 'anthropic' | 'bedrock', string> };
type LogLevel = 'warn' | 'info';

export type Ground = {
  redis: () => Promise<RedisServer>;
  providers: (options: { record: boolean }) => Promise<Providers>;
  api: (redis: RedisServer, options?: { providers?: Providers; logLevel?: LogLevel }) => Promise<Api>;
  /** `slots`: calls that it runs at once; without it as many as by default. */
  worker: (redis: RedisServer, providers: Providers, options?: { slots?: number }) => Promise<Running>;
  bareApi: (redis: RedisServer) => Promise<Api & Pick<Remote<BareApiCalls>, 'call'>>;
  bareWorker: (redis: RedisServer, providers?: Providers) => Promise<Remote<BareWorkerCalls>>;
  load: () => Remote<LoadCalls>;
  directCalls: () => Remote<DirectCalls>;
  /** Ends what a measure started itself with the rest. */
  own: <R extends { stop: () => Promise<void> }>(started: R) => R;
  /** Safe to call twice, also in the middle of anything. */
  close: () => Promise<void>;
};

/** `profileDir`: where API and workers write a CPU profile as they end; null writes none. */
export const createGround = ({ profileDir }: { profileDir: string | null }): Ground => {
  const closers: (() => unknown)[] = [];
  const temporaryDir = async (): Promise<string> => {
    const dir = await mkdtemp(join(tmpdir(), 'gateway-bench-'));
    closers.push(() => rm(dir, { recursive: true, force: true }));
    return dir;
  };
  let keys: Promise<string> | null = null;

  const remote = <R extends { stop: () => Promise<void> }>(started: R): R => {
    closers.push(started.stop);
    return started;
  };

  const gatewayEnv = async (redis: RedisServer, providers?: Providers): Promise<Record<string, string>> => {
    keys ??= temporaryDir();
    const { openai, anthropic, bedrock } = providers?.urls ?? {
      // Nothing listens there: such a gateway only accepts.
      openai: 'http://127.0.0.1:1/v1',
      anthropic: 'http://127.0.0.1:1',
      bedrock: 'http://127.0.0.1:1',
    };
    return {
      REDIS_URL: redis.url,
      DATA_DIR: await keys,
      SANDBOX: 'false',
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      PROVIDER_OPENAI_URL: openai,
      PROVIDER_ANTHROPIC_URL: anthropic,
      PROVIDER_BEDROCK_URL: bedrock,
      PLATFORM_API_KEYS: [
        `${TENANT}:${PLATFORM_KEY}`,
        ...NEIGHBOUR_KEYS.map((key, index) => `neighbour${index}:${key}`),
      ].join(','),
      ADMIN_TOKEN,
      // A tenant's limits are not what is measured.
      RATE_LIMIT_RPM: '1000000',
      MAX_QUEUED: '100000000',
      MAX_STORED_BYTES: '1099511627776',
      MAX_BATCH_LINES: '1000000',
      MAX_BATCH_BYTES: '1073741824',
      MAX_BATCH_QUEUED: '100000000',
      // Their receivers are on this machine.
      WEBHOOK_ALLOW_PRIVATE: 'true',
      LOG_LEVEL: 'warn',
    };
  };

  const startProcess = (file: string, env: Record<string, string>): Running & { lastWords: () => string } => {
    const profile = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
    const child = spawn(process.execPath, [...profile, file], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: '/nonexistent', EXIT_WITH_PARENT: 'true', ...env },
      // At info the log costs what writing it costs; who reads it is not measured.
      stdio: ['pipe', env.LOG_LEVEL === 'warn' ? 'pipe' : 'ignore', 'pipe'],
    });
    let words = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        words = (words + chunk).slice(-2_000);
      });
    }
    const exited = once(child, 'exit');
    const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
      child.kill(signal);
      const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(limit);
    };
    closers.push(() => stop());
    return { pid: child.pid ?? 0, stop, lastWords: () => words };
  };
  const ready = async (
    what: string,
    { lastWords }: { lastWords: () => string },
    condition: () => Promise<boolean>,
  ): Promise<void> => {
    await until(what, condition, { withinMs: 20_000 }).catch((error: unknown) => {
      throw new Error(`${String(error)}; its last words: ${lastWords()}`);
    });
  };

  return {
    redis: async () => {
      const server = await startPrivateRedis({ dir: await temporaryDir() });
      const client = new Redis(server.url, { maxRetriesPerRequest: null });
      client.on('error', () => {});
      closers.push(server.stop, () => client.disconnect());
      // A rewrite would take a core for a while, in whichever round it came.
      await client.config('SET', 'auto-aof-rewrite-percentage', '0');
      const settings = [`${key(shardTag(0), 'COMPLETIONS')}meta`, `bull:${BARE_QUEUE}:meta`];
      return {
        url: server.url,
        pid: server.pid,
        client,
        reset: async () => {
          const kept = await Promise.all(settings.map((name) => client.hgetall(name)));
          await client.flushall('SYNC');
          for (const [index, name] of settings.entries()) {
            const fields = kept[index] ?? {};
            if (Object.keys(fields).length > 0) await client.hset(name, fields);
          }
          await client.bgrewriteaof();
          await until('the AOF is rewritten', async () =>
            (await client.info('persistence')).includes('aof_rewrite_in_progress:0'),
          );
        },
      };
    },

    providers: async ({ record }) => {
      const sandbox = remote(startRemote<SandboxCalls>(new URL('processes/sandbox.ts', import.meta.url)));
      return { ...sandbox, urls: await sandbox.call('listen', { record }) };
    },

    api: async (redis, { providers, logLevel = 'warn' } = {}) => {
      const port = await findFreePort();
      const env = await gatewayEnv(redis, providers);
      const api = startProcess('api/main.ts', { ...env, PORT: String(port), LOG_LEVEL: logLevel });
      const url = `http://127.0.0.1:${port}`;
      await ready('the API is ready', api, async () => (await fetch(`${url}/readyz`)).ok);
      return { pid: api.pid, url };
    },

    worker: async (redis, providers, { slots } = {}) => {
      const before = await redis.client.hkeys(WORKERS);
      const env = await gatewayEnv(redis, providers);
      const worker = startProcess('worker/main.ts', slots ? { ...env, WORKER_CONCURRENCY: String(slots) } : env);
      await ready('the worker has started', worker, async () =>
        (await redis.client.hkeys(WORKERS)).some((name) => !before.includes(name)),
      );
      return worker;
    },

    bareApi: async (redis) => {
      const api = remote(startRemote<BareApiCalls>(new URL('processes/bare-api.ts', import.meta.url)));
      return { pid: api.pid, call: api.call, ...(await api.call('listen', { redisUrl: redis.url })) };
    },
    bareWorker: async (redis, providers) => {
      const worker = remote(startRemote<BareWorkerCalls>(new URL('processes/bare-worker.ts', import.meta.url)));
      await worker.call('start', { redisUrl: redis.url, bedrockUrl: providers?.urls.bedrock ?? null });
      return worker;
    },
    load: () => remote(startRemote<LoadCalls>(new URL('processes/load.ts', import.meta.url))),
    directCalls: () => remote(startRemote<DirectCalls>(new URL('processes/direct-calls.ts', import.meta.url))),

    own: remote,
    close: async () => {
      keys = null;
      for (let close = closers.pop(); close; close = closers.pop()) await close();
    },
  };
};
