import { beforeEach, describe, expect, test } from 'vitest';
import { type BatchId, type JobId, stemOf, type TenantId } from '../../../shared/domain/ids.ts';
import { StorageFull } from '../../../shared/storage/batches/batch-staging.ts';
import { tend } from '../../../shared/storage/commands/webhooks/commands.ts';
import type { NewJob } from '../../../shared/storage/jobs/accept-job.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Engine, linesOf, type Running, TAG } from '../../support/redis/engine.ts';
import { AMPLE_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine, useInvariants } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
beforeEach(() => engine.scheduler.heartbeat(0, 'worker', 100));
const invariants = useInvariants(engine);

/** Beside the texts of a job, line or batch. */
const RECORD = 1_024;
const RESULT = '{"role":"assistant","content":"hi","finish_reason":"stop"}'.length;
const acme = 'acme' as TenantId;

const stored = (tenant = acme): Promise<number> => engine.jobs.storedBytes(tenant);
const atMost = (max_stored_bytes: number) => ({
  limits: { ...AMPLE_LIMITS, max_stored_bytes },
});
/** A request of so many bytes. */
const sized = (bytes: number): NewJob['asked'] => {
  const request = (content: string) => ({ model: 'model-a', messages: [{ role: 'user' as const, content }] });
  return { format: 'neutral', request: request('x'.repeat(bytes - JSON.stringify(request('')).length)) };
};
const run = async (): Promise<Running> => {
  const job = await engine.start();
  if (job === null) throw new Error('nothing was handed off');
  return job;
};
const runAll = async (settlement: Parameters<Engine['end']>[1] = {}): Promise<void> => {
  for (;;) {
    await engine.tick();
    if (engine.handoffs.length === 0) return;
    const job = await engine.start();
    if (job) await engine.end(job, settlement);
  }
};
const REFUSED = {
  outcome: 'rejected',
  usage: null,
  next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: 'no' },
} as const;
const letTimePass = async (): Promise<void> => {
  invariants.allRecordsStored = false;
  await engine.letRecordsEnd();
};
const sweepAll = async (): Promise<void> => {
  while ((await engine.scheduler.sweepBatch(0)) !== null);
};

describe('a job', () => {
  test('counts its request, metadata and webhook; at its end its result in the place of the request; past its retention nothing', async () => {
    const metadata = { team: 'a' };
    await engine.submit('acme', { asked: sized(500), metadata });
    const kept = RECORD + JSON.stringify(metadata).length;
    expect(await stored()).toBe(kept + 500);
    await engine.end(await run());
    expect(await stored()).toBe(kept + RESULT);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('that fails counts the explanation, one that is cancelled its record, and so does one that is deleted, until what stays of it is gone', async () => {
    const id = await engine.submit('acme', { asked: sized(500) });
    await engine.end(await run(), REFUSED);
    expect(await stored()).toBe(RECORD + 'no'.length);
    const other = await engine.submit('acme', { asked: sized(900) });
    await engine.jobs.cancel(acme, other);
    expect(await stored()).toBe(2 * RECORD + 'no'.length);
    for (const each of [id, other]) expect(await engine.jobs.erase(acme, each)).toBe('erased');
    expect(await stored()).toBe(2 * RECORD);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('that its deadline ends counts its record', async () => {
    const id = await engine.submit('acme', { asked: sized(500) });
    await engine.redis.zadd(key(TAG, 'DEADLINES'), 1, id);
    await engine.scheduler.sweep(0);
    expect(await stored()).toBe(RECORD);
  });

  test('whose time was up before its end, because upkeep came late, counts anew from its end on', async () => {
    const id = await engine.submit('acme', { asked: sized(500) });
    for (const part of await engine.redis.zrange(key(TAG, 'STORED_UNTIL'), '0', '-1')) {
      await engine.redis.zadd(key(TAG, 'STORED_UNTIL'), 1, part);
    }
    await engine.tick();
    expect(await stored()).toBe(0);
    await engine.end(await run());
    expect(await stored()).toBe(RECORD + RESULT);
    expect(await engine.jobs.erase(acme, id)).toBe('erased');
    expect(await stored()).toBe(RECORD);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('counts until its event is told, however long that takes, and as long as its retention from then on', async () => {
    const webhook = { url: 'https://a.example/hook', events: ['job.completed'] as const };
    const id = await engine.submit('acme', {
      asked: sized(500),
      webhook: { ...webhook, events: [...webhook.events] },
    });
    const ends = async (): Promise<number> => {
      const held = await engine.redis.hget(key(TAG, 'JOB', id), 'held');
      return Number(held?.split(' ')[1]) - Date.now();
    };
    await engine.end(await run());
    expect(await ends()).toBeGreaterThan(13 * 86_400_000);
    expect(await stored()).toBeGreaterThan(RECORD + RESULT);
    await engine.redis.hset(key(TAG, 'DELIVERY', id.replace('job_', 'evt_')), 'at', 'waiting');
    await engine.redis.zadd(key(TAG, 'OUTBOX'), 1, id.replace('job_', 'evt_'));
    await engine.redis.del(key(TAG, 'OUTGOING'), ...(await engine.redis.keys(key(TAG, 'ENDPOINT', '*'))));
    await engine.run(tend, { slots: 100 });
    // A failed event can be sent again for seven days.
    expect(await ends()).toBeLessThan(7 * 86_400_000 + 20_000);
  });
});

describe('at the limit', () => {
  test('a job that does not fit is refused with what is stored, counts nothing, and fits when another has ended', async () => {
    const limits = atMost(2 * RECORD + 1_200);
    await engine.submit('acme', { ...limits, asked: sized(1_000) });
    const refused = await engine.offer('acme', { ...limits, asked: sized(201) });
    expect(refused).toMatchObject({ kind: 'too_many_stored_bytes', stored: RECORD + 1_000, own: RECORD + 201 });
    expect(await stored()).toBe(RECORD + 1_000);
    expect(await engine.offer('beta', { ...limits, asked: sized(201) })).toMatchObject({ kind: 'accepted' });
    await engine.end(await run());
    expect(await engine.offer('acme', { ...limits, asked: sized(201) })).toMatchObject({ kind: 'accepted' });
  });

  test('of many that come at once only those that fit are accepted', async () => {
    const limits = atMost(5 * (RECORD + 1_000));
    const offers = Array.from({ length: 20 }, () => engine.offer('acme', { ...limits, asked: sized(1_000) }));
    const kinds = (await Promise.all(offers)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(5);
    expect(await stored()).toBe(5 * (RECORD + 1_000));
  });

  test('what was accepted before under its Idempotency-Key is answered', async () => {
    const idempotency = { key: 'k', route: 'POST /v1/complete', requests: ['same'] };
    await engine.submit('acme', { idempotency });
    expect(await engine.offer('acme', { ...atMost(1), idempotency })).toMatchObject({ kind: 'replayed' });
  });

  test('an answer is stored all the same', async () => {
    const limits = atMost(RECORD + 100);
    await engine.submit('acme', { ...limits, asked: sized(100) });
    const content = 'long '.repeat(1_000);
    await engine.end(await run(), {
      next: { kind: 'completed', result: { role: 'assistant', content, finish_reason: 'stop' } },
    });
    expect(await stored()).toBeGreaterThan(RECORD + 5_000);
    await expect(engine.begin('acme', limits)).rejects.toThrow('too_many_stored_bytes');
  });

  test('two uploads at once never pass it together, and what is given up is given back', async () => {
    const limits = atMost(150_000);
    const uploads = await Promise.all([1, 2, 3].map(() => engine.begin('acme', limits)));
    const fill = async ({ staging }: (typeof uploads)[number]): Promise<'full' | 'staged'> => {
      try {
        for (let first = 1; first <= 64; first += 16) await staging.add(linesOf(16, { first }));
        await engine.publish(staging);
        return 'staged';
      } catch (error) {
        expect(error).toBeInstanceOf(StorageFull);
        return 'full';
      }
    };
    const ends = await Promise.all(uploads.map(fill));
    expect(ends).toContain('full');
    expect(await stored()).toBeLessThanOrEqual(150_000);
    for (const [index, { staging }] of uploads.entries()) if (ends[index] === 'full') await staging.discard();
    const staged = ends.filter((end) => end === 'staged').length;
    expect((await stored()) > 0).toBe(staged > 0);
  });
});

describe('a batch', () => {
  const bytesOfLines = async (id: BatchId): Promise<number> => {
    const parts = await engine.redis.keys(key(TAG, 'BATCH_LINES', `${stemOf(id)}*`));
    const texts = await Promise.all(parts.map((part) => engine.redis.hvals(part)));
    return texts.flat().reduce((sum, text) => sum + text.length, 0);
  };

  test('counts its lines with what was staged for them, then the results in the place of the requests', async () => {
    const id = await engine.batch('acme', 70);
    const requests = 70 * JSON.stringify(linesOf(1)[0]?.request).length;
    expect(await stored()).toBe(71 * RECORD + (await bytesOfLines(id)));
    expect(await bytesOfLines(id)).toBeGreaterThan(requests);
    await runAll();
    expect(await stored()).toBe(71 * RECORD + (await bytesOfLines(id)) + 70 * RESULT);
    expect(await bytesOfLines(id)).toBeLessThan(70 * 60);
    invariants.allRecordsStored = false;
    await engine.batches.erase(acme, id);
    await sweepAll();
    // What stays of its lines, in which a late attempt is accounted.
    expect(await stored()).toBe(70 * RECORD);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('counts its metadata, its webhook and the errors of lines that were left out', async () => {
    const bare = await engine.batch('acme', 1);
    const before = await stored();
    const webhook = { url: 'https://a.example/hook', events: ['batch.failed' as const] };
    const errors = [{ line: 2, code: 'invalid_json' as const, message: 'no', param: null }];
    const full = await engine.batch('acme', 1, { metadata: { a: 'b' }, webhook, errors, skipped: 1 });
    const row = await engine.redis.hgetall(key(TAG, 'BATCH', stemOf(full)));
    const more = [row.metadata, row.webhook, row.errors].reduce((sum, text = '') => sum + text.length, 0);
    expect(more).toBeGreaterThan(100);
    expect(await stored()).toBe(2 * before + more);
    expect(bare).not.toBe(full);
  });

  test('that failed keeps its requests, and each retry of it counts them again, until they fit no more', async () => {
    const id = await engine.batch('acme', 20);
    await runAll(REFUSED);
    const one = await stored();
    const retry = async (limits = {}): Promise<void> => {
      const { staging } = await engine.begin('acme', { ...limits, parent: id });
      for await (const lines of engine.batches.repeatable(acme, id, ['failed'])) {
        await staging.add(lines.map((line) => ({ ...line, tokens: 1, estimateNano: null })));
      }
      await engine.publish(staging).catch(async (error: unknown) => {
        await staging.discard();
        throw error;
      });
      await runAll(REFUSED);
    };
    await retry();
    const two = await stored();
    expect(two).toBeGreaterThan(2 * one - 100);
    await expect(retry(atMost(two + one / 2))).rejects.toThrow(StorageFull);
    expect(await stored()).toBe(two);
  });

  test('that is cancelled gives back the requests of all lines, those that never ran too', async () => {
    const id = await engine.batch('acme', 100);
    await engine.batches.cancel(acme, id);
    await runAll();
    await sweepAll();
    expect(await stored()).toBe(101 * RECORD + (await bytesOfLines(id)));
    expect(await bytesOfLines(id)).toBeLessThan(100 * 60);
  });

  test('of which a line was deleted gives its part back', async () => {
    const id = await engine.batch(
      'acme',
      linesOf(2).map((line) => ({ ...line, metadata: { a: 'b' } })),
    );
    const page = await engine.batches.lines({ tenant: acme, batch: id, status: null, limit: 1, after: null });
    const line = page?.views[0]?.id as JobId;
    await runAll(REFUSED);
    const before = await stored();
    expect(await engine.jobs.erase(acme, line)).toBe('erased');
    const request = JSON.stringify(linesOf(1)[0]?.request).length;
    expect(before - (await stored())).toBe(request + JSON.stringify({ a: 'b' }).length + 'no'.length);
    expect(await engine.jobs.erase(acme, line)).toBe('gone');
  });

  test('whose upload died with its API gives everything back when its lease is over', async () => {
    const { id, staging } = await engine.begin('acme');
    for (let first = 1; first <= 200; first += 40) await staging.add(linesOf(40, { first }));
    await expect.poll(() => stored()).toBeGreaterThan(190 * RECORD);
    await engine.redis.zadd(key(TAG, 'BATCH_DUE'), 1, stemOf(id));
    await sweepAll();
    expect(await stored()).toBe(0);
  });
});

describe('beside the release before, which counts nothing,', () => {
  test('its jobs and batches count nothing, whatever becomes of them', async () => {
    const counted = await engine.submit('acme', { asked: sized(300) });
    const before = await stored();
    const ids = [await engine.submit('acme', { asked: sized(700) }), await engine.submit('acme')];
    const batches = [await engine.batch('acme', 5), await engine.batch('acme', 5)];
    const { redis } = engine;
    for (const id of ids) {
      const [bytes = '', ends = ''] = (await redis.hget(key(TAG, 'JOB', id), 'held'))?.split(' ') ?? [];
      await redis.decrby(key(TAG, 'STORED_BYTES', `${ends}:acme`), Number(bytes));
      await redis.hdel(key(TAG, 'JOB', id), 'held');
    }
    for (const id of batches) {
      await redis.del(key(TAG, 'STORED_BYTES', `${stemOf(id)}:acme`));
      await redis.zrem(key(TAG, 'STORED_UNTIL'), `${stemOf(id)}:acme`);
    }
    await redis.hset(key(TAG, 'TENANT', 'acme'), 'stored_bytes', before);

    expect(await findViolations(redis, TAG)).toEqual([]);
    await engine.batches.cancel(acme, batches[1] as BatchId);
    const [first, second] = [await run(), await run()];
    await engine.jobs.cancel(acme, ids[1] as JobId);
    const content = 'long '.repeat(100);
    const long = {
      next: { kind: 'completed', result: { role: 'assistant', content, finish_reason: 'stop' } },
    } as const;
    await engine.end(first);
    await engine.end(second, long);
    await runAll(long);
    await sweepAll();
    expect(await stored()).toBe(RECORD + RESULT);
    for (const id of ids) await engine.jobs.erase(acme, id);
    invariants.allRecordsStored = false;
    for (const id of batches) await engine.batches.erase(acme, id);
    await sweepAll();
    expect(await stored()).toBe(RECORD + RESULT);
    expect(await engine.jobs.erase(acme, counted)).toBe('erased');
    expect(await stored()).toBe(RECORD);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('what it ends of ours is given back: a job at the time under which it stands, a batch when upkeep misses it', async () => {
    const id = await engine.submit('acme', { asked: sized(700) });
    const batch = await engine.batch('acme', 5);
    expect(await stored()).toBeGreaterThan(7 * RECORD + 700);
    // It ends and forgets both without a word to the count.
    await engine.jobs.cancel(acme, id);
    await engine.batches.cancel(acme, batch);
    await sweepAll();
    await engine.batches.erase(acme, batch);
    await sweepAll();
    expect(await stored()).toBe(6 * RECORD);
    await engine.redis.set(key(TAG, 'STORED_BYTES', `${stemOf(batch)}:acme`), 5_000);
    await engine.redis.zadd(key(TAG, 'STORED_UNTIL'), 1, `${stemOf(batch)}:acme`);
    await engine.redis.hincrby(key(TAG, 'TENANT', 'acme'), 'stored_bytes', 5_000);
    await engine.tick();
    expect(await stored()).toBe(6 * RECORD);
    await letTimePass();
    expect(await stored()).toBe(0);
  });

  test('a batch of which it ended lines is never counted below nothing', async () => {
    const batch = await engine.batch('acme', 3);
    await runAll();
    await engine.redis.set(key(TAG, 'STORED_BYTES', `${stemOf(batch)}:acme`), 10);
    await engine.redis.hset(key(TAG, 'TENANT', 'acme'), 'stored_bytes', 10);
    const page = await engine.batches.lines({ tenant: acme, batch, status: null, limit: 9, after: null });
    for (const { id } of page?.views ?? []) await engine.jobs.erase(acme, id);
    expect(await stored()).toBe(0);
    invariants.allRecordsStored = false;
    await engine.batches.erase(acme, batch);
    await sweepAll();
    expect(await stored()).toBe(0);
  });
});
