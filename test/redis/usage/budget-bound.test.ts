import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEstimateJob } from '../../../api/intake/estimate-job.ts';
import { createJudgeModel } from '../../../api/intake/judge-model.ts';
import { BODY_NAMES } from '../../../api/intake/support/names.ts';
import type { CompletionRequest, TokenUsage } from '../../../shared/domain/completion.ts';
import { textsOf } from '../../../shared/domain/conversation/content.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createBudgetStore } from '../../../shared/storage/usage/budget-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { askedBy, type Running, TAG } from '../../support/redis/engine.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
const budgets = createBudgetStore({ run: createCommands(engine.redis), shards: 1 });

const ACME = 'acme' as TenantId;
const MODEL = 'gpt-5.6-sol';
const prices = createPrices(null);
const estimateJob = createEstimateJob(createJudgeModel(prices, null));

const prepare = async (budgetUsd: number): Promise<void> => {
  await engine.empty();
  await engine.setSlots(100);
  await engine.redis.hset(key(TAG, 'TENANT', 'acme'), 'budget:user', budgetUsd * 1e9);
};

const offer = async (request: CompletionRequest, budgetUsd: number) => {
  const limits = { ...NO_LIMITS, monthly_user_budget_usd: budgetUsd };
  const caller = {
    limits: { ...limits, requests_per_minute: 1e6, max_queued: 1e6, max_stored_bytes: 1e9 },
    allowedModels: null,
  };
  const account = { provider: 'openai', credential: 'user', fingerprint: 'f' } as const;
  const { request: asked, ...estimated } = estimateJob(request, { account, caller, names: BODY_NAMES });
  return engine.offer('acme', {
    ...account,
    limits: caller.limits,
    sealedKey: 'sealed',
    model: asked.model,
    asked: { format: 'neutral', request: asked },
    ...estimated,
  });
};

const longest = (text: string): number =>
  Math.max(...(['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) => Buffer.byteLength(text.normalize(form))));

/** The dearest that a provider can make of a call: a token for each byte of the longest normal form, a template around each message, all of it written to a cache, the longest answer. */
const worstUsage = ({ messages, max_tokens = 0 }: CompletionRequest): TokenUsage => {
  const texts = messages.flatMap(({ content }) => textsOf(content));
  const inputTokens = texts.reduce((sum, text) => sum + longest(text), 0) + 7 * messages.length + 100;
  return { inputTokens, outputTokens: max_tokens, cachedInputTokens: 0, cacheWriteTokens: inputTokens };
};
const endAtWorst = (running: Running) => {
  const usage = worstUsage(askedBy(running));
  return engine.end(running, { usage: { ...usage, ...prices.of('openai', MODEL, usage) } });
};

const state = async () => {
  const { used, reserved, missed } = (await budgets.read(ACME)).user;
  return { used, reserved, missed };
};

const request = (content: string, max_tokens = 1): CompletionRequest => ({
  model: MODEL,
  messages: [{ role: 'user', content }],
  max_tokens,
});

test('a budget of $10 does not end at $26 when each byte of the text is a token', async () => {
  await prepare(10);
  const base64 = Buffer.alloc(150_000, 0xf8).toString('base64');
  let accepted = 0;
  for (let count = 0; count < 30; count++) {
    if ((await offer(request(base64), 10)).kind === 'accepted') accepted += 1;
  }
  for (let count = 0; count < accepted; count++) {
    await engine.tick();
    const running = await engine.start();
    if (running) await endAtWorst(running);
  }
  const { used, reserved, missed } = await state();
  // A call costs a dollar, and no room for another is left unused.
  expect(accepted).toBe(9);
  expect(used).toBeGreaterThan(9e9);
  expect(used).toBeLessThanOrEqual(10e9);
  expect({ reserved, missed }).toEqual({ reserved: 0, missed: 0 });
}, 60_000);

const BUDGET_USD = 0.05;
const text = fc.oneof(
  fc.base64String({ maxLength: 3_000 }),
  // One-byte tokens, emoji with their joiners, Amharic, cuneiform, anything.
  fc
    .array(fc.constantFrom('\u0001', '{', '👩‍👩‍👧', 'ጸሎት', '𒀀𒁀', 'ﷺ', '㌕'), { maxLength: 500 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
);
const hostile = fc.record({
  model: fc.constant(MODEL),
  messages: fc
    .array(fc.record({ role: fc.constantFrom('system' as const, 'user' as const), content: text }), {
      minLength: 1,
      maxLength: 4,
    })
    .filter((messages) => messages.some(({ role }) => role === 'user')),
  max_tokens: fc.integer({ min: 1, max: 300 }),
});
const step = fc.oneof(
  fc.record({ kind: fc.constant('submit' as const), request: hostile }),
  fc.record({ kind: fc.constantFrom('start' as const, 'end' as const, 'lose' as const), pick: fc.nat(100) }),
  fc.record({ kind: fc.constant('lower' as const), percent: fc.integer({ min: 90, max: 100 }) }),
);

test('whatever the texts and however many calls are under way, lost or repeated, what is used never passes the budget', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120 }), async (steps) => {
      await prepare(BUDGET_USD);
      let cap = BUDGET_USD;
      let running: Running[] = [];
      for (const each of steps) {
        switch (each.kind) {
          case 'submit':
            await offer(each.request, cap);
            break;
          case 'start': {
            await engine.tick();
            const started = await engine.start();
            if (started) running.push(started);
            break;
          }
          case 'end': {
            const ended = running[each.pick % Math.max(running.length, 1)];
            if (ended) await endAtWorst(ended);
            running = running.filter((other) => other !== ended);
            break;
          }
          case 'lose': {
            // Its call goes on at the provider, and may still report.
            const lost = running[each.pick % Math.max(running.length, 1)];
            const since = lost && (await engine.redis.hget(key(TAG, 'INFLIGHT'), lost.id));
            if (!lost || !since) break;
            engine.handoffs.unshift(`${lost.id}-${since.split(':')[0] ?? ''}`);
            const repeated = await engine.start();
            if (repeated) running.push(repeated);
            break;
          }
          case 'lower': {
            // Never below what calls that are under way may cost: they cannot be taken back.
            const { used, reserved } = await state();
            cap = Math.max((cap * each.percent) / 100, (used + reserved) / 1e9);
            await engine.redis.hset(key(TAG, 'TENANT', 'acme'), 'budget:user', Math.round(cap * 1e9));
          }
        }
        const { used, reserved, missed } = await state();
        expect(used + reserved).toBeLessThanOrEqual(Math.round(cap * 1e9));
        expect(missed).toBe(0);
      }
      expect(await findViolations(engine.redis, TAG)).toEqual([]);
    }),
    { numRuns: 60, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false },
  );
}, 60_000);

test('a budget that is lowered holds for what was accepted before: as many calls begin as the new one covers', async () => {
  await prepare(1);
  for (let count = 0; count < 10; count++) expect((await offer(request('x', 1_000), 1)).kind).toBe('accepted');
  const { reserved } = await state();
  await engine.redis.hset(key(TAG, 'TENANT', 'acme'), 'budget:user', reserved * 0.35);
  let begun = 0;
  for (let count = 0; count < 10; count++) {
    await engine.tick();
    if (await engine.start()) begun += 1;
  }
  expect(begun).toBe(3);
  const statuses = await engine.redis.keys(key(TAG, 'JOB', '*'));
  const errors = await Promise.all(statuses.map((job) => engine.redis.hget(job, 'error')));
  expect(errors.filter((error) => error === 'budget_exceeded')).toHaveLength(7);
  expect((await state()).reserved).toBeLessThanOrEqual(reserved * 0.35);
});
