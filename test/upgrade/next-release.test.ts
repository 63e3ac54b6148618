/** Beside a release after this one, which stores more than this one knows: nothing of it is lost, and nothing is half done. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { TenantId } from '../../shared/domain/ids.ts';
import { COUNTERS } from '../../shared/domain/records/usage-counters.ts';
import { createCommands } from '../../shared/storage/commands/run/run-commands.ts';
import { key, shardTag } from '../../shared/storage/redis/names.ts';
import { NEWEST_SCHEMA } from '../../shared/storage/schema/schema-store.ts';
import { createUsageStore } from '../../shared/storage/usage/usage-store.ts';
import { findViolations } from '../support/invariants/invariants.ts';
import { createEngine, type Engine } from '../support/redis/engine.ts';
import { useEngine } from '../support/redis/use-engine.ts';
import { until } from '../support/until.ts';

const TAG = shardTag(0);
const WORKER = 'w1';

const engine = await useEngine();
/** A worker of the release after this one, on the same Redis. */
const next = createEngine(engine.url, { abilities: ['tools', 'images'] });
afterAll(() => next.stop());
beforeEach(async () => {
  next.handoffs.length = 0;
  await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
  await engine.scheduler.heartbeat(0, WORKER, 8);
});

const today = (): string => new Date().toISOString().slice(0, 10);
const ledger = (): string => key(TAG, 'USAGE', `acme:${today()}`);
const ROW = 'bedrock|model-a|platform';

const runOne = async (of: Engine = engine): Promise<string> => {
  const running = await of.start();
  if (!running) throw new Error('nothing to run');
  return of.end(running);
};

describe('a row of usage', () => {
  test('keeps the counters that this release does not know, and adds to those that it knows', async () => {
    await engine.redis.hset(ledger(), ROW, 'input_tokens=5 reasoning_tokens=7 requests=1 searches=2');
    await engine.submit('acme');
    expect(await runOne()).toBe('completed');
    const row = (await engine.redis.hget(ledger(), ROW)) ?? '';
    const counts = Object.fromEntries(row.split(' ').map((part) => part.split('=')));
    expect(counts).toMatchObject({ reasoning_tokens: '7', searches: '2', requests: '2', completed: '1' });
    const seen: number[][] = [];
    const store = createUsageStore({ run: createCommands(engine.redis), shards: 1 });
    await store.read('acme' as TenantId, [today()], (_day, _name, values) => seen.push([...values]));
    expect(seen).toHaveLength(1);
    expect(seen[0]?.[COUNTERS.indexOf('requests')]).toBe(2);
  });

  test('is written as the release before can read it until the operator raises the schema', async () => {
    await engine.redis.del(key(TAG, 'SCHEMA'));
    await engine.submit('acme');
    await runOne();
    const before = (await engine.redis.hget(ledger(), ROW)) ?? '';
    expect(before.split(' ').map(Number)).toHaveLength(COUNTERS.length);
    expect(before).toMatch(/^[\d ]+$/);
    await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
    await engine.submit('acme');
    await runOne();
    expect(await engine.redis.hget(ledger(), ROW)).toMatch(/(^| )completed=2 .*requests=2/);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });
});

test('a staged line keeps words that this release does not know, is not taken for erased, and can be erased', async () => {
  const { id, staging } = await engine.begin('acme');
  await staging.add(
    [1, 2].map((line) => ({
      customId: `c-${line}`,
      request: { model: 'model-a', messages: [{ role: 'user' as const, content: 'x' }] },
      metadata: {},
      timeoutMs: 60_000,
      tokens: 10,
      estimateNano: null,
    })),
  );
  // A few lines are staged when the batch is published.
  await engine.publish(staging);
  const [name = ''] = await engine.redis.keys(key(TAG, 'BATCH_LINES', '*'));
  for (const [field, text] of Object.entries(await engine.redis.hgetall(name))) {
    const [head = '', ...more] = text.split('\n');
    await engine.redis.hset(name, field, [`${head} needs=tools,images shape=2`, ...more].join('\n'));
  }
  expect(await runOne()).toBe('completed');
  expect(await runOne()).toBe('completed');
  const page = await engine.batches.lines({
    tenant: 'acme' as TenantId,
    batch: id,
    status: null,
    limit: 10,
    after: null,
  });
  expect(page?.views).toHaveLength(2);
  const [first] = page?.views ?? [];
  if (!first) throw new Error('no line');
  expect(await engine.jobs.erase('acme' as TenantId, first.id)).toBe('erased');
  const heads = Object.values(await engine.redis.hgetall(name)).map((text) => text.split('\n')[0]);
  expect(heads.every((head) => head?.includes(' needs=tools,images shape=2'))).toBe(true);
  expect(heads.filter((head) => head?.endsWith(' erased'))).toHaveLength(1);
  const rest = await engine.batches.lines({
    tenant: 'acme' as TenantId,
    batch: id,
    status: null,
    limit: 10,
    after: null,
  });
  expect(rest?.views).toHaveLength(1);
});

test('an attempt’s row keeps what a later release wrote behind it', async () => {
  const id = await engine.submit('acme');
  const running = await engine.start();
  if (!running) throw new Error('nothing to run');
  const job = key(TAG, 'JOB', id);
  await engine.redis.hset(
    job,
    'attempt:1',
    `${await engine.redis.hget(job, 'attempt:1')}|remote=batch_7`,
    'later',
    'kept',
  );
  expect(await engine.end(running)).toBe('completed');
  const record = await engine.redis.hgetall(job);
  expect(record['attempt:1']).toMatch(/\|completed\|.*\|remote=batch_7$/);
  expect(record.later).toBe('kept');
});

describe('a job that needs what this release’s worker cannot do', () => {
  const waitReason = async (id: Awaited<ReturnType<Engine['submit']>>) =>
    (await engine.jobs.read('acme' as TenantId, id, { watcher: null }))?.queue?.reason;
  const due = (id: string) => engine.redis.zadd(key(TAG, 'DELAYED'), 0, id);

  test('is handed back untouched and visibly, and is run by one that can', async () => {
    const id = await engine.submit('acme', { needs: ['tools'] });
    expect(await engine.start()).toBeNull();
    expect(await waitReason(id)).toBe('worker_ability');
    const record = await engine.redis.hgetall(key(TAG, 'JOB', id));
    expect(record).toMatchObject({ status: 'queued', lacking: 'tools' });
    expect(record.attempts).toBeUndefined();
    expect(await engine.redis.hlen(key(TAG, 'INFLIGHT'))).toBe(0);
    await due(id);
    await next.tick();
    expect(await runOne(next)).toBe('completed');
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('does not hold back what others may run, and ends at its deadline if nobody comes', async () => {
    const id = await engine.submit('acme', { needs: ['tools', 'unheard-of'], deadlineMs: Date.now() + 50 });
    const other = await engine.submit('acme');
    expect(await engine.start()).toBeNull();
    expect((await engine.start())?.id).toBe(other);
    await until('its deadline has passed', async () => (await engine.scheduler.sweep(0)).expired === 1);
    expect((await engine.jobs.read('acme' as TenantId, id, { watcher: null }))?.record).toMatchObject({
      status: 'expired',
      error: 'deadline_exceeded',
    });
  });

  test('is charged nothing, counts no attempt and reserves nothing', async () => {
    const id = await engine.submit('acme', { needs: ['tools'], cost: { estimateNano: 5, budgetNano: 100 } });
    for (let turn = 0; turn < 3; turn++) {
      expect(await engine.start()).toBeNull();
      await due(id);
      await engine.tick();
    }
    const budget = await engine.redis.hgetall(key(TAG, 'BUDGET', `acme:${today().slice(0, 7)}`));
    expect(Number(budget['platform:used'] ?? 0)).toBe(0);
    expect(Number(budget['platform:reserved'])).toBe(5);
    expect(await engine.redis.hexists(ledger(), ROW)).toBe(0);
  });
});
