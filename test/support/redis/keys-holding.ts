import type { Redis } from 'ioredis';

/** Every key's name with its contents, whatever its type. */
export const everyKey = async (redis: Redis): Promise<{ key: string; text: string }[]> => {
  const keys = await redis.keys('*');
  return Promise.all(
    keys.map(async (key) => ({ key, text: `${key} ${JSON.stringify(await contentsOf(redis, key))}` })),
  );
};

/** The names of all keys whose name or contents hold this text. */
export const keysHolding = async (redis: Redis, text: string): Promise<string[]> =>
  (await everyKey(redis)).filter((each) => each.text.includes(text)).map(({ key }) => key);

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
