import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';

type Used = { gateway: TestGateway; redis: Redis };

/**
 * A gateway, and a client of its Redis, for the tests of the file or describe in which this is called.
 * It remembers the calls of its providers, with their keys. `opened` is told of both before the first test.
 */
export const useGateway = (options: Parameters<typeof startGateway>[0], opened: (used: Used) => void): void => {
  let used: Used | null = null;
  beforeAll(async () => {
    const gateway = await startGateway({ sandbox: { record: { limit: 20_000, keys: 'clear' } }, ...options });
    used = { gateway, redis: new Redis(gateway.redis.url) };
    opened(used);
  });
  afterAll(async () => {
    used?.redis.disconnect();
    await used?.gateway.stop();
  });
};
