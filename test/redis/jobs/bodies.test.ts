/** Long and sealed bodies in Redis: whole or not there at all, counted before they are written, and gone with their job. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { BodyLost } from '../../../shared/storage/bodies/body-store.ts';
import { LONGEST_INLINE_BYTES, PIECE_BYTES } from '../../../shared/storage/bodies/stored-body.ts';
import { dropBody, stageBody } from '../../../shared/storage/commands/jobs/commands.ts';
import type { NewJob } from '../../../shared/storage/jobs/accept-job.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { NEWEST_SCHEMA } from '../../../shared/storage/schema/schema-store.ts';
import { readRequest } from '../../../worker/attempts/read-request.ts';
import { type Running, TAG } from '../../support/redis/engine.ts';
import { AMPLE_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine, useInvariants } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
beforeEach(async () => {
  await engine.scheduler.heartbeat(0, 'worker', 100);
  await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
});
useInvariants(engine);
afterEach(() => {
  vi.restoreAllMocks();
});

const acme = 'acme' as TenantId;
const RECORD = 1_024;
const limits = { ...AMPLE_LIMITS, max_stored_bytes: 10_000_000 };
const bytesOf = (length: number): Buffer => {
  const body = Buffer.from(`{"model":"model-a","x":"${'é'.repeat(Math.floor((length - 26) / 2))}"}`);
  return Buffer.concat([body, Buffer.alloc(Math.max(0, length - body.length), 0x20)]);
};
const foreign = (body: Buffer, sealBody = false): Partial<NewJob> => ({
  asked: { format: 'openai.chat', body, headers: { 'openai-beta': 'x' } },
  sealBody,
  isRaised: true,
  limits,
});
const start = async (): Promise<Running> => {
  await engine.tick();
  const running = await engine.start();
  if (running === null) throw new Error('nothing was handed off');
  return running;
};
const stored = (): Promise<number> => engine.jobs.storedBytes(acme);
const keysOf = (...names: Parameters<typeof key>[1][]): Promise<string[]> =>
  Promise.all(names.map((name) => engine.redis.keys(`${key(TAG, name)}*`))).then((found) => found.flat());
const pieces = (): Promise<string[]> => keysOf('REQUEST_BODY', 'ANSWER');

const held = (): void => {};

const SIZES = [100, LONGEST_INLINE_BYTES, LONGEST_INLINE_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7];

describe.each([false, true])('sealed: %s', (sealed) => {
  test.each(SIZES)(
    'a request and an answer of about %i bytes come back byte for byte, and nothing of them stays',
    async (size) => {
      const body = bytesOf(size);
      const id = await engine.submit('acme', foreign(body, sealed));
      const running = await start();
      expect(await readRequest(engine.bodies, id, running.claim)).toEqual({
        format: 'openai.chat',
        body,
        headers: { 'openai-beta': 'x' },
      });
      const answer = { bytes: bytesOf(size + 1), mediaType: 'application/json; a=b' };
      expect(await engine.end(running, { next: { kind: 'completed', result: answer } })).toBe('completed');
      expect(await keysOf('REQUEST', 'REQUEST_BODY')).toEqual([]);
      expect(await engine.jobs.readAnswer(acme, id, held)).toEqual(answer);
      expect(await engine.jobs.read(acme, id, { watcher: null })).toMatchObject({ result: null });
      expect(await engine.jobs.readAnswer('beta' as TenantId, id, held)).toBeNull();
      expect(await engine.jobs.erase(acme, id)).toBe('erased');
      expect(await pieces()).toEqual([]);
      expect(await stored()).toBe(RECORD);
    },
  );

  test('a long result of the neutral form comes back, and its webhook’s too', async () => {
    const id = await engine.submit('acme', { sealBody: sealed, isRaised: true });
    const result = { role: 'assistant', content: 'é'.repeat(200_000), finish_reason: 'stop' } as const;
    await engine.end(await start(), { next: { kind: 'completed', result } });
    expect((await engine.jobs.read(acme, id, { watcher: null }))?.result).toEqual(result);
    expect((await engine.jobs.readTold(acme, id))?.result).toEqual(result);
    expect((await pieces()).length).toBe(1);
  });
});

test.each([false, true])('a short answer that is no UTF-8 comes back byte for byte; sealed: %s', async (sealed) => {
  const id = await engine.submit('acme', foreign(bytesOf(100), sealed));
  const answer = { bytes: Buffer.from('{"choices":[{}],"x":"\xe9\xff"}', 'latin1'), mediaType: 'application/json' };
  expect(await engine.end(await start(), { next: { kind: 'completed', result: answer } })).toBe('completed');
  expect(await engine.jobs.readAnswer(acme, id, held)).toEqual(answer);
});

test('a sealed body is nowhere in Redis in clear, short or long', async () => {
  for (const length of [100, 300_000]) {
    const body = Buffer.from(
      `{"model":"model-a","authorization":"Bearer mcp-secret-0123456789","x":"${'x'.repeat(length)}"}`,
    );
    await engine.submit('acme', foreign(body, true));
    const running = await start();
    await engine.end(running, { next: { kind: 'completed', result: { bytes: body, mediaType: 'application/json' } } });
    await engine.submit('acme', foreign(body, true));
  }
  const values: Buffer[] = [];
  for (const name of await engine.redis.keys('*')) {
    const type = await engine.redis.type(name);
    if (type === 'string') values.push((await engine.redis.getBuffer(name)) ?? Buffer.alloc(0));
    if (type === 'hash') values.push(...Object.values(await engine.redis.hgetallBuffer(name)));
  }
  expect(values.length).toBeGreaterThan(10);
  expect(values.filter((value) => value.includes('mcp-secret'))).toEqual([]);
});

test('a long answer is read only if there is room for its bytes', async () => {
  const id = await engine.submit('acme', foreign(bytesOf(100), true));
  const answer = { bytes: bytesOf(700_000), mediaType: 'application/json' };
  await engine.end(await start(), { next: { kind: 'completed', result: answer } });
  const read = vi.spyOn(engine.redis, 'hgetBuffer');
  const full = vi.fn(() => {
    throw new Error('full');
  });
  await expect(engine.jobs.readAnswer(acme, id, full)).rejects.toThrow('full');
  expect(full).toHaveBeenCalledWith(answer.bytes.length);
  expect(read).not.toHaveBeenCalled();
});

describe('room for a long request', () => {
  test('is counted before its first piece is written, and once however often it is asked for', async () => {
    const id = 'job_x' as JobId;
    const staged = () =>
      engine.run(stageBody, {
        id,
        tenant: acme,
        bytes: 300_000,
        platformKey: 'test',
        class: 'interactive',
        needs: '',
        maxQueued: 100,
        requestsPerMinute: 100,
        maxStoredBytes: 400_000,
        idempotencyEntry: '',
        awaited: '',
        repeats: false,
        lifeMs: 60_000,
      });
    expect((await staged())[0]).toBe('staged');
    expect((await staged())[0]).toBe('too_many_stored_bytes');
    expect(await stored()).toBe(300_000);
    expect(await engine.run(dropBody, { id, tenant: acme })).toBe('dropped');
    expect(await engine.run(dropBody, { id, tenant: acme })).toBe('dropped');
    expect(await stored()).toBe(0);
    expect(await pieces()).toEqual([]);
  });

  test('is given back by upkeep if its API died, and the pieces go by themselves', async () => {
    await engine.run(stageBody, {
      id: 'job_x',
      tenant: acme,
      bytes: 300_000,
      platformKey: 'test',
      class: 'interactive',
      needs: '',
      maxQueued: 100,
      requestsPerMinute: 100,
      maxStoredBytes: 400_000,
      idempotencyEntry: '',
      awaited: '',
      repeats: false,
      lifeMs: 1,
    });
    await expect.poll(() => engine.redis.exists(key(TAG, 'REQUEST_BODY', 'job_x'))).toBe(0);
    // Its time is rounded up to ten seconds.
    const [part = ''] = await engine.redis.zrange(key(TAG, 'STORED_UNTIL'), '0', '0');
    await engine.redis.zadd(key(TAG, 'STORED_UNTIL'), Date.now() - 1, part);
    await engine.tick();
    expect(await stored()).toBe(0);
  });

  test.each<[string, Partial<NewJob>, string]>([
    ['more than the tenant may store', { limits: { ...limits, max_stored_bytes: 100_000 } }, 'too_many_stored_bytes'],
    ['more requests than a minute has', { limits: { ...limits, requests_per_minute: 0 } }, 'rate_limited'],
    ['more jobs than may wait', { limits: { ...limits, max_queued: 0 } }, 'too_many_queued'],
    ['more than the budget covers', { cost: { estimateNano: 2, budgetNano: 1 } }, 'over_budget'],
  ])('of %s: nothing of it stays behind', async (_, wrong, kind) => {
    expect((await engine.offer('acme', { ...foreign(bytesOf(500_000)), ...wrong })).kind).toBe(kind);
    expect(await pieces()).toEqual([]);
    expect(await stored()).toBe(0);
  });

  test.each<[string, Partial<NewJob>]>([
    ['its tenant stores too much', { limits: { ...limits, max_stored_bytes: 100_000 } }],
    ['its tenant sends too often', { limits: { ...limits, requests_per_minute: 0 } }],
    ['too many jobs of its tenant wait', { limits: { ...limits, max_queued: 0 } }],
  ])('is not made where %s: no piece is written, and it is refused in one round trip', async (_, wrong) => {
    const written = vi.spyOn(engine.redis, 'multi');
    const commands = vi.spyOn(engine.redis, 'sendCommand');
    await engine.offer('acme', { ...foreign(bytesOf(500_000)), ...wrong });
    expect(written).not.toHaveBeenCalled();
    expect(commands).toHaveBeenCalledTimes(1);
  });

  test('that was accepted before answers its job again, and keeps the pieces of that alone', async () => {
    const idempotency = { key: 'k', route: 'r', requests: ['same'] };
    const first = await engine.offer('acme', { ...foreign(bytesOf(500_000)), idempotency });
    const again = await engine.offer('acme', { ...foreign(bytesOf(500_000)), idempotency });
    expect(again).toMatchObject({ kind: 'replayed', view: { id: first.id } });
    const other = { ...idempotency, requests: ['other'] };
    expect((await engine.offer('acme', { ...foreign(bytesOf(500_000)), idempotency: other })).kind).toBe('mismatch');
    expect(await pieces()).toEqual([key(TAG, 'REQUEST_BODY', first.id)]);
  });

  test('is not made where workers of the release before may still run: it is stored whole in the neutral form, and foreign words are refused', async () => {
    await engine.redis.set(key(TAG, 'SCHEMA'), 1);
    expect((await engine.offer('acme', foreign(bytesOf(500_000)))).kind).toBe('behind');
    expect(await pieces()).toEqual([]);
    await engine.redis.del(key(TAG, 'SCHEMA'));
    const request = { model: 'model-a', messages: [{ role: 'user' as const, content: 'x'.repeat(200_000) }] };
    const id = await engine.submit('acme', { asked: { format: 'neutral', request }, limits });
    expect(JSON.parse((await engine.redis.get(key(TAG, 'REQUEST', id))) ?? '')).toEqual(request);
  });
});

describe('what is not whole', () => {
  test('is not accepted', async () => {
    // A piece is gone by the time that the job would be accepted.
    const lost = engine.redis.multi();
    vi.spyOn(lost, 'hset').mockReturnValue(lost);
    vi.spyOn(engine.redis, 'multi').mockImplementationOnce(() => lost as never);
    await expect(engine.offer('acme', foreign(bytesOf(500_000)))).rejects.toThrow('Redis does not answer');
    expect(await keysOf('JOB')).toEqual([]);
  });

  test.each([
    ['that lost a piece', (name: string) => engine.redis.hdel(name, '1')],
    ['with a piece that was changed', (name: string) => engine.redis.hset(name, '1', Buffer.alloc(PIECE_BYTES + 16))],
    [
      'whose pieces were exchanged',
      async (name: string) => {
        const [one, other] = await engine.redis.hmgetBuffer(name, '0', '1');
        await engine.redis.hset(name, '0', other ?? '', '1', one ?? '');
      },
    ],
  ])('is not read: a sealed request %s', async (_, spoil) => {
    const id = await engine.submit('acme', foreign(bytesOf(3 * PIECE_BYTES), true));
    const running = await start();
    await spoil(key(TAG, 'REQUEST_BODY', id));
    await expect(readRequest(engine.bodies, id, running.claim)).rejects.toThrow(BodyLost);
    await engine.end(running, { outcome: 'unavailable', usage: null, billable: false, next: { kind: 'cancelled' } });
  });

  test('an answer whose pieces are gone ends nothing, and is written again', async () => {
    const id = await engine.submit('acme', foreign(bytesOf(100)));
    const running = await start();
    const answer = { stored: 'c1.4.800000', mediaType: 'application/json' };
    const result = { bytes: bytesOf(700_000), mediaType: 'application/json' };
    expect(await engine.end(running, { answer, next: { kind: 'completed', result } })).toBe('answer_lost');
    expect(await engine.jobs.read(acme, id, { watcher: null })).toMatchObject({ record: { status: 'in_progress' } });
    expect(await engine.end(running, { next: { kind: 'completed', result } })).toBe('completed');
    expect((await engine.jobs.readAnswer(acme, id, held))?.bytes.equals(result.bytes)).toBe(true);
  });
});

test.each(['cancelled', 'expired', 'failed'])('the pieces of a job that ends %s are gone with it', async (end) => {
  const id = await engine.submit('acme', { ...foreign(bytesOf(500_000)), deadlineMs: Date.now() + 3_600_000 });
  if (end === 'cancelled') await engine.jobs.cancel(acme, id);
  else {
    const running = await start();
    const failed = { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null } as const;
    const next = end === 'failed' ? failed : ({ kind: 'expired' } as const);
    await engine.end(running, { outcome: 'rejected', usage: null, billable: false, next });
  }
  expect(await pieces()).toEqual([]);
  expect(await stored()).toBe(RECORD);
});

test('a request that needs what a worker lacks is handed back with its pieces', async () => {
  const id = await engine.submit('acme', { ...foreign(bytesOf(500_000)), needs: ['tomorrow'] });
  await engine.tick();
  expect(await engine.start()).toBeNull();
  expect((await engine.jobs.read(acme, id, { watcher: null }))?.record.lacking).toBe('tomorrow');
  expect(await pieces()).toEqual([key(TAG, 'REQUEST_BODY', id)]);
});
