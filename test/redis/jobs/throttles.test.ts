/** Throttles on a real Redis: whether a provider's "too many" means its account or that one job, and what it costs the others. */
import { beforeEach, expect, test } from 'vitest';
import { key } from '../../../shared/storage/redis/names.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Running, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
beforeEach(() => engine.setSlots(10));

const HOUR = 3_600_000;

const throttle = (job: Running, waitMs = 1_000, parkMs = waitMs) =>
  engine.end(job, { outcome: 'throttled', usage: null, next: { kind: 'park', waitMs, parkMs } }, 50);

const upstreamKey = async (id: string): Promise<string> => {
  const lane = (await engine.redis.hget(key(TAG, 'JOB', id), 'lane')) ?? '';
  return key(TAG, 'UPSTREAM', (await engine.redis.hget(key(TAG, 'LANE', lane), 'upstream')) ?? '');
};
const upstreamOf = async (id: string): Promise<Record<string, string>> => engine.redis.hgetall(await upstreamKey(id));
const parkedMs = async (id: string): Promise<number> =>
  Math.max(0, Number((await upstreamOf(id)).parked_until ?? 0) - Date.now());

/** Moves the clock for all that stands in a set by its time, and for upstreams. */
const elapse = async (ms: number): Promise<void> => {
  for (const name of ['PARKED', 'DELAYED'] as const) {
    for (const member of await engine.redis.zrange(key(TAG, name), '0', '-1')) {
      await engine.redis.zincrby(key(TAG, name), -ms, member);
    }
  }
  for (const name of ['UPSTREAM', 'LANE'] as const) {
    for (const record of await engine.redis.keys(`${key(TAG, name)}*`)) {
      for (const field of ['parked_until', 'throttled_at']) {
        if (await engine.redis.hexists(record, field)) await engine.redis.hincrby(record, field, -ms);
      }
    }
  }
  await engine.tick();
};
/** Until a park of a second is over, and until the job that stepped aside is back. */
const PARK_OVER = 1_100;
const BACK = 2_600;

const throttledAlone = async (): Promise<{ suspect: Running; id: Running['id'] }> => {
  const id = await engine.submit('acme');
  const [suspect] = await engine.startAll();
  if (!suspect) throw new Error('not started');
  await throttle(suspect);
  return { suspect, id };
};
const again = async (id: string): Promise<Running> => {
  await elapse(120_000);
  const job = (await engine.startAll()).find((each) => each.id === id);
  if (!job) throw new Error('did not come back');
  return job;
};
const passAnother = async (): Promise<void> => {
  await engine.submit('beta');
  for (const job of await engine.startAll()) await engine.end(job);
};

test.each(['acme', 'beta'])(
  'after a throttle another job probes, of the lane of %s, and the suspect is last',
  async (other) => {
    const { id } = await throttledAlone();
    const second = await engine.submit(other);
    const third = await engine.submit(other);
    await elapse(PARK_OVER);
    const [probe, ...more] = await engine.startAll();
    expect(probe?.id).toBe(second);
    expect(more).toEqual([]);
    if (probe) await engine.end(probe);
    expect((await engine.startAll()).map((job) => job.id)).toEqual([third]);
    await elapse(BACK);
    expect((await engine.startAll()).map((job) => job.id)).toEqual([id]);
  },
);

test('the suspect gives way even where it is back before another of its lane had a turn', async () => {
  const { id } = await throttledAlone();
  const second = await engine.submit('acme');
  // Park and step aside end in the same moment, as after a pause of all workers.
  await elapse(60_000);
  expect((await engine.startAll()).map((job) => job.id)).toEqual([second]);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
  expect((await upstreamOf(id)).suspect).toBe(id);
});

test('when another passes, the park and the halved cap end with it', async () => {
  const ids = [];
  for (let count = 0; count < 4; count++) ids.push(await engine.submit('acme'));
  const [suspect, ...others] = await engine.startAll();
  if (!suspect) throw new Error('not started');
  await throttle(suspect, 20_000);
  expect(await upstreamOf(suspect.id)).toMatchObject({ cap: '2', strikes: '1' });
  await engine.submit('beta');
  await engine.tick();
  expect(await engine.redis.zcard(key(TAG, 'PARKED'))).toBe(1);
  // A call that began before the throttle says nothing about it.
  const [early, probe] = others;
  if (!early || !probe) throw new Error('not started');
  await engine.end(early);
  expect(await parkedMs(suspect.id)).toBeGreaterThan(15_000);
  await engine.redis.hset(await upstreamKey(suspect.id), 'throttled_at', Date.now() - HOUR);
  await engine.end(probe);
  expect(await parkedMs(suspect.id)).toBe(0);
  const after = await upstreamOf(suspect.id);
  for (const field of ['cap', 'strikes', 'suspect', 'parked_until']) expect(after).not.toHaveProperty(field);
  expect(await engine.redis.zcard(key(TAG, 'PARKED'))).toBe(0);
  expect((await engine.startAll()).map(({ claim }) => claim.tenant)).toEqual(['beta']);
});

test('a job that others pass stands apart: it parks nobody, and its worker learns how often', async () => {
  const { id } = await throttledAlone();
  for (const apart of [1, 2, 3]) {
    await elapse(PARK_OVER);
    await passAnother();
    const job = await again(id);
    expect(job.claim).toMatchObject({ apart, throttles: apart });
    await throttle(job, 60_000, HOUR);
    expect(await parkedMs(id)).toBe(0);
    expect(await upstreamOf(id)).not.toHaveProperty('cap');
  }
});

test('an impossible job alone probes alone, and a newcomer waits for half a minute at most', async () => {
  const { id } = await throttledAlone();
  for (let count = 0; count < 5; count++) {
    const job = await again(id);
    expect(job.claim.apart).toBe(0);
    await throttle(job, HOUR);
    expect(await parkedMs(id)).toBeLessThanOrEqual(30_000);
    await engine.redis.zadd(key(TAG, 'DELAYED'), Date.now(), id);
  }
  expect(await upstreamOf(id)).toMatchObject({ strikes: '1' });
});

test('two impossible jobs stand apart each, as soon as others passed', async () => {
  const ids = [await engine.submit('acme'), await engine.submit('acme')];
  for (const job of await engine.startAll()) await throttle(job);
  await elapse(PARK_OVER);
  await passAnother();
  await elapse(120_000);
  const jobs = await engine.startAll();
  expect(jobs.map((job) => job.id).toSorted()).toEqual(ids.toSorted());
  for (const job of jobs) {
    await throttle(job);
    expect(await parkedMs(job.id)).toBe(0);
  }
});

test('an account that is really limited is parked for as long as asked, once a probe was throttled too', async () => {
  const first = await engine.submit('acme');
  for (let count = 0; count < 20; count++) await engine.submit(count % 2 === 0 ? 'acme' : 'beta');
  let calls = 0;
  for (let round = 0; round < 6; round++) {
    const started = await engine.startAll();
    calls += started.length;
    if (round > 2) expect(started.length).toBeLessThanOrEqual(1);
    for (const job of started) {
      expect(job.claim.apart).toBe(0);
      await throttle(job, 1_000, HOUR);
    }
    const parked = await parkedMs(first);
    if (round === 0) expect(parked).toBeLessThanOrEqual(30_000);
    else expect(parked).toBeGreaterThan(HOUR - 5_000);
    // Nobody calls while it is parked, whatever becomes due.
    await elapse(15_000);
    expect(await engine.startAll()).toEqual([]);
    await elapse(HOUR);
  }
  // All that were under way, then half as many each time, down to one.
  expect(calls).toBeLessThanOrEqual(22);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});

test('a throttle among many parks of others is taken for the account’s', async () => {
  const { id } = await throttledAlone();
  await elapse(PARK_OVER);
  await passAnother();
  await engine.submit('gamma');
  for (const job of await engine.startAll()) await throttle(job);
  await elapse(PARK_OVER);
  await passAnother();
  const job = await again(id);
  expect(job.claim.apart).toBe(0);
});

test('a job and an upstream as the former release stored them go on', async () => {
  const id = await engine.submit('acme');
  const upstream = await upstreamKey(id);
  await engine.redis.hset(upstream, { parked_until: Date.now() + 60_000, cap: 1, strikes: 3 });
  const [running] = await engine.startAll();
  if (!running) throw new Error('not started');
  expect(running.claim).toMatchObject({ throttles: 0, apart: 0, strikes: 3 });
  await throttle(running);
  const retried = await again(id);
  await engine.end(retried);
  expect(await upstreamOf(id)).toMatchObject({ cap: '2' });
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});

test('a job is tried a thousand times at most, whatever became of each', async () => {
  const id = await engine.submit('acme');
  await engine.redis.hset(key(TAG, 'JOB', id), 'attempts', 999);
  const [running] = await engine.startAll();
  if (!running) throw new Error('not started');
  await engine.end(running, { outcome: 'unknown', usage: null, next: { kind: 'hand_back' } });
  expect(await engine.startAll()).toEqual([]);
  expect(await engine.redis.hmget(key(TAG, 'JOB', id), 'status', 'error')).toEqual(['failed', 'internal_error']);
});

test('what waits after a throttle says so', async () => {
  const { id } = await throttledAlone();
  const view = await engine.jobs.read('acme' as Running['claim']['tenant'], id, { watcher: null });
  expect(view?.queue?.reason).toBe('provider_rate_limited');
});

test('a tenant’s many impossible jobs park their own lane, ever longer, and hold up no other tenant', async () => {
  for (let count = 0; count < 200; count++) await engine.submit('acme', { class: 'batch' });
  for (const job of await engine.startAll()) await throttle(job);
  let firstCalls = 0;
  for (let seconds = 0; seconds < 16; seconds++) {
    await engine.submit('beta');
    await elapse(PARK_OVER);
    let served = 0;
    // What the lane had under way may hold the whole cap for as long as it takes to be refused.
    for (let started = await engine.startAll(); started.length > 0; started = await engine.startAll()) {
      const [others, impossible] = [true, false].map((isOther) =>
        started.filter(({ claim }) => (claim.tenant === 'beta') === isOther),
      );
      for (const job of others ?? []) await engine.end(job);
      for (const job of impossible ?? []) await throttle(job);
      served += others?.length ?? 0;
      firstCalls += impossible?.filter(({ claim }) => claim.throttles === 0).length ?? 0;
    }
    expect(served).toBe(1);
  }
  // After 1, 2, 4 and 8 s, as many as the window holds of one tenant. Each is called four times at most.
  expect(firstCalls).toBeLessThanOrEqual(5 * 9);
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});
