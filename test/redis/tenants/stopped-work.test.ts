import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BatchId, type JobId, stemOf, type TenantId } from '../../../shared/domain/ids.ts';
import { toListedJob } from '../../../shared/domain/jobs/job.ts';
import type { StopReason } from '../../../shared/domain/tenants/stops.ts';
import { createPlatformKeySecrets } from '../../../shared/keys/platform/platform-key.ts';
import { StagingStopped } from '../../../shared/storage/batches/batch-staging.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { stopWork } from '../../../shared/storage/commands/tenants/commands.ts';
import { key, REGISTRY_TAG } from '../../../shared/storage/redis/names.ts';
import { createPlatformKeyStore } from '../../../shared/storage/tenants/platform-key-store.ts';
import { createTenantStore } from '../../../shared/storage/tenants/tenant-store.ts';
import { createWorkStore } from '../../../shared/storage/tenants/work-store.ts';
import { createEndStoppedWork } from '../../../worker/upkeep/end-stopped-work.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { linesOf, type Running, TAG } from '../../support/redis/engine.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';
import { useEngine } from '../../support/redis/use-engine.ts';
import { peppersOf, ringText } from '../../unit/keys/rings.ts';

const engine = await useEngine();
const { redis } = engine;
const run = createCommands(redis);
const secrets = createPlatformKeySecrets(peppersOf(ringText('p1')));
const tenants = createTenantStore({ redis, run, shards: 1, actor: 'operator' });
const keys = createPlatformKeyStore({ redis, run, secrets, actor: 'operator' });
const work = createWorkStore({ redis, run, shards: 1, retentionMs: 3_600_000 });
const endStoppedWork = createEndStoppedWork({
  work,
  queues: {
    add: async (_, handoffs) => {
      engine.handoffs.push(...handoffs.filter((handoff) => handoff.startsWith('job_')));
    },
  },
  metrics: { jobsFinished: () => {} },
});

let acme: TenantId;
let one: string;
let two: string;
const issue = async (): Promise<string> => {
  const issued = await keys.issue(acme, { name: 'test' });
  if (issued.kind !== 'issued') throw new Error(issued.kind);
  return issued.key.id;
};
beforeEach(async () => {
  await engine.setSlots(6);
  acme = (await tenants.create({ name: 'Acme' })).id;
  [one, two] = [await issue(), await issue()];
});

const OWN = { credential: 'user', provider: 'openai', fingerprint: 'f', sealedKey: 'sealed' } as const;
const RETRY = {
  outcome: 'unavailable',
  usage: null,
  billable: false,
  next: { kind: 'retry', waitMs: 60_000 },
} as const;

const startOne = async (): Promise<Running> => {
  await engine.tick();
  const running = await engine.start();
  if (!running) throw new Error('nothing to start');
  return running;
};
const status = (id: JobId) => engine.redis.hmget(key(TAG, 'JOB', id), 'status', 'error');
const hasKey = (id: string) => engine.redis.exists(key(TAG, 'SEALED', id));

/** Work of a key in every place that work can be in; what is single, running last. */
const everywhere = async (platformKey: string) => {
  const running = [];
  const parked = await engine.submit(acme, { ...OWN, platformKey });
  await engine.end(await startOne(), RETRY);
  running.push(await engine.submit(acme, { ...OWN, platformKey }));
  await startOne();
  const handedOff = await engine.submit(acme, { ...OWN, platformKey });
  await engine.tick();
  const waiting = await engine.submit(acme, { ...OWN, platformKey, class: 'batch' });
  const batch = await engine.batch(acme, 5, { ...OWN, platformKey });
  return { waits: [parked, handedOff, waiting], running, batch };
};
/** Claims all that is handed off, as workers would that know nothing of a stop; answers what could start. */
const startAll = async (): Promise<Running[]> => {
  const started: Running[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await engine.tick();
    for (let left = engine.handoffs.length; left > 0; left = engine.handoffs.length) {
      const running = await engine.start();
      if (running) started.push(running);
    }
  }
  return started;
};
const drain = async (): Promise<void> => {
  for (let swept = await engine.scheduler.sweepBatch(0); swept; swept = await engine.scheduler.sweepBatch(0));
};

const STOPS = {
  key_revoked: () => keys.revoke(acme, one as never),
  tenant_disabled: () => tenants.change(acme, { disabled: true }),
  tenant_deleted: () => tenants.remove(acme),
  tenant_erased: () => tenants.remove(acme, 'erased'),
  cancelled: () => work.cancel(acme, 'operator'),
} as const satisfies Record<StopReason, () => Promise<unknown>>;
const REASONS = Object.keys(STOPS) as StopReason[];

describe.each(REASONS)('%s', (reason) => {
  test('ends what waits wherever it waits, has what runs aborted, and forgets users’ keys in the same step', async () => {
    const { waits, running, batch } = await everywhere(one);
    await STOPS[reason]();
    await work.carryOut(() => true);
    const pieces = work.end(acme, { mostHandoffs: 64 });
    // Of an erasure, as far as before it.
    for await (const _ of pieces) if ((await work.read(acme))?.stop?.ended_at) break;

    for (const id of waits) expect(await status(id)).toEqual(['cancelled', 'stopped_by_operator']);
    for (const id of running) expect((await status(id))[0]).toBe('in_progress');
    expect(await engine.redis.smembers(key(TAG, 'CANCELLING'))).toEqual(expect.arrayContaining(running));
    for (const id of [...waits, ...running, stemOf(batch)]) expect(await hasKey(id)).toBe(0);
    expect((await work.read(acme))?.stop).toMatchObject({
      reason,
      platform_key: reason === 'key_revoked' ? one : null,
      ended_at: expect.any(String),
      jobs: 4,
      batches: 1,
      lines: 5,
      running: 1,
    });
    expect(await startAll()).toEqual([]);
    await drain();
    const batches = await engine.redis.hmget(key(TAG, 'BATCH', stemOf(batch)), 'status', 'cancelled');
    expect(batches).toEqual(['cancelled', '5']);
    const { views } = (await engine.batches.lines({ tenant: acme, batch, status: null, limit: 10, after: null })) ?? {};
    expect(views?.map((view) => toListedJob(view).error?.code)).toEqual(
      Array.from({ length: 5 }, () => 'stopped_by_operator'),
    );
  });

  test('is judged at claim: nothing starts although nobody ended anything', async () => {
    const { waits, batch } = await everywhere(one);
    await STOPS[reason]();
    await work.carryOut(() => true);
    await engine.redis.zadd(key(TAG, 'DELAYED'), 1, waits[0] ?? '');
    expect(await startAll()).toEqual([]);
    for (const id of waits) expect(await status(id)).toEqual(['cancelled', 'stopped_by_operator']);
    expect(await engine.redis.hget(key(TAG, 'BATCH', stemOf(batch)), 'cancelled')).toBe('5');
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('lets a call that runs report what it cost, and tries nothing again', async () => {
    const id = await engine.submit(acme, { platformKey: one });
    const completing = await engine.submit(acme, { platformKey: one });
    const [failing, completed] = [await startOne(), await startOne()];
    await STOPS[reason]();
    await work.carryOut(() => true);
    expect(await engine.end(failing, RETRY)).toBe('cancelled');
    expect(await status(id)).toEqual(['cancelled', 'stopped_by_operator']);
    expect(await engine.end(completed)).toBe('completed');
    expect(await status(completing)).toEqual(['completed', null]);
  });

  test('that was not carried out, because who ordered it died, upkeep carries out', async () => {
    const { waits } = await everywhere(one);
    await STOPS[reason]();
    await endStoppedWork(0);
    for (const id of waits) expect((await status(id))[0]).toBe('cancelled');
    expect(await engine.redis.exists(key(REGISTRY_TAG, 'STOP_ORDERS'))).toBe(0);
    // Again it changes nothing.
    const rows = await engine.redis.xlen(key(TAG, 'AUDIT'));
    await endStoppedWork(0);
    expect(await engine.redis.xlen(key(TAG, 'AUDIT'))).toBe(rows);
  });
});

describe('what is not meant goes on:', () => {
  test('the other key of the tenant, and another tenant', async () => {
    const theirs = await everywhere(two);
    const other = await engine.submit('beta', { platformKey: 'key_other' });
    await engine.submit(acme, { platformKey: one });
    await keys.revoke(acme, one as never);
    await endStoppedWork(0);
    for (const id of [...theirs.waits, other]) expect(await status(id)).toEqual(['queued', null]);
    expect((await engine.offer(acme, { platformKey: two })).kind).toBe('accepted');
    const started = new Set((await startAll()).map(({ id }) => id));
    expect(started.has(other)).toBe(true);
    expect(await engine.redis.hget(key(TAG, 'BATCH', stemOf(theirs.batch)), 'status')).toBe('in_progress');
  });

  test.each([
    ['a key that is rotated without overlap', () => keys.rotate(acme, one as never, 0)],
    ['a key that is rotated', () => keys.rotate(acme, one as never, 60_000)],
    ['a key that has expired', () => engine.redis.hset(key(REGISTRY_TAG, 'PLATFORM_KEY', one), 'expires', 1)],
    ['a revoked key’s that is kept', () => keys.revoke(acme, one as never, { keepWork: true })],
    ['a disabled tenant’s that is kept', () => tenants.change(acme, { disabled: true, keep_work: true })],
    ['a deleted tenant’s that is kept', () => tenants.remove(acme, 'kept')],
    ['a tenant’s whose name is changed', () => tenants.change(acme, { name: 'Other' })],
  ] as const)('%s', async (_, change) => {
    const { waits } = await everywhere(one);
    await change();
    await endStoppedWork(0);
    for (const id of waits) expect(await status(id)).toEqual(['queued', null]);
    expect((await startAll()).length).toBeGreaterThan(1);
  });

  test('what was kept when its tenant was disabled, also when it is enabled again', async () => {
    const id = await engine.submit(acme, { platformKey: one });
    await tenants.change(acme, { disabled: true, keep_work: true });
    await tenants.change(acme, { disabled: false });
    await endStoppedWork(0);
    expect((await startAll()).map((running) => running.id)).toEqual([id]);
  });
});

test('a tenant that is enabled again runs what it sends from then on, and nothing from before', async () => {
  const before = await engine.submit(acme, { platformKey: one });
  await tenants.change(acme, { disabled: true });
  await work.carryOut(() => true);
  await tenants.change(acme, { disabled: false });
  await work.carryOut(() => true);
  await delay(2);
  const after = await engine.submit(acme, { platformKey: one });
  expect((await startAll()).map(({ id }) => id)).toEqual([after]);
  await endStoppedWork(0);
  expect(await status(before)).toEqual(['cancelled', 'stopped_by_operator']);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});

test('of two orders the newer one holds, in whatever order they are carried out', async () => {
  await tenants.change(acme, { disabled: true });
  const disable = (await engine.redis.hget(key(REGISTRY_TAG, 'STOP_ORDERS'), acme)) ?? '';
  await tenants.change(acme, { disabled: false });
  await work.carryOut(() => true);
  const [number = '', reason = ''] = disable.split(' ');
  await run(stopWork, TAG, { tenant: acme, reason, platformKey: '', order: number, actor: 'operator' });
  expect((await engine.offer(acme, { platformKey: one })).kind).toBe('accepted');
});

test('a job of a release that kept no key is judged by its tenant', async () => {
  const [kept, stopped] = [await engine.submit(acme), await engine.submit(acme)];
  for (const id of [kept, stopped]) await engine.redis.hdel(key(TAG, 'JOB', id), 'platform_key');
  await keys.revoke(acme, one as never);
  await endStoppedWork(0);
  const running = await startOne();
  expect(running.id).toBe(kept);
  await tenants.change(acme, { disabled: true });
  await work.carryOut(() => true);
  expect(await startAll()).toEqual([]);
  expect(await status(stopped)).toEqual(['cancelled', 'stopped_by_operator']);
});

describe('what comes in meanwhile is refused, by processes too that do not know of the stop yet:', () => {
  test.each(REASONS.filter((reason) => reason !== 'cancelled'))('%s', async (reason) => {
    const { staging } = await engine.begin(acme, { platformKey: one });
    await staging.add(linesOf(3));
    await STOPS[reason]();
    await work.carryOut(() => true);
    const answer = await engine.offer(acme, {
      platformKey: one,
      idempotency: { key: 'k', route: 'r', requests: ['x'] },
    });
    expect(answer).toMatchObject({ kind: 'stopped', reason: reason === 'tenant_erased' ? 'tenant_deleted' : reason });
    await expect(engine.begin(acme, { platformKey: one })).rejects.toThrow('not to be staged: stopped');
    await expect(engine.publish(staging)).rejects.toThrow(StagingStopped);
    await staging.discard();
    expect(await engine.redis.keys(`${TAG}:batch-lines:*`)).toEqual([]);
  });

  test('a batch of which all lines had come in, and that was not published', async () => {
    const { id, staging } = await engine.begin(acme, { platformKey: one });
    // A full piece, so that nothing is left to be sent.
    await staging.add(linesOf(31));
    while ((await engine.redis.hget(key(TAG, 'BATCH', stemOf(id)), 'total')) !== '31');
    await keys.revoke(acme, one as never);
    await work.carryOut(() => true);
    await expect(engine.publish(staging)).rejects.toThrow(StagingStopped);
  });

  test('a batch that was being uploaded when all was cancelled, while the next one is taken', async () => {
    const { staging } = await engine.begin(acme, { platformKey: one });
    await staging.add(linesOf(40));
    await work.cancel(acme, 'operator');
    // Its lines are refused, long before it is published.
    const goOn = async (): Promise<void> => {
      for (let first = 41; first < 400; first += 32) {
        await staging.add(linesOf(32, { first }));
        await delay(1);
      }
    };
    await expect(goOn()).rejects.toMatchObject({ reason: 'cancelled' });
    await delay(2);
    await engine.batch(acme, 2, { platformKey: one });
    expect((await startAll()).length).toBe(2);
  });
});

describe('many', () => {
  /** Some 60 for each of 64 jobs, at a µs or two each: what a piece takes on an idle machine, whatever else runs on this one. */
  const MAX_CALLS_PER_PIECE = 4_000;
  /** Commands that Redis ran since its statistics were reset, those inside scripts and functions too. */
  const commandCalls = async (): Promise<number> => {
    const stats = await engine.redis.info('commandstats');
    return [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  };

  test('3,000 waiting lines and 1,000 waiting jobs end in pieces, none of which takes long, and go on after a crash', async () => {
    await engine.batch(acme, linesOf(3_000), { ...OWN, platformKey: one });
    const ids = await Promise.all(
      Array.from({ length: 1_000 }, () => engine.submit(acme, { ...OWN, platformKey: one })),
    );
    await keys.revoke(acme, one as never);
    await work.carryOut(() => true);
    await engine.redis.config('RESETSTAT');
    let [pieces, before] = [0, 0];
    const expectSmall = async (): Promise<void> => {
      const calls = await commandCalls();
      expect(calls - before).toBeLessThan(MAX_CALLS_PER_PIECE);
      before = calls;
    };
    for await (const { jobs } of work.end(acme, { mostHandoffs: 64 })) {
      expect(jobs).toBeLessThanOrEqual(128);
      await expectSmall();
      pieces += 1;
      // Whoever ends it dies.
      if (pieces === 5) break;
    }
    expect((await work.read(acme))?.stop?.ended_at).toBeNull();
    for await (const _ of work.end(acme, { mostHandoffs: 64 })) await expectSmall();
    expect(await work.read(acme)).toMatchObject({
      waiting_jobs: 0,
      waiting_lines: 0,
      stop: { jobs: 1_000, batches: 1, lines: 3_000, ended_at: expect.any(String) },
    });
    const states = await Promise.all(ids.map((id) => status(id)));
    expect(new Set(states.map(([state]) => state))).toEqual(new Set(['cancelled']));
    expect(await engine.redis.keys(`${TAG}:sealed:*`)).toEqual([]);
    const rows = await engine.redis.xrange(key(TAG, 'AUDIT'), '-', '+');
    const told = rows.map(([, [, row = '[]']]) => JSON.parse(row) as unknown[]);
    expect(told).toContainEqual(['work_stopped', acme, 'operator', 'key_revoked', one]);
    expect(told).toContainEqual(['stopped_work_ended', acme, 1_000, 1, 3_000, 0]);
    await drain();
    await startAll();
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });
});

describe('an erasure', () => {
  const MARKER = 'marmalade-4711';
  const webhook = { url: `https://example.com/${MARKER}`, events: ['job.completed', 'job.cancelled'] } as const;
  const stored = async (): Promise<BatchId> => {
    const content = { messages: [{ role: 'user' as const, content: MARKER }], model: 'model-a' };
    const job = { platformKey: one, request: content, metadata: { order: MARKER }, webhook: webhook as never };
    for (let count = 0; count < 3; count++) await engine.submit(acme, job);
    const result = { role: 'assistant', content: MARKER, finish_reason: 'stop' } as const;
    await engine.end(await startOne(), { next: { kind: 'completed', result } });
    const lines = linesOf(200).map((line) => ({ ...line, request: content, metadata: { order: MARKER } }));
    const batch = await engine.batch(acme, lines, { platformKey: one, metadata: { order: MARKER } });
    await engine.redis.hset(key(TAG, 'WEBHOOK_SECRETS', acme), 'current', MARKER);
    return batch;
  };
  const eraseAll = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) {
      await endStoppedWork(0);
      await drain();
    }
  };

  test('forgets jobs, results, batches, metadata, deliveries and webhook secrets; usage and audit log stay', async () => {
    const batch = await stored();
    const [, running] = [await startOne(), await startOne()];
    expect((await keysHolding(engine.redis, MARKER)).length).toBeGreaterThan(10);
    await tenants.remove(acme, 'erased');
    await eraseAll();
    // It waits for what runs.
    expect((await work.read(acme))?.erasure?.ended_at).toBeNull();
    for (const [id, since] of Object.entries(await engine.redis.hgetall(key(TAG, 'INFLIGHT')))) {
      // Its worker is gone, and another one learns that it was stopped.
      engine.handoffs.push(`${id}-${since.split(':')[0]}`);
    }
    expect(await startAll()).toEqual([]);
    await eraseAll();

    expect(await work.read(acme)).toMatchObject({
      waiting_jobs: 0,
      waiting_lines: 0,
      in_flight: 0,
      erasure: { ended_at: expect.any(String), jobs: 3, batches: 1, deliveries: expect.any(Number) },
    });
    expect(await keysHolding(engine.redis, MARKER)).toEqual([]);
    expect(await engine.jobs.read(acme, running.id, { watcher: null })).toBeNull();
    expect(await engine.batches.read(acme, batch, { watcher: null })).toBeNull();
    const left = (await keysHolding(engine.redis, acme)).map((name) => name.split(':')[1]);
    // Stubs and their bytes, which say what a late attempt is accounted to, and what has its own end.
    expect(new Set(left)).toEqual(
      new Set(['audit', 'budget', 'job', 'lane', 'stops', 'stored-bytes', 'stored-until', 'tenant', 'usage']),
    );
    expect(await engine.redis.hlen(key(TAG, 'USAGE', `${acme}:${new Date().toISOString().slice(0, 10)}`))).toBe(1);
    for (const id of await engine.redis.keys(key(TAG, 'JOB', '*')))
      expect(await engine.redis.pttl(id)).toBeGreaterThan(0);
    for (const name of ['OUTBOX', 'INFLIGHT', 'DEADLINES', 'STOPPING', 'TENANTS', 'WAITING_TENANTS'] as const)
      expect(await engine.redis.exists(key(TAG, name))).toBe(0);
  });

  test('may be ordered after the tenant was deleted, once more when it was done', async () => {
    await stored();
    await tenants.remove(acme);
    await eraseAll();
    expect((await keysHolding(engine.redis, MARKER)).length).toBeGreaterThan(5);
    expect(await tenants.remove(acme, 'erased')).toBe(false);
    await eraseAll();
    expect(await keysHolding(engine.redis, MARKER)).toEqual([]);
    expect(await tenants.remove(acme, 'erased')).toBe(false);
    await eraseAll();
    expect((await work.read(acme))?.erasure?.ended_at).toEqual(expect.any(String));
  });
});
