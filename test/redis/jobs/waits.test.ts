/** Calls that wait for their jobs: who may take a job over, and which jobs end because nobody waits for them. */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { endLeft } from '../../../shared/storage/commands/jobs/commands.ts';
import type { NewJob, WaitingCall } from '../../../shared/storage/jobs/accept-job.ts';
import { createWaitStore } from '../../../shared/storage/jobs/wait-store.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { NEWEST_SCHEMA } from '../../../shared/storage/schema/schema-store.ts';
import { createRandom } from '../../support/random.ts';
import { TAG } from '../../support/redis/engine.ts';
import { useEngine, useInvariants } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
useInvariants(engine);
beforeEach(() => engine.scheduler.heartbeat(0, 'worker', 1));

const waits = createWaitStore({
  run: (command, _, input) => engine.run(command, input),
  bodies: engine.bodies,
  shards: 1,
});
const acme = 'acme' as TenantId;
const LONG_MS = 3_600_000;

/** API processes that live listen to their news. */
const apis = new Map<string, Redis>();
const startApi = async (name: string): Promise<void> => {
  const connection = new Redis(engine.url);
  apis.set(name, connection);
  await connection.subscribe(key(TAG, 'NEWS', name));
};
const killApi = async (name: string): Promise<void> => {
  await apis.get(name)?.quit();
  apis.delete(name);
};
afterAll(async () => {
  for (const name of apis.keys()) await killApi(name);
});
beforeEach(async () => {
  for (const name of apis.keys()) await killApi(name);
  await startApi('a');
});

const waiting = (call: Partial<WaitingCall> = {}): Partial<NewJob> => ({
  waiting: { waiter: 'a.1', holdMs: LONG_MS, ifLeft: null, requests: ['request'], repeats: false, ...call },
});
const send = (call: Partial<WaitingCall> = {}, job: Partial<NewJob> = {}, tenant = 'acme') =>
  engine.offer(tenant, { ...waiting(call), ...job });
const sendAgain = (waiter: string, call: Partial<WaitingCall> = {}, job: Partial<NewJob> = {}, tenant = 'acme') =>
  send({ waiter, repeats: true, ...call }, job, tenant);
/** The id that a call waits for. */
const idOf = (answer: Awaited<ReturnType<typeof send>>): JobId =>
  answer.kind === 'joined' || answer.kind === 'replayed' ? (answer.view?.id ?? answer.id) : answer.id;
const of = (id: JobId, waiter: string) => ({ tenant: acme, id, platformKey: 'test', watcher: 'a', waiter });
const statusOf = async (id: JobId) => (await engine.jobs.read(acme, id, { watcher: null }))?.record.status;
/** As upkeep does it, a while after the calls are gone. */
const endThoseLeft = async () => (await engine.run(endLeft, { leftMs: 0, retentionMs: LONG_MS })).slice(0, 2);

describe('the same request again', () => {
  test('takes over the job of a call that is gone, once', async () => {
    const { id } = await send();
    await waits.leave(of(id, 'a.1'));
    const again = await sendAgain('a.2');
    expect([again.kind, idOf(again)]).toEqual(['joined', id]);
    expect((await sendAgain('a.3')).kind).toBe('accepted');
  });

  test.each<[string, Partial<WaitingCall>, Partial<NewJob>, string]>([
    ['another request', { requests: ['other'] }, {}, 'acme'],
    ['another platform key', {}, { platformKey: 'other' }, 'acme'],
    ['another tenant', {}, {}, 'beta'],
    ['a first sending', { repeats: false }, {}, 'acme'],
  ])('is not %s', async (_, call, job, tenant) => {
    const { id } = await send();
    await waits.leave(of(id, 'a.1'));
    expect((await sendAgain('a.2', call, job, tenant)).kind).toBe('accepted');
    expect(idOf(await sendAgain('a.3'))).toBe(id);
  });

  test('is found under every pepper', async () => {
    const { id } = await send({ requests: ['new pepper', 'old pepper'] });
    await waits.leave(of(id, 'a.1'));
    expect(idOf(await sendAgain('a.2', { requests: ['newest pepper', 'new pepper'] }))).toBe(id);
  });

  test('leaves alone a job whose call lives, however often it is sent', async () => {
    const { id } = await send();
    const ids = new Set([id]);
    for (let count = 2; count < 30; count++) ids.add(idOf(await sendAgain(`a.${count}`)));
    expect(ids.size).toBe(29);
  });

  test('takes over the job of a call whose hold is over, or whose API is gone', async () => {
    const { id } = await send({ holdMs: 1 });
    const { id: other } = await send({ waiter: 'b.1', requests: ['other'] });
    await expect.poll(async () => idOf(await sendAgain('a.2'))).toBe(id);
    expect(idOf(await sendAgain('a.3', { requests: ['other'] }))).toBe(other);
  });

  test('takes over the job that was left last, behind however many', async () => {
    const ids: JobId[] = [];
    for (let count = 1; count <= 20; count++) {
      const { id } = await send({ waiter: `a.${count}` });
      await waits.leave(of(id, `a.${count}`));
      await delay(2);
      ids.push(id);
    }
    expect(idOf(await sendAgain('a.21'))).toBe(ids.at(-1));
  });

  test('finds the answer of a job that ended unheard, and nobody finds one that was heard', async () => {
    const { id } = await send();
    await engine.tick();
    const running = await engine.start();
    await waits.leave(of(id, 'a.1'));
    if (running) await engine.end(running);
    const again = await sendAgain('a.2');
    expect(again).toMatchObject({ kind: 'joined', view: { id, record: { status: 'completed' } } });
    expect(await waits.attend(of(id, 'a.2'), 0)).toMatchObject({ record: { status: 'completed' } });
    expect((await sendAgain('a.3')).kind).toBe('accepted');
    // The answer got lost on its way.
    await waits.leave(of(id, 'a.2'));
    expect(idOf(await sendAgain('a.4'))).toBe(id);
  });

  test('finds the answer that a hop came for when its job had ended, and lost on its way', async () => {
    const { id } = await send();
    await engine.tick();
    const running = await engine.start();
    if (running) await engine.end(running);
    expect(await waits.attend(of(id, 'a.2'), LONG_MS)).toMatchObject({ record: { status: 'completed' } });
    await waits.leave(of(id, 'a.2'));
    expect(idOf(await sendAgain('a.3'))).toBe(id);
  });

  test('finds the job that it took over, if the word of that was lost', async () => {
    const { id } = await send();
    await waits.leave(of(id, 'a.1'));
    expect(idOf(await sendAgain('a.2'))).toBe(id);
    expect(idOf(await sendAgain('a.2'))).toBe(id);
    // Of one that was accepted likewise, though another was left by then.
    const made = await sendAgain('a.3');
    await waits.leave(of(id, 'a.2'));
    expect(await sendAgain('a.3', {}, { id: made.id })).toMatchObject({ kind: 'replayed', view: { id: made.id } });
  });

  test('finds one that was left behind many that were erased', async () => {
    const ids: JobId[] = [];
    for (let count = 0; count < 20; count++) {
      const { id } = await send({ waiter: `a.${count}` });
      await waits.leave(of(id, `a.${count}`));
      ids.push(id);
    }
    const last = ids.pop();
    for (const id of ids) {
      await engine.jobs.cancel(acme, id);
      await engine.jobs.erase(acme, id);
    }
    await expect.poll(async () => idOf(await sendAgain('a.99'))).toBe(last);
  });

  test('writes no piece of a long body that is there already, also if there is no room for it', async () => {
    const body = Buffer.from(`{"model":"m","x":"${'x'.repeat(300_000)}"}`);
    await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
    const long: Partial<NewJob> = {
      asked: { format: 'openai.chat', body, headers: {} },
      isRaised: true,
      limits: { requests_per_minute: 1_000_000, max_queued: 1_000_000, max_stored_bytes: 400_000 },
    };
    const { id } = await send({}, long);
    expect((await sendAgain('a.2', {}, long)).kind).toBe('too_many_stored_bytes');
    await waits.leave(of(id, 'a.1'));
    const pieces = vi.spyOn(engine.redis, 'multi');
    expect(idOf(await sendAgain('a.2', {}, long))).toBe(id);
    expect(pieces).not.toHaveBeenCalled();
    pieces.mockRestore();
  });

  test('finds no job that was erased', async () => {
    const { id } = await send();
    await engine.tick();
    const running = await engine.start();
    if (running) await engine.end(running);
    await waits.leave(of(id, 'a.1'));
    await engine.jobs.erase(acme, id);
    expect((await sendAgain('a.2')).kind).toBe('accepted');
  });

  test('a late word of the call before takes nothing from the one that took over', async () => {
    const { id } = await send();
    await waits.leave(of(id, 'a.1'));
    expect(idOf(await sendAgain('a.2'))).toBe(id);
    await waits.leave(of(id, 'a.1'));
    expect((await sendAgain('a.3')).kind).toBe('accepted');
    expect(await endThoseLeft()).toEqual([0, 0]);
  });

  test('with a key of its own it is found by that alone, and waits on', async () => {
    const idempotency = { key: 'k', route: 'r', requests: ['request'] };
    const { id } = await send({ requests: [] }, { idempotency });
    await waits.leave(of(id, 'a.1'));
    expect(idOf(await send({ waiter: 'a.2', requests: [] }, { idempotency }))).toBe(id);
    expect(await endThoseLeft()).toEqual([0, 0]);
  });
});

describe('a job that nobody waits for', () => {
  test.each([
    [null, 'cancelled', false],
    ['keep', 'queued', false],
    ['cancel', 'cancelled', true],
  ] as const)(
    'that is to be treated as %j is %s if it waits; running it is aborted: %j',
    async (ifLeft, became, aborted) => {
      const { id: running } = await send({ ifLeft, requests: ['one'] });
      await engine.tick();
      await engine.start();
      const { id: queued } = await send({ ifLeft, requests: ['two'] });
      await waits.leave(of(running, 'a.1'));
      await waits.leave(of(queued, 'a.1'));
      await endThoseLeft();
      expect([await statusOf(running), await statusOf(queued)]).toEqual(['in_progress', became]);
      expect(await engine.redis.smembers(key(TAG, 'CANCELLING'))).toEqual(aborted ? [running] : []);
      expect(await endThoseLeft()).toEqual([0, 0]);
    },
  );

  test('does not end while its client may still follow to the next hop', async () => {
    const { id } = await send({ holdMs: 1 });
    await delay(5);
    expect(await endThoseLeft()).toEqual([0, 0]);
    expect(await statusOf(id)).toBe('queued');
    expect(idOf(await sendAgain('a.2'))).toBe(id);
  });

  test('that has ended for that is not taken over: whoever comes so late begins anew', async () => {
    const { id } = await send();
    await waits.leave(of(id, 'a.1'));
    expect(await endThoseLeft()).toEqual([1, 1]);
    expect((await sendAgain('a.2')).kind).toBe('accepted');
  });

  test.each([['short'], ['x'.repeat(300_000)]])('frees its Idempotency-Key, if it had not begun', async (text) => {
    await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
    const job: Partial<NewJob> = {
      idempotency: { key: 'k', route: 'r', requests: ['request'] },
      asked: { format: 'openai.chat', body: Buffer.from(`{"model":"m","x":"${text}"}`), headers: {} },
      isRaised: true,
    };
    const { id } = await send({ requests: [] }, job);
    await waits.leave(of(id, 'a.1'));
    expect(await endThoseLeft()).toEqual([1, 1]);
    const anew = await send({ requests: [], waiter: 'a.2' }, job);
    expect(anew.kind).toBe('accepted');
    expect(idOf(await send({ requests: [], waiter: 'a.3' }, job))).toBe(anew.id);
    await engine.jobs.cancel(acme, anew.id);
    expect((await send({ requests: [], waiter: 'a.4' }, job)).kind).toBe('replayed');
  });

  test('has its time again after nobody could be seen: a call that goes on waits on', async () => {
    const { id } = await send();
    const { id: gone } = await send({ requests: ['other'] });
    const hourAgo = Date.now() - LONG_MS;
    for (const each of [id, gone]) await engine.redis.zadd(key(TAG, 'LEASES'), hourAgo, each);
    expect(await endThoseLeft()).toEqual([2, 0]);
    await waits.attend(of(id, 'a.2'), LONG_MS);
    expect(await endThoseLeft()).toEqual([1, 1]);
    expect([await statusOf(id), await statusOf(gone)]).toEqual(['queued', 'cancelled']);
  });

  test('does not end while its call goes from hop to hop, nor before its time', async () => {
    const { id } = await send({ holdMs: 1 });
    expect(await waits.attend(of(id, 'a.2'), LONG_MS)).toMatchObject({ record: { status: 'queued' } });
    expect(await endThoseLeft()).toEqual([0, 0]);
    await waits.leave(of(id, 'a.2'));
    expect((await engine.run(endLeft, { leftMs: 60_000, retentionMs: LONG_MS })).slice(0, 2)).toEqual([0, 0]);
    expect(await statusOf(id)).toBe('queued');
  });
});

test('only a call with the key that sent it attends a job, and none a job that no call waits for', async () => {
  const { id } = await send();
  const native = await engine.submit('acme');
  expect(await waits.attend({ ...of(id, 'a.2'), platformKey: 'other' }, LONG_MS)).toBeNull();
  expect(await waits.attend({ ...of(id, 'a.2'), tenant: 'beta' as TenantId }, LONG_MS)).toBeNull();
  expect(await waits.attend(of(native, 'a.2'), LONG_MS)).toBeNull();
  expect(await waits.attend(of(id, 'a.2'), LONG_MS)).toMatchObject({ id });
});

test('whoever sends the Idempotency-Key of a job again may wait for it, also of one for which no call waited', async () => {
  const idempotency = { key: 'k', route: 'r', requests: ['request'] };
  const { id } = await send({}, { waiting: null, idempotency });
  const again = (waiter: string, platformKey: string) => send({ waiter, requests: [] }, { idempotency, platformKey });
  const attend = (waiter: string, platformKey: string) =>
    waits.attend({ ...of(id, waiter), platformKey }, LONG_MS).then((view) => view?.id ?? null);
  expect(idOf(await again('a.2', 'test'))).toBe(id);
  expect(await attend('a.2', 'test')).toBe(id);
  expect(await attend('a.3', 'second')).toBeNull();
  for (const other of ['second', 'third', 'second']) await again('a.3', other);
  expect(await attend('a.3', 'second')).toBe(id);
  expect(await attend('a.3', 'third')).toBe(id);
  expect(await attend('a.3', 'thi')).toBeNull();
  // Its client never waited for it, and gets it by its id.
  await waits.leave(of(id, 'a.3'));
  expect(await endThoseLeft()).toEqual([0, 0]);
  expect(await statusOf(id)).toBe('queued');
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'whatever calls, retries and deaths come in whatever order, no job serves two calls that live, and none is made while one is left (seed %i)',
  async (seed) => {
    const { next: random } = createRandom(seed);
    await startApi('b');
    const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)];
    /** Job → the call that waits for it; null if it was left. */
    const model = new Map<JobId, string | null>();
    for (let step = 1; step <= 24; step++) {
      const api = pick([...apis.keys()]) ?? 'a';
      const left = [...model].filter(([, waiter]) => waiter === null).map(([id]) => id);
      const waited = [...model].filter(([, waiter]) => waiter !== null);
      switch (pick(['send', 'again', 'leave', 'leave', 'die'] as const)) {
        case 'send':
          model.set((await send({ waiter: `${api}.${step}` })).id, `${api}.${step}`);
          break;
        case 'again': {
          const answer = await sendAgain(`${api}.${step}`);
          expect([step, answer.kind]).toEqual([step, left.length > 0 ? 'joined' : 'accepted']);
          if (answer.kind === 'joined') expect(left).toContain(idOf(answer));
          model.set(idOf(answer), `${api}.${step}`);
          break;
        }
        case 'leave': {
          const [id, waiter] = pick(waited) ?? [];
          if (id === undefined || !waiter) break;
          await waits.leave(of(id, waiter));
          model.set(id, null);
          break;
        }
        default:
          await killApi('b');
          for (const [id, waiter] of waited) if (waiter?.startsWith('b.')) model.set(id, null);
      }
    }
    await killApi('b');
  },
);
