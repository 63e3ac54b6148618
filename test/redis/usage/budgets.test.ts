import { beforeEach, describe, expect, test } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createBudgetStore } from '../../../shared/storage/usage/budget-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Running, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const ACME = 'acme' as TenantId;
const ESTIMATE = 1_000;
const BUDGET = 10_000;
const RETRY = { kind: 'retry', waitMs: 0 } as const;
const FAILED = { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null } as const;

const engine = await useEngine();
const budgets = createBudgetStore({ run: createCommands(engine.redis), shards: 1 });
beforeEach(async () => {
  await engine.setSlots(100);
  await setBudget(BUDGET);
});

const setBudget = (nano: number | '') =>
  engine.redis.hset(key(TAG, 'TENANT', 'acme'), { 'budget:platform': nano, 'budget:user': nano });
const withBudget = (estimateNano = ESTIMATE, budgetNano = BUDGET) => ({ cost: { estimateNano, budgetNano } });
const cost = (nano: number | null) => ({
  usage: {
    inputTokens: 1,
    outputTokens: 1,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    costNano: nano,
    priceVersion: 'test',
  },
});
const start = async (): Promise<Running> => {
  await engine.tick();
  const running = await engine.start();
  if (!running) throw new Error('nothing to start');
  return running;
};
/** Another worker takes over a running job: its first attempt is lost. */
const takeOver = async ({ id }: Running): Promise<Running | null> => {
  const since = await engine.redis.hget(key(TAG, 'INFLIGHT'), id);
  engine.handoffs.unshift(`${id}-${since?.split(':')[0] ?? ''}`);
  return engine.start();
};
const state = async () => {
  const { platform } = await budgets.read(ACME);
  return { used: platform.used, reserved: platform.reserved, missed: platform.missed };
};
const statusOf = (id: JobId) => engine.redis.hmget(key(TAG, 'JOB', id), 'status', 'error');

describe('a single job', () => {
  test('exactly as many are accepted as the reservations allow, and those refused leave nothing behind', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => engine.offer('acme', withBudget())));
    expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(10);
    expect(answers.find(({ kind }) => kind === 'over_budget')).toMatchObject({ usedNano: 0, reservedNano: 10_000 });
    expect(await state()).toEqual({ used: 0, reserved: 10_000, missed: 0 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test.each([
    ['what it cost', { ...cost(400) }, { used: 400, reserved: 0, missed: 0 }],
    ['more than was estimated, and by how much', { ...cost(1_700) }, { used: 1_700, reserved: 0, missed: 700 }],
    ['its estimate where its usage was not reported', { usage: null }, { used: 1_000, reserved: 0, missed: 0 }],
    ['its estimate where its price is not known any more', { ...cost(null) }, { used: 1_000, reserved: 0, missed: 0 }],
    [
      'nothing where it failed and used nothing',
      { outcome: 'rejected', usage: null, next: FAILED },
      { used: 0, reserved: 0, missed: 0 },
    ],
    [
      'what it used where it failed',
      { outcome: 'rejected', ...cost(5), next: FAILED },
      { used: 5, reserved: 0, missed: 0 },
    ],
    [
      'its estimate where a part of its usage is unknown',
      {
        usage: { inputTokens: 10, outputTokens: null, cachedInputTokens: 0, costNano: null, priceVersion: 'test' },
      },
      { used: 1_000, reserved: 0, missed: 0 },
    ],
    ['its estimate where a whole answer reports no usage', { usage: null }, { used: 1_000, reserved: 0, missed: 0 }],
    [
      'its estimate where its end is unknown',
      { outcome: 'unknown', usage: null, next: { kind: 'hand_back' } },
      { used: 1_000, reserved: 0, missed: 0 },
    ],
    [
      'its estimate where it was cut after it had left',
      { outcome: 'cancelled', billable: true, usage: null, next: { kind: 'cancelled' } },
      { used: 1_000, reserved: 0, missed: 0 },
    ],
    [
      'its estimate where it timed out',
      { outcome: 'timed_out', billable: true, usage: null, next: RETRY },
      { used: 1_000, reserved: 0, missed: 0 },
    ],
    [
      'nothing where it was cut before it had left',
      { outcome: 'cancelled', billable: false, usage: null, next: { kind: 'cancelled' } },
      { used: 0, reserved: 0, missed: 0 },
    ],
    [
      'what it will cost at most while it waits to be repeated',
      { outcome: 'unavailable', usage: null, next: RETRY },
      { used: 0, reserved: 1_000, missed: 0 },
    ],
  ] as const)('a call is charged %s', async (_, settlement, expected) => {
    const id = await engine.submit('acme', withBudget());
    await engine.end(await start(), settlement);
    expect(await state()).toEqual(expected);
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
    const { missed } = await engine.redis.hgetall(key(TAG, 'JOB', id));
    expect(Number(missed ?? 0)).toBe(expected.missed);
  });

  test.each(['cancelled', 'expired'])('one that is %s while it waits gives its reservation back', async (how) => {
    const id = await engine.submit('acme', withBudget());
    if (how === 'cancelled') await engine.jobs.cancel(ACME, id);
    else {
      await engine.redis.zadd(key(TAG, 'DEADLINES'), 1, id);
      await engine.scheduler.sweep(0);
    }
    expect((await statusOf(id))[0]).toBe(how);
    expect(await state()).toEqual({ used: 0, reserved: 0, missed: 0 });
  });

  test('a repeated request reserves nothing more', async () => {
    const job = { ...withBudget(), idempotency: { key: 'k', route: 'r', requests: ['same'] as [string] } };
    await engine.offer('acme', job);
    expect(await engine.offer('acme', job)).toMatchObject({ kind: 'replayed' });
    expect(await state()).toMatchObject({ reserved: 1_000 });
  });

  test('the platform’s account and users’ keys have budgets of their own', async () => {
    const own = { credential: 'user', provider: 'openai', fingerprint: 'f', sealedKey: 'sealed' } as const;
    for (let count = 0; count < 10; count++) await engine.submit('acme', withBudget());
    expect(await engine.offer('acme', withBudget())).toMatchObject({ kind: 'over_budget' });
    await engine.submit('acme', { ...own, ...withBudget() });
    expect((await budgets.read(ACME)).user).toMatchObject({ used: 0, reserved: 1_000 });
    await engine.submit('beta', withBudget());
  });

  test('what was used before there was a budget counts', async () => {
    await engine.submit('acme');
    await engine.end(await start(), cost(9_500));
    expect(await engine.offer('acme', withBudget())).toMatchObject({ kind: 'over_budget', usedNano: 9_500 });
  });
});

describe('a call whose worker is lost', () => {
  test('stays charged at its estimate, and the next one has a reservation of its own', async () => {
    await engine.submit('acme', withBudget());
    const first = await start();
    const second = await takeOver(first);
    expect(await state()).toEqual({ used: 1_000, reserved: 1_000, missed: 0 });
    if (second) await engine.end(second, cost(300));
    expect(await state()).toEqual({ used: 1_300, reserved: 0, missed: 0 });
    // It reports after all: what it cost takes the place of the estimate. Sent twice, it counts once.
    await engine.end(first, cost(200));
    await engine.end(first, cost(200));
    expect(await state()).toEqual({ used: 500, reserved: 0, missed: 0 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('that reports first ends the job, and the call that runs for nothing is charged its estimate until it reports too', async () => {
    await engine.submit('acme', withBudget());
    const first = await start();
    const second = await takeOver(first);
    await engine.end(first, cost(200));
    expect(await state()).toEqual({ used: 1_200, reserved: 0, missed: 0 });
    if (second) await engine.end(second, cost(250));
    expect(await state()).toEqual({ used: 450, reserved: 0, missed: 0 });
  });

  test('is charged nothing any more when it turns out that the provider refused it', async () => {
    await engine.submit('acme', withBudget());
    const first = await start();
    const second = await takeOver(first);
    const refused = { outcome: 'rejected', billable: false, usage: null, next: FAILED } as const;
    await engine.end(first, refused);
    await engine.end(first, refused);
    expect(await state()).toEqual({ used: 0, reserved: 1_000, missed: 0 });
    if (second) await engine.end(second, cost(300));
    expect(await state()).toEqual({ used: 300, reserved: 0, missed: 0 });
  });

  test('is not repeated where the budget does not cover another', async () => {
    const ids: JobId[] = [];
    for (let count = 0; count < 10; count++) ids.push(await engine.submit('acme', withBudget()));
    const first = await start();
    expect(await takeOver(first)).toBeNull();
    expect(await statusOf(first.id)).toEqual(['failed', 'budget_exceeded']);
    expect(await state()).toEqual({ used: 1_000, reserved: 9_000, missed: 0 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('may not be repeated either after calls that failed and cost something', async () => {
    await setBudget(1_500);
    const id = await engine.submit('acme', withBudget(ESTIMATE, 1_500));
    await engine.end(await start(), { outcome: 'unavailable', ...cost(600), next: RETRY });
    await engine.tick();
    expect(await engine.start()).toBeNull();
    expect(await statusOf(id)).toEqual(['failed', 'budget_exceeded']);
    expect(await state()).toEqual({ used: 600, reserved: 0, missed: 0 });
  });
});

describe('the line of a batch', () => {
  /** As a batch stages it: with an estimate and nothing reserved. */
  const line = async (): Promise<JobId> => {
    const id = await engine.submit('acme', { class: 'batch' });
    await engine.redis.hset(key(TAG, 'JOB', id), 'estimate', ESTIMATE);
    return id;
  };

  test('reserves when its call is to be made, and fails where the budget does not cover it', async () => {
    await setBudget(1_500);
    const ids = [await line(), await line()];
    expect(await state()).toMatchObject({ reserved: 0 });
    const first = await start();
    expect(await state()).toMatchObject({ reserved: 1_000 });
    expect(await engine.start()).toBeNull();
    expect(await statusOf(ids[1] as JobId)).toEqual(['failed', 'budget_exceeded']);
    await engine.end(first, cost(100));
    await line();
    await start();
    expect(await state()).toEqual({ used: 100, reserved: 1_000, missed: 0 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('runs without a bound where the budget was lifted meanwhile', async () => {
    await line();
    await setBudget('');
    await engine.end(await start(), cost(1_000_000));
    expect(await state()).toMatchObject({ used: 1_000_000, reserved: 0 });
  });
});

describe('months', () => {
  test('a job belongs to the month in which it reserved, however late it ends', async () => {
    const id = await engine.submit('acme', withBudget());
    await engine.redis.hset(key(TAG, 'JOB', id), 'reservation', `2026-01|${ESTIMATE}`);
    await engine.redis.hset(key(TAG, 'BUDGET', 'acme:2026-01'), 'platform:reserved', ESTIMATE);
    await engine.end(await start(), cost(300));
    expect(await engine.redis.hgetall(key(TAG, 'BUDGET', 'acme:2026-01'))).toMatchObject({
      'platform:reserved': '0',
      'platform:used': '300',
    });
    expect(await state()).toMatchObject({ used: 0 });
  });
});

describe('thresholds', () => {
  const told = async () => {
    const rows = await engine.redis.xrange(key(TAG, 'AUDIT'), '-', '+');
    return rows.flatMap(([, [, row = '[]']]) => {
      const [kind, ...rest] = JSON.parse(row) as [string, ...unknown[]];
      return kind === 'budget_threshold' ? [rest] : [];
    });
  };

  test('of a budget of millions the audit log holds the same figures as the ledger, to the last nano-dollar', async () => {
    const cap = 8_000_000_123_456_789;
    const used = 7_900_000_123_456_781;
    const month = new Date().toISOString().slice(0, 7);
    await setBudget(cap);
    await engine.submit('acme', withBudget(ESTIMATE, cap));
    await engine.end(await start(), cost(used));
    expect(await told()).toEqual([['acme', 'platform', month, 80, used, cap]]);
    expect(await state()).toMatchObject({ used });
  });

  test('80 % and the first call that does not fit are told once each, and again of another budget', async () => {
    const month = new Date().toISOString().slice(0, 7);
    for (let count = 0; count < 10; count++) await engine.submit('acme', withBudget());
    for (let count = 0; count < 7; count++) await engine.end(await start(), cost(1_000));
    expect(await told()).toEqual([]);
    for (let count = 0; count < 3; count++) await engine.end(await start(), cost(1_000));
    expect(await told()).toEqual([['acme', 'platform', month, 80, 8_000, BUDGET]]);
    for (let count = 0; count < 3; count++) await engine.offer('acme', withBudget());
    expect((await told()).slice(1)).toEqual([['acme', 'platform', month, 100, 10_000, BUDGET]]);
    expect((await budgets.read(ACME)).platform.told).toEqual({ 80: BUDGET, 100: BUDGET });

    await setBudget(12_000);
    await engine.submit('acme', withBudget(ESTIMATE, 12_000));
    await engine.end(await start(), cost(1_000));
    expect((await told()).slice(2)).toEqual([['acme', 'platform', month, 80, 11_000, 12_000]]);
    expect((await engine.scheduler.measure(1)).budgetThresholds).toEqual([
      { ledger: 'platform', percent: 80, told: 2 },
      { ledger: 'platform', percent: 100, told: 1 },
      { ledger: 'user', percent: 80, told: 0 },
      { ledger: 'user', percent: 100, told: 0 },
    ]);
  });
});

test('the largest budget is exact to the nano-dollar', async () => {
  const most = 1_000_000 * 1e9;
  await engine.submit('acme', withBudget(most - 1, most));
  await engine.submit('acme', withBudget(1, most));
  expect(await engine.offer('acme', withBudget(1, most))).toMatchObject({ kind: 'over_budget', reservedNano: most });
  await setBudget(most);
  await engine.end(await start(), cost(most - 1));
  await engine.end(await start(), cost(1));
  expect(await state()).toEqual({ used: most, reserved: 0, missed: 0 });
});
