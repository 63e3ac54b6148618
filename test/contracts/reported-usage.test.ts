/** What an answer says of its tokens and of the terms it was served on, through the real SDKs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import { type Vendor as CompatibleVendor, VENDOR_NAMES, vendorOf } from '../../providers/openai-compatible/vendors.ts';
import type { TokenUsage } from '../../shared/domain/completion.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';
import { VENDORS } from './vendors.ts';

type Fields = Record<string, unknown>;
type Case = [what: string, usage: Fields, beside: Fields, expected: Partial<TokenUsage> | null];

const plain = { inputTokens: 1, outputTokens: 2, cachedInputTokens: 0, cacheWriteTokens: 0 };
const offList = { ...plain, offList: true as const };

/** What is no figure, whoever reports it. */
const NO_FIGURES = ['7', -1, 1.5, 2 ** 53, 1e300, true, [], {}];

const annotated = (annotations: unknown): Fields => ({
  choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: 'Hi.', annotations } }],
});

const CASES: Record<string, Case[]> = {
  openai: [
    ['the default tier', {}, { service_tier: 'default' }, plain],
    ['no tier', {}, { service_tier: null }, plain],
    ...['priority', 'flex', 'batch', 'scale', 'auto', 'new', 7].map(
      (service_tier): Case => [`the tier ${service_tier}`, {}, { service_tier }, offList],
    ),
    ['sound that was heard', { prompt_tokens_details: { audio_tokens: 1 } }, {}, offList],
    ['sound that was spoken', { completion_tokens_details: { audio_tokens: 1 } }, {}, offList],
    ['a cached part', { prompt_tokens_details: { cached_tokens: 1 } }, {}, { ...plain, cachedInputTokens: 1 }],
    ['no parts', { prompt_tokens_details: null }, {}, plain],
    ['a citation of the web', {}, annotated([{ type: 'url_citation' }]), offList],
    ['another annotation', {}, annotated([{ type: 'file_citation' }]), plain],
    ['no annotations', {}, annotated(null), plain],
    ...[[{ type: 'file_citation' }, 'x'], [{}], 'url_citation', { type: 'url_citation' }].map(
      (annotations): Case => [`annotations of ${JSON.stringify(annotations)}`, {}, annotated(annotations), offList],
    ),
    [
      'parts that are a text',
      { prompt_tokens_details: 'none' },
      {},
      { ...offList, cachedInputTokens: null, cacheWriteTokens: null },
    ],
    ['output without a figure', { completion_tokens: null }, {}, { ...plain, outputTokens: null }],
    ['input without a figure', { prompt_tokens: undefined }, {}, { ...plain, inputTokens: null }],
    ['no figures', { prompt_tokens: null, completion_tokens: null }, {}, null],
    ...NO_FIGURES.flatMap((value): Case[] => [
      [`input of ${JSON.stringify(value)}`, { prompt_tokens: value }, {}, { ...plain, inputTokens: null }],
      [`output of ${JSON.stringify(value)}`, { completion_tokens: value }, {}, { ...plain, outputTokens: null }],
      [
        `a cached part of ${JSON.stringify(value)}`,
        { prompt_tokens_details: { cached_tokens: value } },
        {},
        { ...plain, cachedInputTokens: null },
      ],
    ]),
  ],
  anthropic: [
    ['standard terms', { service_tier: 'standard', inference_geo: 'global', speed: 'standard' }, {}, plain],
    ['a model without a choice of place', { inference_geo: 'not_available' }, {}, plain],
    ['another place', { inference_geo: 'us' }, {}, offList],
    ...['priority', 'batch', 'new'].map(
      (service_tier): Case => [`the tier ${service_tier}`, { service_tier }, {}, offList],
    ),
    ['fast mode', { speed: 'fast' }, {}, offList],
    [
      'a cache for an hour',
      {
        cache_creation_input_tokens: 5,
        cache_creation: { ephemeral_1h_input_tokens: 3, ephemeral_5m_input_tokens: 2 },
      },
      {},
      { ...plain, inputTokens: 6, cacheWriteTokens: 5, hourCacheWriteTokens: 3 },
    ],
    [
      'a cache for five minutes',
      { cache_creation_input_tokens: 5, cache_creation: null },
      {},
      { ...plain, inputTokens: 6, cacheWriteTokens: 5 },
    ],
    ...[5, '5', -1, null].map(
      (written): Case => [
        `${JSON.stringify(written)} of a cache for a day`,
        { cache_creation_input_tokens: 5, cache_creation: { ephemeral_24h_input_tokens: written } },
        {},
        { ...(written === null ? plain : offList), inputTokens: 6, cacheWriteTokens: 5 },
      ],
    ),
    [
      'searches',
      { server_tool_use: { web_search_requests: 2, web_fetch_requests: 9 } },
      {},
      { ...plain, webSearches: 2 },
    ],
    ['no searches', { server_tool_use: { web_search_requests: 0 } }, {}, plain],
    ['another tool', { server_tool_use: { code_execution_requests: 1 } }, {}, offList],
    ['searches without a figure', { server_tool_use: { web_search_requests: 'many' } }, {}, offList],
    [
      'parts that are null',
      { cache_read_input_tokens: null, cache_creation_input_tokens: null, server_tool_use: null },
      {},
      plain,
    ],
    ['a cached part', { cache_read_input_tokens: 4 }, {}, { ...plain, inputTokens: 5, cachedInputTokens: 4 }],
    ['output without a figure', { output_tokens: null }, {}, { ...plain, outputTokens: null }],
    ...NO_FIGURES.flatMap((value): Case[] => [
      [`input of ${JSON.stringify(value)}`, { input_tokens: value }, {}, { ...plain, inputTokens: null }],
      [
        `a cached part of ${JSON.stringify(value)}`,
        { cache_read_input_tokens: value },
        {},
        { ...plain, inputTokens: null, cachedInputTokens: null },
      ],
    ]),
  ],
  bedrock: [
    ['the default tier', {}, { serviceTier: { type: 'default' }, performanceConfig: { latency: 'standard' } }, plain],
    ...['priority', 'flex', 'reserved'].map(
      (type): Case => [`the tier ${type}`, {}, { serviceTier: { type } }, offList],
    ),
    ['less latency', {}, { performanceConfig: { latency: 'optimized' } }, offList],
    [
      'a cache for an hour',
      {
        cacheWriteInputTokens: 5,
        cacheDetails: [
          { ttl: '1h', inputTokens: 3 },
          { ttl: '5m', inputTokens: 2 },
        ],
      },
      {},
      { ...plain, inputTokens: 6, cacheWriteTokens: 5, hourCacheWriteTokens: 3 },
    ],
    ...['24h', '1d', ''].map(
      (ttl): Case => [
        `a cache for ${JSON.stringify(ttl)}`,
        { cacheWriteInputTokens: 5, cacheDetails: [{ ttl, inputTokens: 5 }] },
        {},
        { ...offList, inputTokens: 6, cacheWriteTokens: 5 },
      ],
    ),
    ['none for a day', { cacheDetails: [{ ttl: '24h', inputTokens: 0 }] }, {}, plain],
    ['output without a figure', { outputTokens: null }, {}, { ...plain, outputTokens: null }],
    ['input of -1', { inputTokens: -1 }, {}, { ...plain, inputTokens: null }],
    ['input of 1.5', { inputTokens: 1.5 }, {}, { ...plain, inputTokens: null }],
    [
      'a cached part of 2^53',
      { cacheReadInputTokens: 2 ** 53 },
      {},
      { ...plain, inputTokens: null, cachedInputTokens: null },
    ],
  ],
};

/** Of all vendors that speak as OpenAI does, by the tiers that each has. */
const compatibleCases = (vendor: CompatibleVendor): Case[] => {
  const { listedTiers } = vendorOf(vendor);
  return [
    ...[null, ...listedTiers].map((service_tier): Case => [`the tier ${service_tier}`, {}, { service_tier }, plain]),
    ['another tier', {}, { service_tier: 'a tier that nobody has' }, offList],
    ['sound that was heard', { prompt_tokens_details: { audio_tokens: 1 } }, {}, offList],
    ['a cached part', { prompt_tokens_details: { cached_tokens: 1 } }, {}, { ...plain, cachedInputTokens: 1 }],
    ['reasoning in the total alone', { total_tokens: 8 }, {}, { ...plain, outputTokens: 7 }],
    ['a total that is too small', { total_tokens: 1 }, {}, plain],
    ['no total', { total_tokens: undefined }, {}, plain],
    ['output without a figure', { completion_tokens: null }, {}, { ...plain, outputTokens: null }],
    ['input without a figure', { prompt_tokens: undefined }, {}, { ...plain, inputTokens: null }],
    ['a total of -1', { total_tokens: -1 }, {}, plain],
    ['an answer in parts', {}, inParts, plain],
  ];
};
const inParts: Fields = {
  choices: [
    {
      finish_reason: 'stop',
      message: {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: [] },
          { type: 'text', text: 'Hi.' },
        ],
      },
    },
  ],
};
const ALL_CASES: Record<string, Case[]> = {
  ...CASES,
  ...Object.fromEntries(VENDOR_NAMES.map((vendor) => [vendor, compatibleCases(vendor)])),
};

describe.each(VENDORS)('$provider', (vendor) => {
  let body: unknown;
  let server: RawServer;
  let adapter: ProviderAdapter;
  beforeAll(async () => {
    server = await startRawServer((request, response) => json(200, body)(request, response));
    adapter = vendor.open(server.url + vendor.basePath);
  });
  afterAll(async () => {
    await adapter.close();
    await server.close();
  });

  test.each(ALL_CASES[vendor.provider] ?? [])('%s', async (_, usage, beside, expected) => {
    const whole = vendor.answerBody('Hi.');
    body = { ...whole, ...beside, usage: { ...(whole.usage as Fields), ...usage } };
    const outcome = await adapter.complete({
      request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    expect(outcome).toMatchObject({ kind: 'completed', result: { content: 'Hi.' } });
    expect(outcome.usage).toEqual(expected);
  });
});

/** Their names of input and output. */
const FIGURES: Record<string, [string, string]> = {
  openai: ['prompt_tokens', 'completion_tokens'],
  anthropic: ['input_tokens', 'output_tokens'],
  bedrock: ['inputTokens', 'outputTokens'],
};

describe.each(VENDORS)('$provider: beside a text', (vendor) => {
  const [input = '', output = ''] = FIGURES[vendor.provider] ?? FIGURES.openai ?? [];
  test.each([
    [0, 0, null],
    [0, 2, { ...plain, inputTokens: null }],
    [1, 0, { ...plain, outputTokens: null }],
    [1, 2, plain],
  ])('input of %i and output of %i are facts as far as they can be', async (read, written, expected) => {
    const server = await startRawServer(
      json(200, { ...vendor.answerBody('Hi.'), usage: { [input]: read, [output]: written } }),
    );
    const adapter = vendor.open(server.url + vendor.basePath);
    const outcome = await adapter.complete({
      request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    expect(outcome).toMatchObject({ kind: 'completed', usage: expected });
    await adapter.close();
    await server.close();
  });
});

test('every provider has its cases', () => {
  expect(Object.keys(ALL_CASES)).toEqual(VENDORS.map(({ provider }) => provider));
});
