import { findProvider } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Provider } from '../../../providers/catalogue.ts';
import { NOTHING_USED, type TokenUsage } from '../../../shared/domain/completion.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';

const used = (inputTokens: number, outputTokens: number, parts: Partial<TokenUsage> = {}): TokenUsage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  ...parts,
});

const { of } = createPrices(null);
const nano = (provider: Provider, model: string, usage: TokenUsage): number | null =>
  of(provider, model, usage).costNano;

/**
 * Figures of the vendors' own pages, in US dollars for a million tokens, written down on 2026-11-23 beside the day on which each was last seen:
 *
 * | model                       | input | cached | written | output | page                                                    | seen       |
 * | gpt-4o                      | 2.50  | 1.25   |         | 10.00  | openai.com/api/pricing                                  | 2026-05-27 |
 * | gpt-4o-mini                 | 0.15  | 0.075  |         | 0.60   | the same                                                | 2026-05-27 |
 * | gpt-6-astra                 | 10.00 | 1.00   | 12.50   | 50.00  | developers.openai.com/api/docs/models/compare           | 2026-11    |
 * | Claude Opus 4.8             | 5.00  | 0.50   | 6.25    | 25.00  | platform.claude.com/docs/en/about-claude/pricing        | 2026-11    |
 * | Claude Sonnet 4.5           | 3.00  | 0.30   | 3.75    | 15.00  | the same                                                | 2026-11    |
 * | the same, Bedrock, global.  | 3.00  | 0.30   | 3.75    | 15.00  | aws.amazon.com/bedrock/pricing                          | 2026-02    |
 * | the same, Bedrock, regional | 3.30  | 0.33   | 4.125   | 16.50  | the same: 10 % more                                     | 2026-02    |
 * | Nova Lite                   | 0.06  | 0.015  |         | 0.24   | pricing.us-east-1.amazonaws.com/offers, AmazonBedrock   | 2026-09-01 |
 * | Nova Pro                    | 0.80  | 0.20   |         | 3.20   | the same                                                | 2026-09-01 |
 *
 * Dollars for a million tokens are thousands of nano-dollars for a thousand: the sums below are done by hand.
 */
describe('the cost is that of the vendor’s price page:', () => {
  test.each<[string, Provider, string, TokenUsage, number]>([
    // 10 × 2.50 + 2 × 10.00
    ['GPT-4o', 'openai', 'gpt-4o', used(10_000, 2_000), 45_000_000],
    // 6 × 2.50 + 4 × 1.25 + 2 × 10.00
    ['GPT-4o, partly cached', 'openai', 'gpt-4o', used(10_000, 2_000, { cachedInputTokens: 4_000 }), 40_000_000],
    // 10 × 2.50 + 2 × 10.00
    ['a dated GPT-4o', 'openai', 'gpt-4o-2024-08-06', used(10_000, 2_000), 45_000_000],
    // 1 × 0.15 + 1 × 0.075 + 1 × 0.60
    ['GPT-4o mini', 'openai', 'gpt-4o-mini', used(2_000, 1_000, { cachedInputTokens: 1_000 }), 825_000],
    // 1 × 10.00 + 2 × 1.00 + 4 × 12.50 + 1 × 50.00
    [
      'a GPT that bills what it writes to its cache',
      'openai',
      'gpt-6-astra',
      used(7_000, 1_000, { cachedInputTokens: 2_000, cacheWriteTokens: 4_000 }),
      112_000_000,
    ],
    // 10 × 5.00 + 2 × 25.00
    ['Claude Opus 4.8', 'anthropic', 'claude-opus-4-8', used(10_000, 2_000), 100_000_000],
    // 3 × 5.00 + 5 × 0.50 + 2 × 6.25 + 2 × 25.00
    [
      'Claude Opus 4.8, read from and written to a cache',
      'anthropic',
      'claude-opus-4-8',
      used(10_000, 2_000, { cachedInputTokens: 5_000, cacheWriteTokens: 2_000 }),
      80_000_000,
    ],
    // 10 × 3.00 + 2 × 15.00
    ['Claude Sonnet 4.5', 'anthropic', 'claude-sonnet-4-5-20250929', used(10_000, 2_000), 60_000_000],
    // 10 × 3.30 + 2 × 16.50
    [
      'Claude on Bedrock by a profile of a region',
      'bedrock',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      used(10_000, 2_000),
      66_000_000,
    ],
    ['the same in Europe', 'bedrock', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0', used(10_000, 2_000), 66_000_000],
    // 3 × 3.30 + 5 × 0.33 + 2 × 4.125 + 2 × 16.50
    [
      'the same, read from and written to a cache',
      'bedrock',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      used(10_000, 2_000, { cachedInputTokens: 5_000, cacheWriteTokens: 2_000 }),
      52_800_000,
    ],
    // 10 × 3.00 + 2 × 15.00
    [
      'Claude on Bedrock by the global profile',
      'bedrock',
      'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
      used(10_000, 2_000),
      60_000_000,
    ],
    // 10 × 0.06 + 2 × 0.24
    ['Nova Lite', 'bedrock', 'amazon.nova-lite-v1:0', used(10_000, 2_000), 1_080_000],
    ['Nova Lite by a profile', 'bedrock', 'us.amazon.nova-lite-v1:0', used(10_000, 2_000), 1_080_000],
    // 6 × 0.06 + 4 × 0.015 + 2 × 0.24
    [
      'Nova Lite, partly cached',
      'bedrock',
      'amazon.nova-lite-v1:0',
      used(10_000, 2_000, { cachedInputTokens: 4_000 }),
      900_000,
    ],
    // 6 × 0.80 + 4 × 0.20 + 2 × 3.20
    ['Nova Pro', 'bedrock', 'us.amazon.nova-pro-v1:0', used(10_000, 2_000, { cachedInputTokens: 4_000 }), 12_000_000],
  ])('%s', (_, provider, model, usage, cost) => {
    expect(of(provider, model, usage)).toEqual({
      costNano: cost,
      priceVersion: expect.stringMatching(/^genai-prices-\d+\.\d+\.\d+$/),
    });
  });
});

test('a cost is rounded to a whole nano-dollar once, after all its parts are added', () => {
  // 2 × 0.00875 × 1000 = 17.5, of which each half alone would be rounded to 9.
  expect(nano('bedrock', 'amazon.nova-micro-v1:0', used(2, 0, { cachedInputTokens: 2 }))).toBe(18);
  // 1 × 8.75 + 3 × 35 + 1 × 140 = 253.75
  expect(nano('bedrock', 'amazon.nova-micro-v1:0', used(4, 1, { cachedInputTokens: 1 }))).toBe(254);
});

test('nothing used costs nothing, and is not unpriced', () => {
  expect(nano('openai', 'gpt-4o', used(0, 0))).toBe(0);
});

test.each<[string, Provider, string]>([
  ['a model that no list knows', 'openai', 'gpt-4o-in-my-dreams'],
  ['a model of another provider', 'openai', 'claude-opus-4-8'],
  ['a name of the language', 'openai', 'constructor'],
  [
    'an application’s own profile',
    'bedrock',
    'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2',
  ],
])('%s is unpriced, never free', (_, provider, model) => {
  expect(nano(provider, model, used(1_000, 1_000))).toBeNull();
});

test.each([
  'gpt-4o-search-preview',
  'gpt-4o-mini-search-preview',
  'gpt-4o-mini-search-preview-2025-03-11',
  'gpt-5-search-api',
  'o3-deep-research',
])('%s searches at a fee that nothing counts: unpriced, whatever a call used, and not to be estimated', (model) => {
  expect(nano('openai', model, used(1_000, 1_000))).toBeNull();
  expect(createPrices(null).max('openai', model, { inputTokens: 1_000, outputTokens: 1_000 })).toBeNull();
});

test('no model of the lists that is made for searches is priced without their fee, and no other is lost', () => {
  const models = findProvider({ providerId: 'openai' })?.models ?? [];
  const priced = (id: string): boolean => nano('openai', id, used(1_000, 1_000)) !== null;
  const searching = models.filter(({ id, description }) => /\bsearch/i.test(`${id} ${description ?? ''}`));
  expect(searching.map(({ id }) => id)).toContain('gpt-4o-search-preview');
  expect(searching.filter(({ id }) => priced(id)).map(({ id }) => id)).toEqual([]);
  expect(['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-5'].every(priced)).toBe(true);
});

describe('beyond tokens at the price of the list', () => {
  test.each<[string, Provider, string, TokenUsage, number | null]>([
    // 6 × 2.00 + 3 × 2.50 + 1 × 4.00
    [
      'a cache for an hour',
      'anthropic',
      'claude-sonnet-5',
      used(10_000, 0, { cacheWriteTokens: 4_000, hourCacheWriteTokens: 1_000 }),
      23_500_000,
    ],
    [
      'a cache for an hour without a price',
      'openai',
      'gpt-4o',
      used(10_000, 0, { cacheWriteTokens: 4_000, hourCacheWriteTokens: 1_000 }),
      null,
    ],
    // 10 × 2.00, and 2 of 1,000 searches for $10
    ['searches of the web', 'anthropic', 'claude-sonnet-5', used(10_000, 0, { webSearches: 2 }), 40_000_000],
    [
      'searches of the web without a price',
      'anthropic',
      'claude-3-haiku-20240307',
      used(10_000, 0, { webSearches: 2 }),
      null,
    ],
    ['other terms', 'openai', 'gpt-4o', used(10_000, 2_000, { offList: true }), null],
    ['a free call of a model without a price', 'anthropic', 'claude-of-tomorrow', NOTHING_USED, 0],
    // 10 × 0.02
    ['embeddings', 'openai', 'text-embedding-3-small', used(10_000, 0), 200_000],
    ['embeddings of a model without a price', 'openai', 'text-embedding-of-tomorrow', used(10_000, 0), null],
    ['unknown input', 'openai', 'gpt-4o', used(0, 2_000, { inputTokens: null }), null],
    ['unknown output', 'openai', 'gpt-4o', used(10_000, 0, { outputTokens: null }), null],
    ['an unknown cached part', 'openai', 'gpt-4o', used(10_000, 0, { cachedInputTokens: null }), null],
    ['an unknown part written to a cache', 'openai', 'gpt-4o', used(10_000, 0, { cacheWriteTokens: null }), null],
  ])('%s: what is known is priced, all else is unpriced and never guessed', (_, provider, model, usage, cost) => {
    expect(nano(provider, model, usage)).toBe(cost);
  });
});

test('usage that cannot be is unpriced: more cached than there was input', () => {
  expect(nano('openai', 'gpt-4o', used(10, 1, { cachedInputTokens: 11 }))).toBeNull();
});

describe('the most that a call can cost', () => {
  const LISTS = { openai: 'openai', anthropic: 'anthropic', bedrock: 'aws' } as const;
  const everyModel = Object.entries(LISTS).flatMap(([provider, providerId]) =>
    (findProvider({ providerId })?.models ?? []).map(({ id }) => ({ provider: provider as Provider, id })),
  );
  const prices = createPrices(null);

  test('is what writing all of the input to a cache costs, where that is dearer: GPT-6 Astra takes 12.50 for it', () => {
    expect(prices.max('openai', 'gpt-6-astra', { inputTokens: 1_000, outputTokens: 1_000 })).toBe(62_500_000);
    expect(prices.max('openai', 'gpt-4o', { inputTokens: 1_000, outputTokens: 1_000 })).toBe(12_500_000);
    expect(prices.max('openai', 'gpt-4o-in-my-dreams', { inputTokens: 1, outputTokens: 1 })).toBeNull();
  });

  test('is passed by no usage within the bound, of no model of the lists, above no step of a price', () => {
    expect(everyModel.length).toBeGreaterThan(150);
    const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
    const usage = fc.record({
      input: fc.oneof(fc.nat(1_000), fc.integer({ min: 150_000, max: 400_000 })),
      output: fc.nat(100_000),
      shares: fc.tuple(share, share, share, share),
    });
    fc.assert(
      fc.property(fc.constantFrom(...everyModel), usage, ({ provider, id }, { input, output, shares }) => {
        const max = prices.max(provider, id, { inputTokens: input, outputTokens: output });
        const [inputShare, outputShare, cachedShare, writtenShare] = shares;
        const inputTokens = Math.round(input * inputShare);
        const cachedInputTokens = Math.floor(inputTokens * cachedShare);
        const cacheWriteTokens = Math.floor((inputTokens - cachedInputTokens) * writtenShare);
        const real = used(inputTokens, Math.round(output * outputShare), { cachedInputTokens, cacheWriteTokens });
        const cost = prices.of(provider, id, real).costNano;
        if (cost !== null) expect(cost).toBeLessThanOrEqual(max ?? -1);
      }),
      { numRuns: 5_000 },
    );
  });
});
