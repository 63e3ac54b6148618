import { expect, test } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { createSchedulerStore } from '../../../shared/storage/jobs/scheduler-store.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { TAG } from '../../support/redis/engine.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const ACME = 'acme' as TenantId;

const engine = await useEngine();

const submit = (count: number, tenant = 'acme'): Promise<JobId[]> =>
  Promise.all(Array.from({ length: count }, () => engine.submit(tenant)));
const indexed = async (tenant = 'acme'): Promise<string[]> =>
  (await engine.redis.xrange(key(TAG, 'JOBS', tenant), '-', '+')).map(([, [, id = '']]) => id);
/** As when their retention is over. */
const forget = (ids: readonly JobId[]): Promise<number> => engine.redis.del(ids.map((id) => key(TAG, 'JOB', id)));

/** Once through all indexes, with records that are kept for so long. */
const trim = async (retentionMs: number): Promise<void> => {
  const { redis } = engine;
  const store = createSchedulerStore({ redis, run: createCommands(redis), retentionMs, defaultLimits: NO_LIMITS });
  for await (const _ of store.trimIndexes(0));
};

test('the index of every tenant forgets all jobs whose records are gone, however many stand before them that are not', async () => {
  const kept = await submit(130);
  const gone = await submit(200);
  const last = await submit(1);
  for (let tenant = 0; tenant < 40; tenant++) await forget(await submit(1, `tenant-${tenant}`));
  await forget(gone);
  await trim(0);
  expect(await indexed()).toEqual([...kept, ...last]);
  for (let tenant = 0; tenant < 40; tenant++) expect(await indexed(`tenant-${tenant}`)).toEqual([]);
});

test('a job whose record is kept for its webhook alone is forgotten there too', async () => {
  const [over = '', ends = ''] = await submit(2);
  await engine.redis.hset(key(TAG, 'JOB', over), 'retained', Date.now() - 1_000);
  await engine.redis.hset(key(TAG, 'JOB', ends), 'retained', Date.now() + 60_000);
  await trim(0);
  expect(await indexed()).toEqual([ends]);
});

test('what was accepted within the retention is not looked at', async () => {
  await forget(await submit(3));
  await trim(60_000);
  expect(await indexed()).toHaveLength(3);
});

test('a job that is deleted leaves the list at once, and no other does', async () => {
  const ids = await submit(30);
  await engine.scheduler.heartbeat(0, 'worker', 30);
  await engine.tick();
  for (let running = await engine.start(); running; running = await engine.start()) await engine.end(running);
  const [deleted = ids[7], ...rest] = [ids[7], ...ids.filter((id) => id !== ids[7])];
  if (!deleted) throw new Error('no job');
  expect(await engine.jobs.erase(ACME, deleted)).toBe('erased');
  expect(await indexed()).toEqual(rest);
});
