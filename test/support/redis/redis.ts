/** A real Redis for one test file: a server of its own, or a database of the one that TEST_REDIS_URL names (a container's). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startPrivateRedis } from '../../../dev/private-redis.ts';

export type TestRedis = {
  url: string;
  /** Ends the server without a warning; `restart` brings it back on the same port with what its AOF holds. Only on a server of its own. */
  kill: () => Promise<void>;
  /** Stops and continues the server's process. */
  signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
  restart: () => Promise<void>;
  stop: () => Promise<void>;
};

/** Starts a server of its own, which a test may kill. */
export const startOwnRedis = async (): Promise<TestRedis> => {
  const dir = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  let server = await startPrivateRedis({ dir });
  const { port } = server;
  return {
    url: server.url,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    signal: (signal) => process.kill(server.pid, signal),
    restart: async () => {
      server = await startPrivateRedis({ dir, port });
    },
    stop: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};

/** A client of a test's own, for as long as it is used. */
export const withRedis = async <T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
};
