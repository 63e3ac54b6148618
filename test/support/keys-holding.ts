import type { Redis } from 'ioredis';

/** The names of all keys whose name or contents hold this text, whatever their type. */
export const keysHolding = async (redis: Redis, text: string): Promise<string[]> => {
  const found: string[] = [];
  for (const key of await redis.keys('*')) {
    if (`${key} ${JSON.stringify(await contentsOf(redis, key))}`.includes(text)) found.push(key);
  }
  return found;
};

const contentsOf = async (redis: Redis, key: string): Promise<unknown> => {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    // Gone since it was listed.
    case 'none':
      return null;
    default:
      throw new Error(`${key} is a ${type}, which nobody looks into`);
  }
};
