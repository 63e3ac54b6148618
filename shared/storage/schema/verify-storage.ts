import type { Redis } from 'ioredis';
import { type Demands, UnfitServer, verifyServer } from '../redis/server.ts';
import { createSchemaStore, NEWEST_SCHEMA, OLDEST_SCHEMA } from './schema-store.ts';

/** Throws UnfitServer if the server, or what is stored on it, is not what this release can run on. */
export const verifyStorage = async (redis: Redis, demands: Demands & { shards: number }): Promise<void> => {
  const isFirst = await verifyServer(redis, demands);
  const schema = createSchemaStore({ redis, shards: demands.shards });
  if (isFirst) await schema.begin();
  const { highest } = await schema.read();
  if (highest > NEWEST_SCHEMA) {
    throw new UnfitServer(
      `The data in this Redis is of schema ${highest}, and this release knows ${OLDEST_SCHEMA} to ${NEWEST_SCHEMA}: it would misread what newer releases wrote. Run the release that raised it, or a later one.`,
    );
  }
};
