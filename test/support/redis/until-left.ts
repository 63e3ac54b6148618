import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { until } from '../until.ts';
import { withRedis } from './redis.ts';

/** Resolves when the client of the call that waits for a job is known to be gone. */
export const untilLeft = (redisUrl: string, id: string): Promise<unknown> =>
  withRedis(redisUrl, (redis) =>
    until(`${id} is left`, async () => {
      const goneAt = await redis.zscore(key(shardTag(0), 'LEASES'), id);
      return goneAt !== null && Number(goneAt) <= Date.now();
    }),
  );
