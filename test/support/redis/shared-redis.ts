import { Redis } from 'ioredis';
import { inject } from 'vitest';
import { startOwnRedis, type TestRedis } from './redis.ts';

/** Redis has 16 databases; three files run at once. */
const FILES = 3;
const DATABASES_A_FILE = 5;
let taken = 0;

/** A Redis for a test that does not kill it: an empty database of the container's server where there is one, else a server of its own. */
export const startSharedRedis = async (): Promise<TestRedis> => {
  const url = inject('containerRedisUrl');
  if (url === null) return startOwnRedis();
  const runner = Number(process.env.VITEST_POOL_ID ?? 1) - 1;
  const database = `${url}/${(runner % FILES) * DATABASES_A_FILE + (taken++ % DATABASES_A_FILE)}`;
  const redis = new Redis(database);
  await redis.flushdb();
  redis.disconnect();
  const notOurs = (): never => {
    throw new Error('a test that kills or stops Redis needs startOwnRedis');
  };
  return { url: database, kill: notOurs, signal: notOurs, restart: notOurs, stop: async () => {} };
};
