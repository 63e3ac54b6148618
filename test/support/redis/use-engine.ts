/**
 * What the tests of a file share, opened before they are collected and closed after the last of
 * them: call it at the file's top.
 */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { findViolations } from '../invariants/invariants.ts';
import { createEngine, type Engine, TAG } from './engine.ts';
import { startSharedRedis } from './shared-redis.ts';

/** A client of a Redis of this file's own. */
export const useRedis = async (): Promise<{ url: string; redis: Redis }> => {
  const server = await startSharedRedis();
  const redis = new Redis(server.url);
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  return { url: server.url, redis };
};

/** An engine on a Redis of this file's own, which is empty before each test. */
export const useEngine = async (): Promise<Engine & { url: string }> => {
  const server = await startSharedRedis();
  const engine = createEngine(server.url);
  afterAll(async () => {
    engine.stop();
    await server.stop();
  });
  beforeEach(() => engine.empty());
  return { ...engine, url: server.url };
};

/**
 * Holds the engine to its invariants after each test; a test that deletes records sets
 * `allRecordsStored` to false.
 */
export const useInvariants = ({ redis }: Engine): { allRecordsStored: boolean } => {
  const expected = { allRecordsStored: true };
  afterEach(async () => {
    const { allRecordsStored } = expected;
    expected.allRecordsStored = true;
    expect(await findViolations(redis, TAG, { allRecordsStored })).toEqual([]);
  });
  return expected;
};
