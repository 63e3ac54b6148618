import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { KEYS, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { startSharedRedis } from '../../support/redis/shared-redis.ts';

describe.each([1, 3])('the main job on %i shards', (shards) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      env: { SHARDS: String(shards) },
      workers: 2,
      redis: await startSharedRedis(),
      sandbox: { record: { limit: 5_000, keys: 'clear' } },
    });
  });
  afterAll(() => gateway.stop());

  test('1,000 jobs of three tenants complete once each, and usage is the sum over the jobs', async () => {
    const tenants = Object.entries(KEYS);
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    const accepted: { id: string; key: string }[] = [];
    const client = async (): Promise<void> => {
      for (let index = numbers.pop(); index !== undefined; index = numbers.pop()) {
        const [, key = ''] = tenants[index % tenants.length] ?? [];
        const own = index % 2 === 0 ? { headers: userKey(), fields: { model: 'gpt-4o' } } : {};
        const job = await gateway.submit(`job number ${index}`, { key, ...own });
        accepted.push({ id: job.id, key });
      }
    };
    await Promise.all(Array.from({ length: 50 }, client));
    const jobs = await Promise.all(accepted.map(({ id, key }) => gateway.finished(id, { key })));

    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1_000);
    expect(jobs.filter(({ status }) => status !== 'completed')).toEqual([]);
    expect(jobs.filter(({ attempts }) => attempts.length !== 1)).toEqual([]);
    expect(gateway.sandbox.calls).toHaveLength(1_000);
    expect(gateway.sandbox.calls.filter(({ provider }) => provider === 'openai')).toHaveLength(500);

    for (const [tenant, key] of tenants) {
      const { body } = await gateway.call('GET', '/v1/usage', { key });
      const own = accepted.flatMap((each, index) => (each.key === key ? [jobs[index]] : []));
      const sum = (of: 'input_tokens' | 'output_tokens'): number =>
        own.reduce((total, job) => total + (job?.usage?.[of] ?? Number.NaN), 0);
      expect(body).toMatchObject({
        tenant,
        totals: {
          requests: own.length,
          completed: own.length,
          input_tokens: sum('input_tokens'),
          output_tokens: sum('output_tokens'),
        },
      });
    }
    await expectInvariants(gateway.redis.url, { shards });
  });
});
