import { beforeEach, describe, expect, test } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { toListedJob } from '../../../shared/domain/jobs/job.ts';
import { COUNTERS } from '../../../shared/domain/records/usage-counters.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createUsageStore } from '../../../shared/storage/usage/usage-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Engine, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
beforeEach(() => engine.scheduler.heartbeat(0, 'worker', 400));

const COST = COUNTERS.indexOf('cost_nano');

/** Today's rows of a tenant: name → cost. */
const costs = async (tenant: string): Promise<Map<string, number>> => {
  const found = new Map<string, number>();
  const store = createUsageStore({ run: createCommands(engine.redis), shards: 1 });
  // Midnight may pass while the test runs.
  const days = [0, 86_400_000].map((ms) => new Date(Date.now() - ms).toISOString().slice(0, 10));
  await store.read(tenant as TenantId, days, (_, { provider, model, credential }, counts) => {
    found.set(`${provider} ${model} ${credential}`, counts[COST] ?? Number.NaN);
  });
  return found;
};

const complete = async (model: string, costNano: number): Promise<void> => {
  await engine.submit('acme', { model });
  const running = await engine.start();
  if (!running) throw new Error('nothing to run');
  await engine.end(running, {
    usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 2, costNano, priceVersion: 'test' },
  });
};

test('200 models a day are kept apart, and what comes after them is kept together', async () => {
  for (let index = 0; index < 203; index++) await complete(`model-${index}`, 1 + index);
  await complete('model-7', 1_000);
  const rows = await costs('acme');
  expect(rows.size).toBe(201);
  expect(rows.get('bedrock model-7 platform')).toBe(1_008);
  expect(rows.get('bedrock other platform')).toBe(201 + 202 + 203);
});

test('sums are exact up to the largest whole number that JavaScript tells apart', async () => {
  const most = Number.MAX_SAFE_INTEGER;
  await complete('dear', most - 1);
  await complete('dear', 1);
  expect(await costs('acme')).toEqual(new Map([['bedrock dear platform', most]]));
});

describe('what a provider did not report', () => {
  const recordOf = (id: string) => engine.redis.hgetall(key(TAG, 'JOB', id));
  const today = async (): Promise<Record<string, number>> => {
    const found: Record<string, number> = {};
    const store = createUsageStore({ run: createCommands(engine.redis), shards: 1 });
    const days = [0, 86_400_000].map((ms) => new Date(Date.now() - ms).toISOString().slice(0, 10));
    await store.read('acme' as TenantId, days, (_, __, counts) => {
      for (const [at, name] of COUNTERS.entries()) found[name] = counts[at] ?? Number.NaN;
    });
    return found;
  };
  const end = async (settlement: Parameters<Engine['end']>[1]): Promise<JobId> => {
    const id = await engine.submit('acme');
    const running = await engine.start();
    if (!running) throw new Error('nothing to run');
    await engine.end(running, settlement);
    return id;
  };

  test('is unknown, figure by figure: the others are summed up, and the job counts as unpriced', async () => {
    const usage = { inputTokens: 10, outputTokens: null, cachedInputTokens: 0, costNano: null, priceVersion: 'test' };
    const id = await end({ usage });
    const record = await recordOf(id);
    expect(record).toMatchObject({ billed_input: '10', unpriced: '1', used: '10||0|' });
    expect(await today()).toMatchObject({
      completed: 1,
      input_tokens: 10,
      output_tokens: 0,
      cost_nano: 0,
      unpriced_requests: 1,
    });
    const shown = { input_tokens: 10, output_tokens: null, total_tokens: null, cost_usd: null };
    expect(toListedJob({ id, record, queue: null, result: null })).toMatchObject({
      usage: shown,
      billed_usage: shown,
    });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test.each<[string, Parameters<Engine['end']>[1]]>([
    ['a completed call', { usage: null }],
    [
      'a whole answer that holds no completion',
      {
        outcome: 'rejected',
        billable: true,
        usage: null,
        next: { kind: 'failed', code: 'provider_bad_response', providerStatus: 200, detail: null },
      },
    ],
  ])('of %s at all is counted as unpriced', async (_, settlement) => {
    const record = await recordOf(await end(settlement));
    expect(record).toMatchObject({ unpriced: '1' });
    expect(record).not.toHaveProperty('billed_input');
    expect(record).not.toHaveProperty('used');
    expect(await today()).toMatchObject({ requests: 1, input_tokens: 0, cost_nano: 0, unpriced_requests: 1 });
    expect(await findViolations(engine.redis, TAG)).toEqual([]);
  });

  test('of a call that was refused costs nothing, and is not unpriced', async () => {
    await end({
      outcome: 'rejected',
      usage: null,
      next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null },
    });
    expect(await today()).toMatchObject({ failed: 1, unpriced_requests: 0 });
  });
});

test('a late report is in the ledger and in its job, and leaves the price of the delivered result alone', async () => {
  const id = await engine.submit('acme');
  const lost = await engine.start();
  const since = await engine.redis.hget(key(TAG, 'INFLIGHT'), id);
  engine.handoffs.push(`${id}-${since?.split(':')[0]}`);
  const taker = await engine.start();
  if (!lost || !taker) throw new Error('nothing to run');
  const priced = (costNano: number, priceVersion: string) => ({
    usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, costNano, priceVersion },
  });
  expect(await engine.end(taker, priced(7, 'of the taker'))).toBe('completed');
  expect(await engine.end(lost, priced(5, 'of the late one'))).toBe('superseded');
  expect(await engine.redis.hmget(key(TAG, 'JOB', id), 'billed_nano', 'price_version')).toEqual(['12', 'of the taker']);
  expect(await costs('acme')).toEqual(new Map([['bedrock model-a platform', 12]]));
  expect(await findViolations(engine.redis, TAG)).toEqual([]);
});
