import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findFreePort, type PrivateRedis, startPrivateRedis } from '../../../dev/private-redis.ts';
import { isAlive } from '../../support/processes/processes.ts';

let dir = '';
const servers: PrivateRedis[] = [];
const launchers: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'private-redis-'));
});

afterEach(async () => {
  for (const launcher of launchers.splice(0)) launcher.kill('SIGKILL');
  for (const server of servers.splice(0)) await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const start = async (port?: number): Promise<PrivateRedis> => {
  const server = await startPrivateRedis({ dir, ...(port !== undefined && { port }) });
  servers.push(server);
  return server;
};

const withClient = async <T>(server: PrivateRedis, use: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(server.url, { maxRetriesPerRequest: 1 });
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
};

/** A launcher in a process of its own, which can be killed. Resolves with the server's process id and port. */
const startElsewhere = async (): Promise<{ launcher: ChildProcess; pid: number; port: number }> => {
  const file = join(import.meta.dirname, '..', '..', '..', 'dev', 'private-redis.ts');
  const script = `
    const { startPrivateRedis } = await import(${JSON.stringify(file)});
    const { pid, port } = await startPrivateRedis({ dir: ${JSON.stringify(dir)} });
    process.send({ pid, port });`;
  const launcher = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  launchers.push(launcher);
  const [message] = (await once(launcher, 'message')) as [{ pid: number; port: number }];
  return { launcher, ...message };
};

test('a private server answers on loopback only, keeps what it acknowledged and refuses writes rather than evict', async () => {
  const server = await start();
  const settings = await withClient(server, async (redis) => {
    const names = ['bind', 'protected-mode', 'appendonly', 'appendfsync', 'save', 'maxmemory-policy', 'maxmemory'];
    const values = await Promise.all(names.map((name) => redis.config('GET', name)));
    const hashes = (await redis.config('GET', 'hash-max-*-value')) as string[];
    return Object.fromEntries([...(values as string[][]), hashes.slice(0, 2)]) as Record<string, string>;
  });
  expect(settings).toMatchObject({
    bind: '127.0.0.1',
    'protected-mode': 'yes',
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
  });
  // Admission, and what one tenant may store, are shares of it.
  expect(Number(settings.maxmemory)).toBeGreaterThanOrEqual(512 * 1_048_576);
  expect(Number(settings.maxmemory)).toBeLessThanOrEqual(Math.max(512 * 1_048_576, totalmem() / 2));
  expect(Object.entries(settings).find(([name]) => name.startsWith('hash-max'))?.[1]).toBe('1024');
});

test('what was written is there after a stop, and the next start takes the same port', async () => {
  const first = await start();
  await withClient(first, (redis) => redis.set('kept', 'yes'));
  await first.stop();
  await first.stop();
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const second = await start();
  expect(second.port).toBe(first.port);
  expect(await withClient(second, (redis) => redis.get('kept'))).toBe('yes');
});

test('what was acknowledged is there after a kill and a restart on the port that was asked for', async () => {
  const port = await findFreePort();
  const first = await start(port);
  await withClient(first, (redis) => redis.set('kept', 'yes'));
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const second = await start(port);
  expect(second.port).toBe(port);
  expect(await withClient(second, (redis) => redis.get('kept'))).toBe('yes');
});

test('a second server on the same data is refused while the first runs', async () => {
  await startElsewhere();
  await expect(start()).rejects.toThrow(/another gateway \(process \d+\) runs on the data/);
});

test('a server whose launcher was killed ends by itself', { timeout: 15_000 }, async () => {
  const { launcher, pid } = await startElsewhere();
  launcher.kill('SIGKILL');
  await vi.waitUntil(() => !isAlive(pid), { timeout: 10_000, interval: 50 });
});

test('a start right after its launcher was killed takes the data over', { timeout: 15_000 }, async () => {
  const left = await startElsewhere();
  const first = new Redis(left.port, '127.0.0.1');
  await first.set('kept', 'yes');
  first.disconnect();
  left.launcher.kill('SIGKILL');
  await once(left.launcher, 'exit');
  const server = await start();
  expect(server.pid).not.toBe(left.pid);
  expect(await withClient(server, (redis) => redis.get('kept'))).toBe('yes');
});

test('a port that a stranger holds is refused when it was asked for, and passed over when not', async () => {
  const first = await start();
  await first.stop();
  const other = await mkdtemp(join(tmpdir(), 'private-redis-'));
  const stranger = await startPrivateRedis({ dir: other, port: first.port });
  try {
    await expect(start(first.port)).rejects.toThrow(`port ${first.port} is in use`);
    const server = await start();
    expect(server.port).not.toBe(first.port);
  } finally {
    await stranger.stop();
    await rm(other, { recursive: true, force: true });
  }
});
