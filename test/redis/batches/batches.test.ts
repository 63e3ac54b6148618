import { beforeEach, describe, expect, test } from 'vitest';
import { parseCursor, toBatch, toResultLine } from '../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../shared/domain/batches/states.ts';
import { textsOf } from '../../../shared/domain/conversation/content.ts';
import { type BatchId, type JobId, stemOf, type TenantId } from '../../../shared/domain/ids.ts';
import { statusOf, toJob } from '../../../shared/domain/jobs/job.ts';
import { type NewLine, StagingLost } from '../../../shared/storage/batches/batch-staging.ts';
import { BatchGone } from '../../../shared/storage/batches/batch-store.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createReadSubject } from '../../../worker/deliveries/read-subject.ts';
import { askedBy, linesOf, type Running, TAG } from '../../support/redis/engine.ts';
import { AMPLE_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine, useInvariants } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
beforeEach(() => engine.scheduler.heartbeat(0, 'worker', 10));
const invariants = useInvariants(engine);

const acme = 'acme' as TenantId;

const read = async (id: BatchId) => {
  const view = await engine.batches.read(acme, id, { watcher: null });
  if (view === null) throw new Error('the batch is not stored');
  return toBatch(view);
};
const counts = async (id: BatchId) => (await read(id)).request_counts;

const collect = async <T>(pages: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const page of pages) all.push(page);
  return all;
};

const results = async (id: BatchId, cursor?: string) => {
  const after = cursor === undefined ? undefined : (parseCursor(id, cursor) ?? undefined);
  const pages = await collect(engine.batches.outcomes(acme, id, after));
  return pages.flat().map((outcome) => toResultLine(id, outcome));
};

const startAll = async (): Promise<Running[]> => {
  const running: Running[] = [];
  while (engine.handoffs.length > 0) {
    const job = await engine.start();
    if (job) running.push(job);
  }
  return running;
};
/** Runs everything that waits to its end, with this share of the calls refused. */
const runAll = async (isRefused: (content: string) => boolean = () => false): Promise<void> => {
  for (;;) {
    await engine.tick();
    const running = await startAll();
    if (running.length === 0) return;
    for (const job of running) await engine.end(job, isRefused(contentOf(job)) ? REFUSED : {});
  }
};
const contentOf = (running: Running): string =>
  askedBy(running)
    .messages.flatMap(({ content }) => textsOf(content))
    .join();

const REFUSED = {
  outcome: 'rejected',
  usage: null,
  next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: 'no' },
} as const;

/** Upkeep's steps until nothing is due. */
const sweep = async (): Promise<void> => {
  for (;;) {
    const swept = await engine.scheduler.sweepBatch(0);
    if (swept === null) return;
    engine.handoffs.push(...swept.handoffs);
  }
};
/** Makes a batch's next date be over. */
const pass = (id: BatchId): Promise<number> => engine.redis.zadd(key(TAG, 'BATCH_DUE'), 1, stemOf(id));
const cancel = async (id: BatchId) => (await engine.batches.cancel(acme, id)).answer;

const keysOf = async (id: BatchId): Promise<string[]> => engine.redis.keys(`*${stemOf(id)}*`);

const lineId = async (id: BatchId, line: number): Promise<JobId> => {
  const page = await engine.batches.lines({ tenant: acme, batch: id, status: null, limit: 1, after: line - 1 });
  const [view] = page?.views ?? [];
  if (!view) throw new Error(`no line ${line}`);
  return view.id;
};

describe('a published batch', () => {
  test('runs each line once, in order, and its counts, usage and results agree at every step', async () => {
    const id = await engine.batch('acme', 100);
    expect(await read(id)).toMatchObject({ id, status: 'in_progress', parent_id: null, finished_at: null });
    expect(await counts(id)).toMatchObject({ total: 100, queued: 100, in_progress: 0 });

    const seen: string[] = [];
    let ended = 0;
    for (let running = await startAll(); running.length > 0; running = await startAll()) {
      seen.push(...running.map(contentOf));
      expect(await counts(id)).toMatchObject({ in_progress: running.length, completed: ended });
      for (const job of running) await engine.end(job);
      ended += running.length;
      expect(await results(id)).toHaveLength(ended);
      await engine.tick();
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => `line ${index + 1}`));
    const batch = await read(id);
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 100, queued: 0, in_progress: 0, completed: 100, failed: 0, cancelled: 0, expired: 0 },
      usage: { input_tokens: 1_000, output_tokens: 500, total_tokens: 1_500, cost_usd: 100_000 / 1e9 },
    });
    expect(Date.parse(batch.retained_until ?? '')).toBeGreaterThan(Date.parse(batch.finished_at ?? ''));
    const lines = await results(id);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(linesOf(100).map(({ customId }) => customId));
    expect(lines[0]).toMatchObject({ status: 'completed', result: { content: 'hi' }, error: null });
    expect(lines[0]?.usage).toMatchObject({ input_tokens: 10, output_tokens: 5 });
  });

  test('shows each line as a job with its place, its metadata and its batch, before and after its turn', async () => {
    const lines = linesOf(30).map((line, index) => ({ ...line, metadata: { row: String(index) } }));
    const id = await engine.batch('acme', lines);
    const waiting = await engine.jobs.read(acme, await lineId(id, 25), { watcher: null });
    if (!waiting) throw new Error('not stored');
    expect(toJob(waiting)).toMatchObject({
      status: 'queued',
      batch_id: id,
      model: 'model-a',
      metadata: { row: '24' },
      queue: { wait_reason: 'tenant_share', position: 16 },
      retained_until: null,
    });
    await runAll();
    const done = await engine.jobs.read(acme, waiting.id, { watcher: null });
    if (!done) throw new Error('not stored');
    expect(toJob(done)).toMatchObject({
      status: 'completed',
      batch_id: id,
      metadata: { row: '24' },
      result: { content: 'hi' },
      retained_until: (await read(id)).retained_until,
    });
    expect(await engine.jobs.read('beta' as TenantId, waiting.id, { watcher: null })).toBeNull();
    expect((await engine.jobs.list({ tenant: acme, status: null, limit: 100, before: null })).views).toEqual([]);
  });

  test('lists its lines by number, page by page, and by status', async () => {
    const id = await engine.batch('acme', 150);
    const numbers: string[] = [];
    let after: number | null = null;
    do {
      const page = await engine.batches.lines({ tenant: acme, batch: id, status: null, limit: 40, after });
      numbers.push(...(page?.views ?? []).map((view) => view.id));
      after = page?.next ?? null;
    } while (after !== null);
    expect(new Set(numbers).size).toBe(150);
    expect(numbers).toEqual(numbers.toSorted());
    for (const job of (await startAll()).slice(0, 3)) await engine.end(job);
    const done = await engine.batches.lines({ tenant: acme, batch: id, status: 'completed', limit: 40, after: null });
    expect(done?.views.map(statusOf)).toEqual(['completed', 'completed', 'completed']);
    expect(
      await engine.batches.lines({ tenant: 'beta' as TenantId, batch: id, status: null, limit: 1, after: null }),
    ).toBeNull();
  });

  test('waits behind a single job, and shares its turns with the tenant’s other batches', async () => {
    await engine.scheduler.heartbeat(0, 'worker', 1);
    const one = await engine.batch('acme', linesOf(20));
    const two = await engine.batch('acme', linesOf(20, { first: 101 }));
    const single = await engine.submit('acme');
    const order: string[] = [];
    while (engine.handoffs.length > 0) {
      const job = await engine.start();
      if (!job) continue;
      order.push(job.id === single ? 'single' : job.id.includes(stemOf(one)) ? 'one' : 'two');
      await engine.end(job);
    }
    expect(order.indexOf('single')).toBeLessThan(4);
    const turns = order.filter((turn) => turn !== 'single').slice(2);
    expect(turns.slice(0, 30).filter((turn) => turn === 'one')).toHaveLength(15);
    expect((await counts(two)).completed).toBe(20);
  });

  test('on a user’s key has one sealed key, which each line gets and the last one takes along', async () => {
    const id = await engine.batch('acme', 3, {
      provider: 'openai',
      credential: 'user',
      fingerprint: 'print',
      sealedKey: 'sealed-for-the-batch',
    });
    const running = await startAll();
    for (const { claim } of running) {
      expect(claim).toMatchObject({ sealedKey: 'sealed-for-the-batch', batch: id, credential: 'user' });
    }
    expect(await engine.redis.keys(key(TAG, 'SEALED', '*'))).toHaveLength(1);
    for (const job of running) await engine.end(job);
    expect(await engine.redis.keys(key(TAG, 'SEALED', '*'))).toEqual([]);
  });

  test('of which every line failed has failed itself, and one completed line makes it completed', async () => {
    const all = await engine.batch('acme', 3);
    const some = await engine.batch('acme', linesOf(3, { first: 11 }));
    await runAll((content) => content !== 'line 12');
    expect(await read(all)).toMatchObject({ status: 'failed', request_counts: { failed: 3 } });
    expect(await read(some)).toMatchObject({ status: 'completed', request_counts: { completed: 1, failed: 2 } });
    expect((await results(all))[0]).toMatchObject({
      status: 'failed',
      result: null,
      usage: null,
      error: { code: 'provider_rejected_request', provider_status: 400, retryable: false },
    });
  });

  test('of a tenant with a budget runs what the budget covers; the other lines fail without a call', async () => {
    await engine.redis.hset(key(TAG, 'TENANT', acme), 'budget:platform', 3_500);
    const lines = linesOf(10).map((line) => ({ ...line, estimateNano: 1_000 }));
    const id = await engine.batch('acme', lines);
    await runAll();
    expect(await counts(id)).toMatchObject({ completed: 3, failed: 7 });
    const refused = (await results(id)).filter(({ status }) => status === 'failed');
    expect(refused.every(({ error }) => error?.code === 'budget_exceeded')).toBe(true);
  });

  test('gives its failed lines again with their requests, and keeps no other request', async () => {
    const id = await engine.batch('acme', 40);
    await runAll((content) => content.endsWith('5'));
    const again = (await collect(engine.batches.repeatable(acme, id, ['failed', 'expired']))).flat();
    const lines = linesOf(40).filter(({ customId }) => customId.endsWith('5'));
    expect(again.map((line) => ({ ...line, tokens: 100, estimateNano: null }))).toEqual(lines);
    const child = await engine.batch('acme', lines, { parent: id });
    expect(await read(child)).toMatchObject({ parent_id: id, request_counts: { total: 4 } });
  });

  test('of many models has a lane for each, and refuses one more than the limit', async () => {
    const lines = Array.from({ length: 64 }, (_, index) =>
      linesOf(1, { model: `model-${index}`, first: index + 1 }),
    ).flat();
    const id = await engine.batch('acme', lines);
    await runAll();
    expect(await counts(id)).toMatchObject({ completed: 64 });
    const { staging } = await engine.begin('acme');
    await expect(staging.add([...lines, ...linesOf(1, { model: 'one too many' })])).rejects.toThrow(
      /at most 64 models/,
    );
    await staging.discard();
  });
});

describe('staging', () => {
  test('shows and runs nothing before all of it is published in one step', async () => {
    const { id, staging } = await engine.begin('acme');
    await staging.add(linesOf(200));
    await engine.tick();
    expect(engine.handoffs).toEqual([]);
    expect(await engine.batches.read(acme, id, { watcher: null })).toBeNull();
    expect(await engine.batches.list({ tenant: acme, limit: 20, before: null })).toEqual({ views: [], next: null });
    expect(await cancel(id)).toBe('gone');
    expect(await engine.batches.erase(acme, id)).toBe('gone');
    await engine.publish(staging);
    expect(await counts(id)).toMatchObject({ total: 200 });
    expect(engine.handoffs.length).toBeGreaterThan(0);
  });

  test('that is discarded leaves no key behind, and takes nothing more', async () => {
    const { id, staging } = await engine.begin('acme', {}, 'a key');
    await staging.add(linesOf(1_500));
    await staging.discard();
    await staging.discard();
    expect(await keysOf(id)).toEqual([]);
    expect(await engine.redis.keys(key(TAG, 'IDEMPOTENCY', '*'))).toEqual([]);
    await expect(engine.publish(staging)).rejects.toThrow(StagingLost);
    expect(await keysOf(id)).toEqual([]);
  });

  test('that is abandoned is swept when its lease is over, and its idempotency key is free again', async () => {
    const { id, staging } = await engine.begin('acme', {}, 'a key');
    await staging.add(linesOf(300));
    await expect(engine.begin('acme', {}, 'a key')).rejects.toThrow('in_progress');
    await pass(id);
    await sweep();
    expect(await keysOf(id)).toEqual([]);
    await expect(staging.add(linesOf(100)).then(() => engine.publish(staging))).rejects.toThrow(StagingLost);
    const again = await engine.begin('acme', {}, 'a key');
    await again.staging.add(linesOf(2));
    await engine.publish(again.staging);
  });

  test('that lost its idempotency key to another request is never published', async () => {
    const slow = await engine.begin('acme', {}, 'a key');
    await slow.staging.add(linesOf(10));
    await pass(slow.id);
    const quick = await engine.begin('acme', {}, 'a key');
    await quick.staging.add(linesOf(10));
    await expect(engine.publish(slow.staging)).rejects.toThrow(StagingLost);
    await engine.publish(quick.staging);
    await slow.staging.discard();
    expect((await engine.batches.list({ tenant: acme, limit: 20, before: null })).views.map(({ id }) => id)).toEqual([
      quick.id,
    ]);
  });

  test('published again is the same batch, and its key tells the same request from another', async () => {
    const { id, staging } = await engine.begin('acme', {}, 'a key');
    await staging.add(linesOf(10));
    await engine.publish(staging, {}, 'digest-1');
    await engine.publish(staging, {}, 'digest-1');
    expect(await counts(id)).toMatchObject({ total: 10 });
    const again = await engine.batches.begin(
      { ...NEW, id: 'batch_another' as BatchId },
      { key: 'a key', route: 'POST /v1/batches' },
    );
    if (again.kind !== 'known') throw new Error(again.kind);
    expect(await again.compare(['digest-0'])).toEqual({ kind: 'mismatch' });
    expect(await again.compare(['digest-0', 'digest-1'])).toMatchObject({ kind: 'replayed', view: { id } });
    expect((await engine.batches.list({ tenant: acme, limit: 20, before: null })).views).toHaveLength(1);
  });

  test('takes requests of any size and form unchanged', async () => {
    const long = 'x\n"\\\u2028é𝄞 | '.repeat(20_000);
    const lines: NewLine[] = [
      {
        customId: 'a "b"\nc',
        request: { model: 'm', messages: [{ role: 'user', content: long }] },
        metadata: { a: '\n|' },
        timeoutMs: 1,
        tokens: 100,
        estimateNano: null,
      },
      ...linesOf(40),
    ];
    const id = await engine.batch('acme', lines);
    const [first] = await startAll();
    expect(first && askedBy(first)).toEqual(lines[0]?.request);
    expect(first?.claim.timeoutMs).toBe(1);
    await cancel(id);
    expect((await results(id)).length).toBeGreaterThan(0);
  });

  test('stops where more lines would wait than the tenant may have', async () => {
    const limits = { ...AMPLE_LIMITS, max_queued: 100 };
    const { staging } = await engine.begin('acme', { limits });
    await staging.add(linesOf(101));
    await expect(engine.publish(staging)).rejects.toThrow('too_many_queued');
    await staging.discard();
    await engine.redis.hset(key(TAG, 'WORKERS'), 'worker', '0:0');
    await engine.redis.hset(key(TAG, 'SCHEDULER'), 'capacity', 0);
    await engine.batch('acme', 100, { limits });
    await expect(engine.begin('acme', { limits })).rejects.toThrow('too_many_queued');
  });
});

const NEW = {
  tenant: acme,
  provider: 'bedrock',
  credential: 'platform',
  platformKey: 'test',
  fingerprint: null,
  parent: null,
  traceparent: null,
  sandbox: false,
  limits: AMPLE_LIMITS,
} as const;

describe('a cancelled batch', () => {
  test('ends all that had no turn in one step; the rest ends when it reports, and no line starts any more', async () => {
    const id = await engine.batch('acme', 1_000);
    const running = (await startAll()).slice(0, 4);
    for (const job of running.slice(0, 2)) await engine.end(job);
    expect(await cancel(id)).toBe('requested');
    const { cancelled, in_progress } = await counts(id);
    expect(cancelled).toBeGreaterThan(980);
    expect(in_progress).toBeGreaterThan(0);
    expect((await read(id)).status).toBe('cancelling');
    expect(await engine.scheduler.heartbeat(0, 'worker', 10)).toEqual([`job_${stemOf(id)}`]);
    expect(await startAll()).toEqual([]);
    await sweep();
    expect(await cancel(id)).toBe('requested');
  });

  test('that ran nothing is cancelled at once, and forgets its requests', async () => {
    await engine.redis.hset(key(TAG, 'SCHEDULER'), 'capacity', 0);
    const id = await engine.batch('acme', 500);
    expect(await cancel(id)).toBe('final');
    expect(await cancel(id)).toBe('final');
    expect(await counts(id)).toMatchObject({ cancelled: 500, queued: 0 });
    await sweep();
    for (const part of await engine.redis.keys(key(TAG, 'BATCH_LINES', '*'))) {
      for (const line of Object.values(await engine.redis.hgetall(part))) expect(line).not.toContain('"messages"');
    }
    const lines = await results(id);
    expect(new Set(lines.map(({ custom_id }) => custom_id)).size).toBe(500);
    expect(lines.every(({ status, error }) => status === 'cancelled' && error === null)).toBe(true);
    const line = await engine.jobs.read(acme, await lineId(id, 400), { watcher: null });
    if (!line) throw new Error('not stored');
    expect(toJob(line)).toMatchObject({ status: 'cancelled', queue: null, batch_id: id });
    expect(toJob(line).finished_at).toBe((await read(id)).finished_at);
  });

  test('also ends lines in back-off and lines that came back, and a worker’s late result counts', async () => {
    const id = await engine.batch('acme', 20);
    const [retried, parked, late, ...others] = await startAll();
    if (!retried || !parked || !late) throw new Error('too few');
    for (const job of others) await engine.end(job);
    await engine.end(retried, { outcome: 'unavailable', usage: null, next: { kind: 'retry', waitMs: 60_000 } });
    await engine.end(parked, {
      outcome: 'throttled',
      usage: null,
      next: { kind: 'park', waitMs: 60_000, parkMs: 60_000 },
    });
    await cancel(id);
    await sweep();
    expect(await counts(id)).toMatchObject({ in_progress: 1, queued: 0 });
    expect(await engine.end(late)).toBe('completed');
    expect(await read(id)).toMatchObject({ status: 'cancelled' });
    expect(await results(id)).toHaveLength(20);
  });

  test('lets a line that is put back end as cancelled', async () => {
    const id = await engine.batch('acme', 1);
    const [job] = await startAll();
    if (!job) throw new Error('none');
    await cancel(id);
    expect(await engine.end(job, { outcome: 'unavailable', usage: null, next: { kind: 'retry', waitMs: 1 } })).toBe(
      'cancelled',
    );
    expect((await read(id)).status).toBe('cancelled');
  });
});

describe('an expired batch', () => {
  test('keeps and bills what finished, and the rest is expired, its requests kept for a repetition', async () => {
    const id = await engine.batch('acme', 100);
    const [first, second] = await startAll();
    if (!first || !second) throw new Error('too few');
    await engine.end(first);
    await pass(id);
    await sweep();
    expect(await read(id)).toMatchObject({ status: 'finalizing', usage: { input_tokens: 10 } });
    expect(await engine.end(second, { outcome: 'timed_out', usage: null, next: { kind: 'expired' } })).toBe('expired');
    // Running lines whose worker is lost are ended some time later.
    await engine.redis.hset(key(TAG, 'BATCH', stemOf(id)), 'deadline', Date.now() - 10_000);
    await pass(id);
    await sweep();
    expect(await read(id)).toMatchObject({
      status: 'expired',
      request_counts: { completed: 1, expired: 99, in_progress: 0, queued: 0 },
    });
    const lines = await results(id);
    expect(lines.filter(({ error }) => error?.code === 'deadline_exceeded')).toHaveLength(98 + 1);
    const again = (await collect(engine.batches.repeatable(acme, id, ['expired']))).flat();
    expect(again).toHaveLength(99);
  });
});

describe('results', () => {
  test('read from any cursor go on behind it, and each line comes once, also while the batch is stopped', async () => {
    const id = await engine.batch('acme', [...linesOf(80), ...linesOf(80, { model: 'model-b', first: 81 })]);
    const running = await startAll();
    for (const job of running.slice(0, 3)) await engine.end(job);
    const early = await results(id);
    await engine.jobs.cancel(acme, await lineId(id, 150));
    await cancel(id);
    for (const job of running.slice(3))
      await engine.end(job, { outcome: 'cancelled', usage: null, next: { kind: 'cancelled' } });
    await sweep();
    const all = await results(id);
    expect(all.slice(0, 3)).toEqual(early);
    expect(new Set(all.map(({ custom_id }) => custom_id)).size).toBe(160);
    expect(all).toHaveLength(160);
    for (const at of [0, 1, 2, 3, 4, 60, 100, 140, 158, 159]) {
      expect(await results(id, all[at]?.cursor)).toEqual(all.slice(at + 1));
    }
  });

  test('have cursors of their batch only', async () => {
    const one = await engine.batch('acme', 1);
    const two = await engine.batch('acme', 1);
    await runAll();
    const [line] = await results(one);
    expect(parseCursor(one, line?.cursor ?? '')).toEqual({ index: 1, offset: 0 });
    expect(parseCursor(two, line?.cursor ?? '')).toBeNull();
    for (const text of ['', 'x', '💥', Buffer.from(`${stemOf(one)}.-1.0`).toString('base64url')]) {
      expect(parseCursor(one, text)).toBeNull();
    }
  });

  test('of another tenant’s batch are none', async () => {
    const id = await engine.batch('acme', 2);
    await runAll();
    await expect(collect(engine.batches.outcomes('beta' as TenantId, id))).rejects.toThrow(BatchGone);
  });
});

describe('a line', () => {
  test('that is cancelled by itself before its turn has its own outcome, and is passed over', async () => {
    const id = await engine.batch('acme', 60);
    const waiting = await lineId(id, 50);
    expect((await engine.jobs.cancel(acme, waiting)).answer).toBe('cancelled');
    expect((await engine.jobs.cancel(acme, waiting)).answer).toBe('final');
    expect((await engine.jobs.cancel('beta' as TenantId, await lineId(id, 51))).answer).toBe('gone');
    await runAll();
    expect(await counts(id)).toMatchObject({ completed: 59, cancelled: 1 });
    expect((await results(id))[0]).toMatchObject({ job_id: waiting, status: 'cancelled' });
  });

  test('that is deleted is gone, and its batch still counts and lists it', async () => {
    const id = await engine.batch('acme', 60);
    const [ran, waiting] = [await lineId(id, 1), await lineId(id, 50)];
    expect(await engine.jobs.erase(acme, waiting)).toBe('conflict');
    for (const job of (await startAll()).slice(0, 2)) await engine.end(job);
    await cancel(id);
    for (const line of [ran, waiting]) {
      expect(await engine.jobs.erase('beta' as TenantId, line)).toBe('gone');
      expect(await engine.jobs.erase(acme, line)).toBe('erased');
      expect(await engine.jobs.erase(acme, line)).toBe('gone');
      expect(await engine.jobs.read(acme, line, { watcher: null })).toBeNull();
    }
    const lines = await results(id);
    expect(lines.find(({ job_id }) => job_id === ran)).toMatchObject({ status: 'completed', result: null });
    expect(lines.find(({ job_id }) => job_id === waiting)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a batch that has ended', () => {
  test('is stored with all its lines until its retention is over; then nothing of it is left but what late attempts need', async () => {
    const id = await engine.batch('acme', 700);
    for (let turn = 0; turn < 3; turn++) {
      for (const job of await startAll()) await engine.end(job);
    }
    const line = await lineId(id, 1);
    await cancel(id);
    await startAll();
    await sweep();
    expect(isFinalBatch((await read(id)).status)).toBe(true);
    expect(await results(id)).toHaveLength(700);
    await pass(id);
    await sweep();
    expect(await engine.batches.read(acme, id, { watcher: null })).toBeNull();
    expect(await engine.jobs.read(acme, line, { watcher: null })).toBeNull();
    expect((await engine.batches.list({ tenant: acme, limit: 20, before: null })).views).toEqual([]);
    expect(await engine.redis.xlen(key(TAG, 'BATCHES', acme))).toBe(0);
    const left = (await keysOf(id)).filter((name) => !name.startsWith(key(TAG, 'LANE')));
    expect(left.every((name) => name.startsWith(key(TAG, 'JOB')))).toBe(true);
    for (const name of await keysOf(id)) expect(await engine.redis.pttl(name)).toBeGreaterThan(0);
    invariants.allRecordsStored = false;
  });

  test('is told of once, in the step that ended it, and stays as it was told until that is delivered', async () => {
    const webhook = { url: 'https://example.com/hook', events: ['batch.completed', 'batch.cancelled'] as const };
    const id = await engine.batch('acme', 2, { webhook });
    const handoff = engine.handoffs[0] ?? '';
    const [lost, other] = await startAll();
    engine.handoffs.push(handoff);
    const [again] = await startAll();
    if (!lost || !other || !again) throw new Error('too few');
    await engine.end(other);
    expect(engine.handoffs).toEqual([]);
    await engine.end(again);
    expect(engine.handoffs).toEqual([`${id.replace('batch_', 'evt_')}-1`]);

    const subject = createReadSubject(engine);
    const told = await subject(acme, id);
    expect(told?.data).toMatchObject({ id, status: 'completed', usage: { input_tokens: 20 } });
    await engine.end(lost);
    expect((await read(id)).usage.input_tokens).toBe(30);
    expect(await subject(acme, id)).toEqual(told);

    await engine.redis.hset(key(TAG, 'BATCH', stemOf(id)), 'retained', Date.now() - 1);
    await pass(id);
    await sweep();
    expect(await engine.batches.read(acme, id, { watcher: null })).toBeNull();
    await expect(results(id)).rejects.toThrow(BatchGone);
    expect(await subject(acme, id)).not.toBeNull();
    await engine.redis.hset(key(TAG, 'BATCH', stemOf(id)), 'kept', Date.now() - 1);
    await pass(id);
    await sweep();
    expect(await subject(acme, id)).toBeNull();
    invariants.allRecordsStored = false;
  });

  test('can be deleted, and a running one cannot', async () => {
    const id = await engine.batch('acme', 50);
    expect(await engine.batches.erase(acme, id)).toBe('conflict');
    expect(await engine.batches.erase('beta' as TenantId, id)).toBe('gone');
    await runAll();
    expect(await engine.batches.erase(acme, id)).toBe('erased');
    expect(await engine.batches.erase(acme, id)).toBe('gone');
    expect(await engine.batches.read(acme, id, { watcher: null })).toBeNull();
    await expect(results(id)).rejects.toThrow(BatchGone);
    await sweep();
    expect((await keysOf(id)).filter((name) => name.includes('batch'))).toEqual([]);
  });

  test('still has what a lost worker reports late accounted, in the ledgers of the tenant and the batch, and once', async () => {
    const id = await engine.batch('acme', 1);
    const handoff = engine.handoffs[0] ?? '';
    const [lost] = await startAll();
    engine.handoffs.push(handoff);
    const [second] = await startAll();
    if (!lost || !second) throw new Error('too few');
    await engine.end(second);
    expect((await read(id)).usage.input_tokens).toBe(10);
    expect(await engine.end(lost)).toBe('superseded');
    expect(await engine.end(lost)).toBe('repeated');
    expect((await read(id)).usage.input_tokens).toBe(20);
    expect(await counts(id)).toMatchObject({ completed: 1 });
  });
});
