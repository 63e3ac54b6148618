/** The function libraries of all releases that run on this Redis. Those of releases that are gone are forgotten. */
import type { Redis } from 'ioredis';
import { key, shardTag } from '../../redis/names.ts';
import { answerOf } from '../../redis/unavailable.ts';
import { LIBRARY_PREFIX } from './compose.ts';
import { LIBRARY_NAME } from './run-commands.ts';

/** A release without a worker for so long is gone. A process of it that comes back loads its library again. */
const GONE_AFTER_MS = 24 * 60 * 60_000;

/** Each library as FUNCTION LIST answers it: `library_name`, its name, and more. */
const namesOf = (reply: unknown): string[] =>
  (reply as string[][]).map((fields) => fields[fields.indexOf('library_name') + 1] ?? '');

export type Libraries = ReturnType<typeof createLibraries>;

export const createLibraries = ({ redis, now }: { redis: Redis; now: () => number }) => ({
  /** Says that this release is there, and deletes the libraries of those that are not. Answers the names of what it deleted. */
  forgetOld: async (): Promise<string[]> => {
    const used = key(shardTag(0), 'LIBRARIES');
    await answerOf(redis.zadd(used, now(), LIBRARY_NAME));
    const loaded = namesOf(await answerOf(redis.function('LIST', 'LIBRARYNAME', `${LIBRARY_PREFIX}*`)));
    const forgotten: string[] = [];
    for (const name of loaded) {
      // One that was never seen before counts from now on.
      await answerOf(redis.zadd(used, 'NX', now(), name));
      const seenMs = Number(await answerOf(redis.zscore(used, name)));
      if (seenMs > now() - GONE_AFTER_MS) continue;
      await answerOf(redis.function('DELETE', name));
      await answerOf(redis.zrem(used, name));
      forgotten.push(name);
    }
    return forgotten;
  },
});
