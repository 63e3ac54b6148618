import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Usage } from '../../../api/surfaces/native/usage/schema.ts';
import { manifestOf } from '../../../providers/catalogue.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { estimateUsage } from '../../../shared/domain/prices/estimate.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { key as redisKey, shardTag } from '../../../shared/storage/redis/names.ts';
import { acceptedBatch, finishedBatch, readResults, upload } from '../../support/clients/batches.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { type Answer, KEYS, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const MODEL = 'amazon.nova-lite-v1:0';
/** A request whose call may cost almost a cent, so that a dollar covers 100 of them. */
const REQUEST = { model: MODEL, max_tokens: 41_500, messages: [{ role: 'user' as const, content: 'Hello!' }] };
const estimateOf = (request: typeof REQUEST): number => {
  const costNano = createPrices(null).max('bedrock', MODEL, estimateUsage(request, manifestOf('bedrock')).max);
  if (costNano === null) throw new Error('no price');
  return costNano;
};
const ESTIMATE = estimateOf(REQUEST);
const COVERED = Math.floor(1e9 / ESTIMATE);

const submit = (gateway: TestGateway, options: Parameters<TestGateway['call']>[2] = {}): Promise<Answer> =>
  gateway.call('POST', '/v1/complete', { body: REQUEST, ...options });
const budgetOf = async (gateway: TestGateway) => {
  const { body } = await gateway.call('GET', '/v1/usage');
  return (body as Usage).limits;
};

// Several gateways at once, each with hundreds of requests.
vi.setConfig({ testTimeout: 60_000 });

test.concurrent('of 500 requests at once exactly as many are accepted as the budget covers, and nothing stays reserved', async () => {
  await withGateway({ apis: 2, workers: 0, env: { MONTHLY_BUDGET_USD: '1' } }, async (gateway) => {
    expect(COVERED).toBe(100);
    const answers = await Promise.all(
      gateway.apis.flatMap((api) => Array.from({ length: 250 }, () => submit(gateway, { api }))),
    );
    const accepted = answers.filter(({ status }) => status === 202).map(({ body }) => body as Job);
    expect(accepted).toHaveLength(COVERED);
    const refused = answers.find(({ status }) => status !== 202);
    expect(refused).toMatchObject({ status: 402, body: { error: { type: 'budget_error', code: 'budget_exceeded' } } });
    expect(refused?.body).toHaveProperty(
      'error.message',
      expect.stringMatching(/may cost \$0\.009977, .* budget of \$1\.00 .* lower max_tokens/),
    );
    expect(refused?.headers.get('ratelimit')).toMatch(/^"requests";r=\d+;t=\d+$/);
    expect(await budgetOf(gateway)).toMatchObject({
      monthly_budget_usd: 1,
      budget_used_usd: 0,
      budget_reserved_usd: (COVERED * ESTIMATE) / 1e9,
      budget_threshold_percent: 100,
      monthly_user_budget_usd: null,
      user_budget_reserved_usd: 0,
      user_budget_threshold_percent: null,
    });
    // Another ledger is not touched.
    expect((await submit(gateway, { headers: userKey(), body: { ...REQUEST, model: 'gpt-4o' } })).status).toBe(202);

    await gateway.addWorker();
    const jobs = await Promise.all(accepted.map(({ id }) => gateway.finished(id)));
    const cost = jobs.reduce((sum, job) => sum + (job.billed_usage?.cost_usd ?? Number.NaN), 0);
    const after = await budgetOf(gateway);
    expect(after.budget_used_usd).toBeCloseTo(cost, 9);
    expect(after).toMatchObject({ budget_reserved_usd: 0, budget_missed_usd: 0 });
    expect(jobs[0]?.budget).toEqual({
      month: jobs[0]?.created_at.slice(0, 7),
      estimate_usd: ESTIMATE / 1e9,
      missed_usd: 0,
    });
  });
});

test.concurrent('where a budget applies, an answer’s length is bounded and a model without a price is refused', async () => {
  await withGateway({ env: { ADMIN_TOKEN } }, async (gateway) => {
    const operator = operate(gateway);
    const tenant = await operator.tenant({ limits: { monthly_budget_usd: 5, monthly_user_budget_usd: 0.01 } });
    const { secret: key } = await operator.issue(tenant);
    const ask = (text: string, fields: object = {}, options: object = {}) =>
      submit(gateway, { key, ...options, body: { messages: [{ role: 'user', content: text }], ...fields } });

    const job = (await ask('bounded by default')).body as Job;
    await gateway.finished(job.id, { key });
    expect(gateway.callsWith('bounded by default')[0]?.body).toMatchObject({ inferenceConfig: { maxTokens: 4_096 } });
    const free = await gateway.submit('not bounded', { fields: { model: MODEL } });
    await gateway.finished(free.id);
    expect(gateway.callsWith('not bounded')[0]?.body).not.toHaveProperty('inferenceConfig.maxTokens');
    expect((await gateway.read(free.id)).budget).toBeUndefined();

    expect(await ask('x', { model: 'nobody-knows-this' })).toMatchObject({
      status: 400,
      body: {
        error: {
          code: 'model_unpriced',
          param: 'model',
          message: expect.stringMatching(/^No price is known for \S+ on \w+, and this tenant has a budget: /),
        },
      },
    });
    expect(await ask('x', { model: 'gpt-4o' }, { headers: userKey() })).toMatchObject({ status: 402 });
    // Up to the limit of one cent: 10 dollars for a million tokens of gpt-4o.
    const small = await ask('x', { model: 'gpt-4o', max_tokens: 900 }, { headers: userKey() });
    expect(small.status).toBe(202);
    await gateway.finished((small.body as Job).id, { key });

    await operator.change(tenant, { limits: { monthly_user_budget_usd: 100 } });
    await until(
      'the new budget holds',
      async () => (await ask('x', { model: 'gpt-4o' }, { headers: userKey() })).status === 202,
      { withinMs: 5_000 },
    );
  });
});

test.concurrent('of a batch as many lines are called as the budget covers; the others fail without a call, and each has its outcome', async () => {
  // What an answer without usage cost nobody knows: its estimate stands.
  const line = (index: number) => ({
    custom_id: String(index),
    body: { ...REQUEST, messages: [{ role: 'user' as const, content: 'sandbox:fail=no-usage' }] },
  });
  const lines = Array.from({ length: 30 }, (_, index) => line(index));
  await withGateway({ env: { MONTHLY_BUDGET_USD: '0.10', WORKER_CONCURRENCY: '4' } }, async (gateway) => {
    const { id } = acceptedBatch(await upload(gateway, lines));
    const { status, request_counts } = await finishedBatch(gateway, id);
    expect({ status, request_counts }).toMatchObject({
      status: 'completed',
      request_counts: { total: 30, completed: 10, failed: 20 },
    });
    expect(gateway.sandbox.calls).toHaveLength(10);
    const results = await readResults(gateway, id, { key: KEYS.acme });
    expect(new Set(results.map(({ custom_id }) => custom_id)).size).toBe(30);
    const failed = results.filter((result) => result.status === 'failed');
    expect(failed).toHaveLength(20);
    for (const { error } of failed) expect(error).toMatchObject({ code: 'budget_exceeded', retryable: false });
    expect(await budgetOf(gateway)).toMatchObject({ budget_reserved_usd: 0, budget_threshold_percent: 100 });
  });
});

/** So many of each kind. */
const KILLS = Number(process.env.BUDGET_KILLS ?? 1);

test.concurrent('with processes killed at random the budget is kept, and nothing stays reserved when the last job is final', async () => {
  await withGateway(
    { apis: 2, workers: 2, env: { MONTHLY_BUDGET_USD: '1' }, sandbox: { delayMs: 150 } },
    async (gateway) => {
      let done = false;
      const accepted = new Set<string>();
      let refused = 0;
      /** Sends the same request until it is answered, by whichever API lives. */
      const client = async (name: string): Promise<void> => {
        for (let count = 0; !done; count++) {
          const headers = { 'Idempotency-Key': `${name}-${count}` };
          for (;;) {
            const api = gateway.apis[Math.floor(Math.random() * gateway.apis.length)];
            const answer = await submit(gateway, { headers, ...(api ? { api } : {}) }).catch(() => null);
            if (answer?.status === 402) {
              refused += 1;
              await delay(50);
            }
            if (answer?.status === 202) accepted.add((answer.body as Job).id);
            if (answer && answer.status !== 503) break;
            await delay(100);
          }
        }
      };
      const clients = Array.from({ length: 20 }, (_, index) => client(String(index)));
      for (let kill = 0; kill < KILLS; kill++) {
        await delay(500 + Math.random() * 1_500);
        gateway.workers.shift()?.signal('SIGKILL');
        await gateway.addWorker();
        gateway.apis.shift()?.signal('SIGKILL');
        await gateway.addApi();
        const { budget_used_usd, budget_reserved_usd } = await budgetOf(gateway);
        expect((budget_used_usd ?? 2) + (budget_reserved_usd ?? 2)).toBeLessThanOrEqual(1);
      }
      done = true;
      await Promise.all(clients);

      const jobs = await Promise.all([...accepted].map((id) => gateway.finished(id)));
      const unknown = jobs.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'unknown'));
      const billed = jobs.reduce((sum, job) => sum + (job.billed_usage?.cost_usd ?? 0), 0);
      const { budget_used_usd, budget_reserved_usd } = await budgetOf(gateway);
      expect(budget_reserved_usd).toBe(0);
      expect(budget_used_usd).toBeLessThanOrEqual(1);
      expect(budget_used_usd).toBeCloseTo(billed + (unknown.length * ESTIMATE) / 1e9, 9);
      process.stderr.write(
        `${KILLS} workers and ${KILLS} APIs killed: ${jobs.length} jobs, ${refused} refusals, ${unknown.length} attempts of unknown end, $${budget_used_usd} of $1 used\n`,
      );
    },
  );
}, 600_000);

test.concurrent('calls that leave and are cancelled or time out are charged the most that they can cost: nobody calls for nothing again and again', async () => {
  await withGateway({ env: { MONTHLY_BUDGET_USD: '0.05', MAX_ATTEMPTS: '2' } }, async (gateway) => {
    const hanging = {
      ...REQUEST,
      messages: [{ role: 'user' as const, content: 'never ends sandbox:fail=hang' }],
    };
    const estimate = estimateOf(hanging);
    const send = async () => (await submit(gateway, { body: { ...hanging, timeout_seconds: 1 } })).body as Job;
    const first = await send();
    await until('its call has left', () => gateway.callsWith('never ends').length === 1);
    await gateway.call('POST', `/v1/jobs/${first.id}/cancel`);
    expect(await gateway.finished(first.id)).toMatchObject({ status: 'cancelled' });
    const charged = () => ({
      budget_used_usd: (gateway.callsWith('never ends').length * estimate) / 1e9,
      budget_reserved_usd: 0,
    });
    expect(await budgetOf(gateway)).toMatchObject(charged());

    const second = await send();
    expect(await gateway.finished(second.id)).toMatchObject({ status: 'failed', error: { code: 'provider_timeout' } });
    expect(gateway.callsWith('never ends').length).toBeGreaterThanOrEqual(3);
    expect(await budgetOf(gateway)).toMatchObject(charged());
  });
});

test.concurrent('what a deleted tenant left behind and may keep runs within its budget', async () => {
  await withGateway({ env: { ADMIN_TOKEN, MAX_ATTEMPTS: '1' }, workers: 0 }, async (gateway) => {
    const operator = operate(gateway);
    const tenant = await operator.tenant({ limits: { monthly_budget_usd: 0.05 } });
    const key = (await operator.issue(tenant)).secret;
    // Each is charged its estimate, and five of them fit.
    const hanging = { ...REQUEST, messages: [{ role: 'user', content: 'line sandbox:fail=hang' }], timeout_seconds: 1 };
    const sent = Array.from({ length: 8 }, (_, index) => ({ custom_id: `${index}`, body: hanging }));
    const { id } = acceptedBatch(await upload(gateway, sent, { key }));
    expect((await operator.call('DELETE', `/admin/tenants/${tenant.id}?keep_work=true`)).status).toBe(204);
    await gateway.addWorker();
    const status = () =>
      withRedis(gateway.redis.url, (redis) => redis.hget(redisKey(shardTag(0), 'BATCH', id.slice(6, 28)), 'status'));
    await until('every line ended', async () => (await status()) === 'failed');
    expect(gateway.callsWith('line')).toHaveLength(5);
  });
});
