/** Deliveries without processes: the real scripts on a real Redis, driven step by step by a test that plays the workers. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DeliveryId, type JobId, newDeliveryId, type TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { stopWork } from '../../../shared/storage/commands/tenants/commands.ts';
import { parseDeliveryHandoff } from '../../../shared/storage/queue/queues.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createDeliveryStore, type DeliveryClaim } from '../../../shared/storage/webhooks/delivery-store.ts';
import { createReadSubject } from '../../../worker/deliveries/read-subject.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const ACME = 'acme' as TenantId;
const BETA = 'beta' as TenantId;
const URL = 'https://example.com/hook';
const TO_ONE = { webhook: { url: URL, events: ['job.completed', 'job.cancelled'] as const } };
const ROOM = 20;

const engine = await useEngine();
const deliveries = createDeliveryStore({ redis: engine.redis, run: createCommands(engine.redis), shards: 1 });
/** Hand-offs of deliveries that no worker has taken, oldest first. */
let handed: string[];
/** How many deliveries the only worker has under way at once. */
let slots: number;
beforeEach(async () => {
  handed = [];
  slots = 100;
  await engine.scheduler.heartbeat(0, 'test', 1_000);
});
afterEach(async () => {
  // Some tests here delete jobs.
  expect(await findViolations(engine.redis, TAG, { allRecordsStored: false })).toEqual([]);
});

/** Submits jobs and completes them. */
const complete = async (count = 1, job: object = TO_ONE, tenant = ACME): Promise<JobId[]> => {
  const ids: JobId[] = [];
  for (let index = 0; index < count; index++) ids.push(await engine.submit(tenant, job));
  const waiting = engine.handoffs.filter((handoff) => handoff.startsWith('job_'));
  while (waiting.length > 0 || engine.handoffs.some((handoff) => handoff.startsWith('job_'))) {
    const running = await engine.start();
    waiting.shift();
    if (running) await engine.end(running);
    collect();
  }
  return ids;
};
const collect = (more: readonly string[] = []): void => {
  handed.push(...more, ...engine.handoffs.filter((handoff) => handoff.startsWith('evt_')));
  engine.handoffs.splice(0, engine.handoffs.length, ...engine.handoffs.filter((each) => each.startsWith('job_')));
};

type Attempt = { id: DeliveryId; mark: string; claim: DeliveryClaim };
let marks = 0;
const claim = async (handoff = handed.shift(), mostFailures = 11): Promise<Attempt | null> => {
  const parsed = parseDeliveryHandoff(handoff ?? '');
  if (!parsed) return null;
  const mark = `worker.d${++marks}`;
  const answer = await deliveries.claim(0, { id: parsed.id, handoff: parsed.number, mark, mostFailures });
  collect(answer.handoffs);
  return answer.claim && { id: parsed.id, mark, claim: answer.claim };
};
type Settlement = Parameters<typeof deliveries.settle>[1];
const settle = async (
  { id, mark, claim: { attempt } }: Attempt,
  end: Pick<Settlement, 'code' | 'next'> & { status?: number },
) => {
  const { became, handoffs } = await deliveries.settle(0, { id, attempt, mark, ms: 5, status: null, ...end });
  collect(handoffs);
  return became;
};
const DELIVERED = { code: 'delivered', status: 200, next: { kind: 'delivered' } } as const;
const SILENT = { code: 'timeout', next: { kind: 'retry', waitMs: 60_000 } } as const;
const tend = async (): Promise<void> => {
  const { handoffs } = await deliveries.tend(0, slots);
  collect(handoffs);
};
/** The time of a delivery's next step has come. */
const makeDue = (id: string) => engine.redis.zadd(key(TAG, 'OUTBOX'), 1, id);
const eventOf = (id: JobId) => id.replace('job_', 'evt_') as DeliveryId;
const read = (id: DeliveryId) => deliveries.read(ACME, id);
const must = <T>(value: T | null | undefined): T => {
  if (value === null || value === undefined) throw new Error('there is none');
  return value;
};

describe('an event', () => {
  test('is recorded in the step that makes the job final, and handed off with it', async () => {
    const [id] = await complete();
    expect(handed).toEqual([`${eventOf(must(id))}-1`]);
    expect(await read(eventOf(must(id)))).toMatchObject({
      type: 'job.completed',
      status: 'pending',
      url: URL,
      job_id: id,
    });
    expect(await settle(must(await claim()), DELIVERED)).toBe('delivered');
  });

  test('of a job that nobody is told of costs no key', async () => {
    await complete(1, {});
    expect(handed).toEqual([]);
    const keys = await engine.redis.keys('*');
    expect(keys.filter((name) => /deliver|outbox|endpoint/.test(name))).toEqual([]);
  });

  test('tells the same at every attempt, also after a late attempt has changed the job', async () => {
    const readSubject = createReadSubject(engine);
    const id = await engine.submit('acme', TO_ONE);
    const lost = must(await engine.start());
    // The worker is lost: another takes the hand-off over and completes the job.
    engine.handoffs.push(`${id}-1`);
    await engine.end(must(await engine.start()));
    collect();
    const first = await readSubject(ACME, id);
    expect(first).toMatchObject({
      data: { status: 'completed', attempts: [{ outcome: 'unknown' }, { outcome: 'completed' }] },
    });
    expect(await engine.end(lost)).toBe('superseded');
    const [now] = [must(await engine.jobs.read(ACME, id, { watcher: null })).record];
    expect(Number(now.billed_input)).toBe(20);
    expect(await readSubject(ACME, id)).toEqual(first);
    await settle(must(await claim()), DELIVERED);
  });

  test('keeps its job until it arrived, and past its retention for no other reader', async () => {
    const [id] = await complete();
    const record = key(TAG, 'JOB', must(id));
    expect(await engine.redis.pttl(record)).toBe(-1);
    await engine.redis.hset(record, 'retained', Date.now() - 1);
    expect(await engine.jobs.read(ACME, must(id), { watcher: null })).toBeNull();
    expect(await createReadSubject(engine)(ACME, must(id))).toMatchObject({ data: { id } });
    await settle(must(await claim()), DELIVERED);
    expect(await engine.redis.exists(record)).toBe(0);
  });
});

describe('a hand-off', () => {
  test('that never reached BullMQ is made again, and the lost one is refused', async () => {
    const [id] = await complete();
    const [lost] = handed.splice(0);
    await makeDue(eventOf(must(id)));
    await tend();
    expect(handed).toEqual([`${eventOf(must(id))}-2`]);
    expect(await claim(lost)).toBeNull();
    await settle(must(await claim()), DELIVERED);
  });

  test('that BullMQ still knows is left alone', async () => {
    const [id] = await complete();
    const known = `${key(TAG, 'DELIVERIES')}${eventOf(must(id))}-1`;
    await engine.redis.set(known, 'waits there');
    await makeDue(eventOf(must(id)));
    handed.splice(0);
    await tend();
    expect(handed).toEqual([]);
    await engine.redis.del(known);
    await settle(must(await claim(`${eventOf(must(id))}-1`)), DELIVERED);
  });

  test('whose worker was lost is tried again; the lost attempt says unknown, counts, and may still report success', async () => {
    const [id] = await complete();
    const [handoff] = handed;
    const lost = must(await claim());
    const second = must(await claim(handoff));
    expect(second.claim).toMatchObject({ attempt: 2, failures: 1 });
    expect((await read(eventOf(must(id))))?.attempts.map(({ code }) => code)).toEqual(['unknown', null]);
    expect(await settle(lost, DELIVERED)).toBe('delivered');
    expect(await settle(second, SILENT)).toBe('late');
    expect(await read(eventOf(must(id)))).toMatchObject({ status: 'delivered' });
  });

  test('whose workers are lost again and again ends as failed', async () => {
    const [id] = await complete();
    const [handoff] = handed;
    for (let worker = 1; worker <= 3; worker++) must(await claim(handoff, 3));
    expect(await claim(handoff, 3)).toBeNull();
    expect(await read(eventOf(must(id)))).toMatchObject({ status: 'failed', attempts: [{ code: 'unknown' }, {}, {}] });
  });

  test('that a worker gives back is made again at once and counts as no failure', async () => {
    await complete();
    expect(await settle(must(await claim()), { code: 'unknown', next: { kind: 'hand_back' } })).toBe('pending');
    const again = must(await claim());
    expect(again.claim).toMatchObject({ attempt: 2, failures: 0 });
    await settle(again, DELIVERED);
  });

  test('is settled once, however often it is sent', async () => {
    await complete();
    const attempt = must(await claim());
    expect(await settle(attempt, SILENT)).toBe('pending');
    expect(await settle(attempt, SILENT)).toBe('repeated');
    expect(await settle(attempt, DELIVERED)).toBe('repeated');
    expect(await read(attempt.id)).toMatchObject({ status: 'pending', attempts: [{ code: 'timeout' }] });
  });
});

describe('an endpoint', () => {
  test('gets so many at once and no more; the others follow in order', async () => {
    const ids = await complete(ROOM + 5);
    expect(handed).toEqual(ids.slice(0, ROOM).map((id) => `${eventOf(id)}-1`));
    const order: DeliveryId[] = [];
    while (handed.length > 0) {
      const attempt = must(await claim());
      order.push(attempt.id);
      await settle(attempt, DELIVERED);
    }
    expect(order).toEqual(ids.map(eventOf));
  });

  test('that is full or silent holds up no other', async () => {
    await complete(ROOM + 5);
    handed.splice(0);
    await complete(1, { webhook: { url: 'https://other.example.com/', events: ['job.completed'] } });
    expect(handed).toHaveLength(1);
  });

  test('that gives no answer five times is left alone, then tried with one; an answer brings the others', async () => {
    const ids = await complete(ROOM + 30);
    // The first four failures still bring the next ones; those that were under way with the fifth say nothing new.
    for (let silent = 1; silent <= ROOM + 4; silent++) await settle(must(await claim()), SILENT);
    expect(handed).toEqual([]);
    await complete();
    expect(handed).toEqual([]);

    const paused = must((await engine.redis.zrange(key(TAG, 'PAUSED_ENDPOINTS'), '0', '-1'))[0]);
    const [endpoint = ''] = paused.split(' ');
    const pauseIsOver = async () => {
      await engine.redis.hset(key(TAG, 'ENDPOINT', endpoint), 'paused_until', 1);
      await engine.redis.zadd(key(TAG, 'PAUSED_ENDPOINTS'), 1, paused);
      await tend();
    };
    const waitMs = async () =>
      Number(await engine.redis.hget(key(TAG, 'ENDPOINT', endpoint), 'paused_until')) - Date.now();
    for (const seconds of [10, 20, 40]) {
      await pauseIsOver();
      expect(handed).toHaveLength(1);
      await settle(must(await claim()), SILENT);
      expect(handed).toEqual([]);
      expect(Math.round((await waitMs()) / 1_000)).toBe(seconds);
    }
    await pauseIsOver();
    expect(handed).toHaveLength(1);
    // A refusal is an answer.
    await settle(must(await claim()), { code: 'status', status: 500, next: { kind: 'retry', waitMs: 60_000 } });
    expect(handed.length).toBeGreaterThan(1);
    while (handed.length > 0) await settle(must(await claim()), DELIVERED);
    const ends = await Promise.all(ids.map((id) => read(eventOf(id))));
    expect(ends.filter((end) => end?.status === 'delivered')).toHaveLength(ids.length - (ROOM + 4) - 3 - 1);
  });

  test('that never has room for a delivery lets it end as failed after 4 days', async () => {
    const ids = await complete(ROOM + 1);
    const last = eventOf(must(ids.at(-1)));
    expect(Number(await engine.redis.zscore(key(TAG, 'OUTBOX'), last)) - Date.now()).toBeGreaterThan(345_000_000);
    await makeDue(last);
    await tend();
    expect(await read(last)).toMatchObject({ status: 'failed', reason: 'waited_too_long', attempts: [] });
    while (handed.length > 0) await settle(must(await claim()), DELIVERED);
    expect(handed).toEqual([]);
  });
});

describe('a tenant', () => {
  const deliverTo = (host: string, count: number, tenant = ACME): Promise<JobId[]> =>
    complete(count, { webhook: { url: `https://${host}.example.com/`, events: ['job.completed'] } }, tenant);
  const hostsOf = async (handoffs: readonly string[]): Promise<string> => {
    const urls = await Promise.all(
      handoffs.map((each) => engine.redis.hget(key(TAG, 'DELIVERY', must(parseDeliveryHandoff(each)).id), 'url')),
    );
    return urls.map((url) => url?.at('https://'.length)).join('');
  };
  const lookAgain = async (tenant: TenantId): Promise<void> => {
    await engine.redis.zadd(key(TAG, 'WAITING_TENANTS'), 'XX', 1, tenant);
    await tend();
  };
  const hold = async (count: number): Promise<void> => {
    slots = count;
    await tend();
  };

  test('that is alone gets half of what the workers deliver at once, whatever its endpoints; who comes next finds room', async () => {
    await hold(12);
    for (const host of ['a', 'b', 'c', 'd']) await deliverTo(host, 4);
    expect(handed).toHaveLength(6);
    await deliverTo('x', 4, BETA);
    expect(handed).toHaveLength(6 + 3);
    await deliverTo('y', 1, 'gamma' as TenantId);
    expect(await hostsOf(handed)).toBe('aaaabbxxxy');
    let settled = 0;
    for (; handed.length > 0; settled++) await settle(must(await claim()), DELIVERED);
    expect(settled).toBe(16 + 4 + 1);
  });

  test('always gets one under way, also where others hold all', async () => {
    await hold(1);
    for (const name of ['acme', 'beta', 'gamma']) await deliverTo(name, 2, name as TenantId);
    expect(await hostsOf(handed)).toBe('abg');
    while (handed.length > 0) await settle(must(await claim()), DELIVERED);
  });

  test('has its endpoints served in turn, each in the order of its events', async () => {
    await hold(4);
    const ids = await deliverTo('a', 4);
    ids.push(...(await deliverTo('b', 2)), ...(await deliverTo('c', 2)));
    let hosts = '';
    const order: DeliveryId[] = [];
    while (handed.length > 0) {
      hosts += await hostsOf(handed.slice(0, 1));
      const attempt = must(await claim());
      order.push(attempt.id);
      await settle(attempt, DELIVERED);
    }
    expect(hosts).toBe('aaabcabc');
    expect(order.toSorted()).toEqual(ids.map(eventOf).toSorted());
    const ofA = ids.slice(0, 4).map(eventOf);
    expect(order.filter((id) => ofA.includes(id))).toEqual(ofA);
  });

  test('that waits gets the room that others gave back, and that of a worker which came', async () => {
    await hold(4);
    await deliverTo('x', 2, BETA);
    await deliverTo('a', 4);
    expect(await hostsOf(handed)).toBe('xxa');
    for (let each = 0; each < 2; each++) await settle(must(await claim()), DELIVERED);
    await lookAgain(ACME);
    expect(await hostsOf(handed)).toBe('aa');
    await engine.scheduler.heartbeat(0, 'second', 1_000);
    await lookAgain(ACME);
    expect(await hostsOf(handed)).toBe('aaaa');
    while (handed.length > 0) await settle(must(await claim()), DELIVERED);
    await lookAgain(ACME);
    expect(await engine.redis.hgetall(key(TAG, 'OUTGOING'))).toMatchObject({ all: '0', slots: '8' });
    expect(await engine.redis.exists(key(TAG, 'WAITING_TENANTS'))).toBe(0);
  });
});

describe('a test event', () => {
  const sendTest = async (max_stored_bytes = 1_000_000): Promise<string> => {
    const event = { id: newDeliveryId(), url: URL, watcher: 'api', limits: { max_stored_bytes } };
    const answer = await deliveries.test(ACME, event);
    if (answer.kind === 'sent') collect(answer.handoffs);
    return answer.kind;
  };

  test('needs room among the bytes that its tenant stores, and gives it back when it is forgotten', async () => {
    const stored = () => engine.jobs.storedBytes(ACME);
    const one = 1_024 + URL.length;
    expect(await sendTest(one)).toBe('sent');
    expect(await sendTest(2 * one - 1)).toBe('too_many_stored_bytes');
    await settle(must(await claim()), DELIVERED);
    expect(await stored()).toBe(one);
    for (const id of await engine.redis.zrange(key(TAG, 'OUTBOX'), '0', '-1')) await makeDue(id);
    await tend();
    expect(await stored()).toBe(0);
  });

  test('waits for room as any other: many of them hold no more than their endpoint may', async () => {
    for (let each = 0; each < ROOM + 5; each++) await sendTest();
    expect(handed).toHaveLength(ROOM);
    let settled = 0;
    for (; handed.length > 0; settled++) await settle(must(await claim()), DELIVERED);
    expect(settled).toBe(ROOM + 5);
  });

  test('is sent also where its endpoint is paused or its URL is disabled', async () => {
    await complete(6);
    for (let silent = 1; silent <= 5; silent++) await settle(must(await claim()), SILENT);
    await settle(must(await claim()), { code: 'status', status: 410, next: { kind: 'disable' } });
    await complete();
    expect(handed).toEqual([]);
    await sendTest();
    expect(handed).toHaveLength(1);
    await settle(must(await claim()), DELIVERED);
  });
});

test('deliveries that ended are forgotten when their time has come, and leave nothing behind', async () => {
  await complete(3);
  await settle(must(await claim()), DELIVERED);
  await settle(must(await claim()), { code: 'status', status: 410, next: { kind: 'disable' } });
  await settle(must(await claim()), { code: 'subject_gone', next: { kind: 'failed', reason: 'subject_gone' } });
  const lives = await engine.redis.zrange(key(TAG, 'OUTBOX'), '0', '-1', 'WITHSCORES');
  const days = lives
    .filter((_, index) => index % 2 === 1)
    .map((at) => Math.round((Number(at) - Date.now()) / 86_400_000));
  expect(days).toEqual([1, 7, 7]);
  for (const id of lives.filter((_, index) => index % 2 === 0)) await makeDue(id);
  // The jobs go with them in time; here they must not look as if their events were never told.
  await engine.letRecordsEnd();
  await engine.redis.del(await engine.redis.keys(`${key(TAG, 'USAGE')}*`));
  await tend();
  const left = await engine.redis.keys('*');
  expect(left.filter((name) => /deliver|outbox|endpoint-line/.test(name))).toEqual([]);
});

describe('once their tenant is deleted', () => {
  const stop = (reason: string, platformKey = '', order = '1') =>
    engine.run(stopWork, { tenant: ACME, reason, platformKey, order, actor: 'operator' });
  /** One in each place: retried later, in line, handed off; and the attempt of one that is under way. */
  const everywhere = async () => {
    const [retried] = await complete();
    await settle(must(await claim()), SILENT);
    const ids = await complete(ROOM + 2);
    return { retried: must(retried), ids, underWay: must(await claim()) };
  };

  test('no delivery is sent, in whatever place it is, and each says why', async () => {
    const { retried, ids, underWay } = await everywhere();
    const later = await engine.submit(ACME, TO_ONE);
    const running = must(await engine.start());
    await stop('tenant_deleted');
    while (handed.length > 0) expect(await claim()).toBeNull();
    await makeDue(eventOf(retried));
    await tend();
    expect(handed).toEqual([]);
    for (const id of [retried, ...ids]) {
      if (eventOf(id) === underWay.id) continue;
      expect(await read(eventOf(id))).toMatchObject({ status: 'failed', reason: 'tenant_deleted' });
    }
    expect(await settle(underWay, DELIVERED)).toBe('delivered');
    await engine.end(running);
    collect();
    expect(handed).toEqual([]);
    expect(await read(eventOf(later))).toMatchObject({ status: 'failed', reason: 'tenant_deleted' });
  });

  test('a retry of what was under way is the last step', async () => {
    const { underWay } = await everywhere();
    await stop('tenant_deleted');
    expect(await settle(underWay, SILENT)).toBe('pending');
    while (handed.length > 0) expect(await claim()).toBeNull();
    await makeDue(underWay.id);
    await tend();
    expect(await read(underWay.id)).toMatchObject({ status: 'failed', reason: 'tenant_deleted' });
  });

  test.for([['key_revoked', 'key_1'] as const, ['tenant_disabled', ''] as const])(
    'and not before: %s stops none',
    async ([reason, platformKey]) => {
      const [id] = await complete();
      await stop(reason, platformKey);
      expect(await settle(must(await claim()), DELIVERED)).toBe('delivered');
      expect(await read(eventOf(must(id)))).toMatchObject({ status: 'delivered' });
    },
  );
});
