/**
 * The version of what is stored. Each release reads every version from OLDEST to NEWEST, and writes the forms of the one that is recorded, so that the
 * release before can stand beside it until the operator raises the version.
 *
 * | version | what it adds |
 * |---|---|
 * | 1 | as it was before there were versions |
 * | 2 | rows of usage by name; words behind a staged line's six; jobs that say what they need of a worker |
 * | 3 | such words: what a line needs of a worker, and what of its request was left out |
 */
import type { Redis } from 'ioredis';
import { LoggableError } from '../../domain/log.ts';
import { key, REGISTRY_TAG, shardTag } from '../redis/names.ts';
import { answerOf } from '../redis/unavailable.ts';

export const OLDEST_SCHEMA = 1;
export const NEWEST_SCHEMA = 3;

/** Its message says what keeps the version from being raised, and what to do. */
export class SchemaHeld extends LoggableError {
  constructor(message: string) {
    super(message);
    this.name = 'SchemaHeld';
  }
}

export type SchemaStore = ReturnType<typeof createSchemaStore>;

export const createSchemaStore = ({ redis, shards }: { redis: Redis; shards: number }) => {
  const shardTags = Array.from({ length: shards }, (_, shard) => shardTag(shard));
  const tags = [...shardTags, REGISTRY_TAG];
  const readAll = async (): Promise<number[]> => {
    const texts = await Promise.all(tags.map((tag) => answerOf(redis.get(key(tag, 'SCHEMA')))));
    return texts.map((text) => Number(text ?? OLDEST_SCHEMA));
  };

  const read = async (): Promise<{ lowest: number; highest: number }> => {
    const versions = await readAll();
    return { lowest: Math.min(...versions), highest: Math.max(...versions) };
  };

  return {
    /** The version of each shard and of the registry. They differ for the moment of a raise, or if that was cut short. */
    read,

    /** Records the newest version in a Redis that has none and no data. */
    begin: async (): Promise<void> => {
      for (const tag of tags) await answerOf(redis.set(key(tag, 'SCHEMA'), NEWEST_SCHEMA, 'NX'));
    },

    /** Raises the version everywhere; safe to call twice. Throws SchemaHeld while a worker runs that would not know it. */
    raise: async (nowMs: number): Promise<void> => {
      const { highest } = await read();
      if (highest > NEWEST_SCHEMA) throw new SchemaHeld(`The data is of schema ${highest} already.`);
      for (const tag of shardTags) {
        const workers = await answerOf(redis.hgetall(key(tag, 'WORKERS')));
        const known = await answerOf(redis.hgetall(key(tag, 'WORKER_SCHEMAS')));
        const alive = Object.entries(workers).filter(([, slots]) => Number(slots.split(':')[1]) > nowMs);
        const older = alive.filter(([worker]) => Number(known[worker] ?? OLDEST_SCHEMA) < NEWEST_SCHEMA);
        if (older.length > 0) {
          throw new SchemaHeld(
            `${older.length} of ${alive.length} workers are of a release that does not know schema ${NEWEST_SCHEMA}. Stop them, and every API of that release, then raise it again.`,
          );
        }
      }
      for (const tag of tags) await answerOf(redis.set(key(tag, 'SCHEMA'), NEWEST_SCHEMA));
    },
  };
};
