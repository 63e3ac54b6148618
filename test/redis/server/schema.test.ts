import { expect, test } from 'vitest';
import { key, REGISTRY_TAG, shardTag } from '../../../shared/storage/redis/names.ts';
import { createSchemaStore, NEWEST_SCHEMA } from '../../../shared/storage/schema/schema-store.ts';
import { verifyStorage } from '../../../shared/storage/schema/verify-storage.ts';
import { runCommand } from '../../support/processes/command.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const SHARDS = 2;
const DEMANDS = { shards: SHARDS, production: false };

const engine = await useEngine();
const { url, redis } = engine;

const schema = () => createSchemaStore({ redis, shards: SHARDS });
const schemaKeys = [shardTag(0), shardTag(1), REGISTRY_TAG].map((tag) => key(tag, 'SCHEMA'));
const command = (...args: string[]) => runCommand('schema', args, { REDIS_URL: url, SHARDS: String(SHARDS) });

test('an empty Redis begins with the newest', async () => {
  await verifyStorage(redis, DEMANDS);
  expect(await redis.mget(schemaKeys)).toEqual(schemaKeys.map(() => String(NEWEST_SCHEMA)));
  await verifyStorage(redis, DEMANDS);
  expect(await schema().read()).toEqual({ lowest: NEWEST_SCHEMA, highest: NEWEST_SCHEMA });
});

test('one that the release before versions wrote stays as it is', async () => {
  await redis.set(key(shardTag(0), 'SHARDS'), SHARDS);
  await verifyStorage(redis, DEMANDS);
  expect(await schema().read()).toEqual({ lowest: 1, highest: 1 });
  expect(await redis.exists(...schemaKeys)).toBe(0);
});

test.each(schemaKeys)('data of a later release is refused at start, with what to do: %s', async (name) => {
  await verifyStorage(redis, DEMANDS);
  await redis.set(name, NEWEST_SCHEMA + 1);
  await expect(verifyStorage(redis, DEMANDS)).rejects.toThrow(
    new RegExp(
      `schema ${NEWEST_SCHEMA + 1}, and this release knows 1 to ${NEWEST_SCHEMA}.*Run the release that raised it`,
    ),
  );
  const { code, stderr } = await command();
  expect([code, stderr]).toEqual([1, expect.stringContaining(`of schema ${NEWEST_SCHEMA + 1}`)]);
});

test('it is raised everywhere, again if that was cut short, and not while a worker would misread it', async () => {
  await redis.set(key(shardTag(0), 'SHARDS'), SHARDS);
  const workers = key(shardTag(1), 'WORKERS');
  // A worker of the release before says only how many jobs it holds.
  await redis.hset(workers, 'older', `4:${Date.now() + 60_000}`);
  const refused = await command('raise');
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('1 of 1 workers are of a release')]);
  expect(await schema().read()).toEqual({ lowest: 1, highest: 1 });

  await redis.hset(workers, 'older', `4:${Date.now() - 1}`);
  await engine.scheduler.heartbeat(0, 'newer', 4);
  await redis.set(key(shardTag(0), 'SCHEMA'), NEWEST_SCHEMA);
  expect((await command()).stdout).toContain(`schema 1 to ${NEWEST_SCHEMA}, because a raise was cut short`);
  const raised = await command('raise');
  expect([raised.code, raised.stderr, raised.stdout]).toEqual([
    0,
    '',
    expect.stringContaining(`of schema ${NEWEST_SCHEMA};`),
  ]);
  expect(JSON.parse((await command('show', '--json')).stdout)).toEqual({
    lowest: NEWEST_SCHEMA,
    highest: NEWEST_SCHEMA,
    oldest_known: 1,
    newest_known: NEWEST_SCHEMA,
  });
});
