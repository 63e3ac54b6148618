/** Jobs and lines that only some workers can run: refused while nobody can say so, kept for those that can, and told what was left out of them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FOREIGN_FORMATS } from '../../../providers/manifest.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';
import { toJob, toListedJob } from '../../../shared/domain/jobs/job.ts';
import type { Warning } from '../../../shared/domain/jobs/schema.ts';
import { ABILITIES } from '../../../shared/domain/needs.ts';
import { type NewLine, SchemaBehind } from '../../../shared/storage/batches/batch-staging.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { NEWEST_SCHEMA } from '../../../shared/storage/schema/schema-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { askedBy, createEngine, type Engine, linesOf, TAG } from '../../support/redis/engine.ts';
import type { TestRedis } from '../../support/redis/redis.ts';
import { startSharedRedis } from '../../support/redis/shared-redis.ts';

let server: TestRedis;
/** Of a release that knows no needs of requests, and of this one. */
let engine: Engine;
let able: Engine;
beforeAll(async () => {
  server = await startSharedRedis();
  engine = createEngine(server.url, { abilities: [] });
  able = createEngine(server.url);
});
afterAll(async () => {
  engine.stop();
  able.stop();
  await server.stop();
});
const schema = (version: number | null) =>
  version === null ? engine.redis.del(key(TAG, 'SCHEMA')) : engine.redis.set(key(TAG, 'SCHEMA'), version);
beforeEach(async () => {
  await engine.redis.flushdb();
  engine.handoffs.splice(0);
  await schema(NEWEST_SCHEMA);
  await engine.scheduler.heartbeat(0, 'w', 8);
});

const acme = 'acme' as TenantId;
const WARNINGS: Warning[] = [
  { param: 'body.seed', reason: 'AWS Bedrock does not take seed; it was left out.' },
  { param: 'body.n', reason: 'Blanks\tand “signs” erased ; | stay.' },
];
const grown = (more: Partial<NewLine> = {}): NewLine => {
  const [line] = linesOf(1);
  if (line === undefined) throw new Error('no line');
  return { ...line, request: { ...line.request, top_k: 5 }, ...more };
};
const everything = async (): Promise<string[]> => (await engine.redis.keys('*')).toSorted();

describe.each([null, 1, 2])('in schema %s', (version) => {
  beforeEach(() => schema(version));

  test('a job that needs something is refused, and leaves nothing behind', async () => {
    const before = await everything();
    expect(await engine.offer('acme', { needs: ['requests/2'] })).toMatchObject({ kind: 'behind' });
    expect(await everything()).toEqual(before);
    expect(await engine.offer('acme', {})).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    ['needs something', grown()],
    ['has warnings', { ...linesOf(1)[0], warnings: WARNINGS } as NewLine],
  ])('so is a line that %s, and the batch with it', async (_, line) => {
    const { staging } = await engine.begin('acme');
    // Lines are under way while more come.
    const added = staging
      .add([...linesOf(40), line, ...linesOf(150, { first: 50 })])
      .then(() => engine.publish(staging));
    await expect(added).rejects.toBeInstanceOf(SchemaBehind);
    await staging.discard();
    expect(await engine.redis.keys(`${key(TAG, 'BATCH_LINES', '')}*`)).toEqual([]);
    expect((await engine.batches.list({ tenant: acme, limit: 20, before: null })).views).toEqual([]);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('lines of the first form are staged as the release before reads them', async () => {
    await engine.batch('acme', 2);
    const [part = ''] = await engine.redis.keys(`${key(TAG, 'BATCH_LINES', '')}*`);
    for (const contents of Object.values(await engine.redis.hgetall(part))) {
      expect(contents.split('\n')[0]).toMatch(/^\w+ \d+ \d+ \d+ \d+ \S+$/);
    }
  });
});

test('a job shows what was left out of its request, from its acceptance to its end', async () => {
  const { id, ...answer } = await engine.offer('acme', { warnings: WARNINGS });
  const views = [answer.kind === 'accepted' ? answer.view : null];
  const running = await engine.start();
  views.push(await engine.jobs.read(acme, id, { watcher: null }));
  if (running) await engine.end(running);
  views.push(await engine.jobs.read(acme, id, { watcher: null }));
  for (const view of views) expect(view && toJob(view).warnings).toEqual(WARNINGS);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
  expect(await engine.jobs.erase(acme, id)).toBe('erased');
  expect(await engine.redis.hexists(key(TAG, 'JOB', id), 'warnings')).toBe(0);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
  const plain = await engine.jobs.read(acme, await engine.submit('acme'), { watcher: null });
  expect(plain && 'warnings' in toJob(plain)).toBe(false);
});

test.each(FOREIGN_FORMATS)(
  'a job in the words of %s is handed back by the release before, and run by this one',
  async (format) => {
    const before = createEngine(server.url, { abilities: ABILITIES.filter((ability) => ability !== format) });
    try {
      const body = Buffer.from('{"model":"model-a"}');
      const id = await before.submit('acme', { asked: { format, body, headers: {} }, isRaised: true });
      await before.tick();
      expect(await before.start()).toBeNull();
      const back = await before.jobs.read(acme, id, { watcher: null });
      expect(back?.record).toMatchObject({ status: 'queued', lacking: format });
      await before.redis.zadd(key(TAG, 'DELAYED'), 0, id);
      await able.tick();
      const running = await able.start();
      expect(running?.claim.format).toBe(format);
      if (running) await able.end(running);
    } finally {
      before.stop();
    }
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  },
);

test('a line is handed back by a worker that cannot run it, and run by one that can', async () => {
  const id = await engine.batch('acme', [grown({ warnings: WARNINGS }), ...linesOf(1, { first: 9 })]);
  const lines = async () =>
    (await engine.batches.lines({ tenant: acme, batch: id, status: null, limit: 9, after: null }))?.views ?? [];
  const [waiting] = await lines();
  expect(waiting && toListedJob(waiting)).toMatchObject({ status: 'queued', warnings: WARNINGS });

  const started = [await engine.start(), await engine.start()];
  expect(started.map((running) => running && askedBy(running).top_k)).toEqual([null, undefined]);
  const [back] = await lines();
  expect(back?.record).toMatchObject({ status: 'queued', needs: 'requests/2', lacking: 'requests/2' });
  expect(back?.queue?.reason).toBe('worker_ability');

  await engine.redis.zadd(key(TAG, 'DELAYED'), 0, back?.id ?? '');
  await able.tick();
  const running = await able.start();
  expect(running && askedBy(running)).toEqual(grown().request);
  if (running)
    expect(
      await able.end(running, { next: { kind: 'failed', code: 'internal_error', providerStatus: null, detail: null } }),
    ).toBe('failed');
  const [failed] = await lines();
  expect(failed && toListedJob(failed)).toMatchObject({ status: 'failed', warnings: WARNINGS });
  for (const other of started) if (other) await engine.end(other);

  // Run again, it needs and says the same.
  const again: NewLine[] = [];
  for await (const page of engine.batches.repeatable(acme, id, ['failed'])) {
    again.push(...page.map((line) => ({ ...line, tokens: 1, estimateNano: null })));
  }
  expect(again).toMatchObject([{ request: grown().request, warnings: WARNINGS }]);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});
