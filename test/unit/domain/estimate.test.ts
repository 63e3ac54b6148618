/** What a call may use at most: never less than a provider can bill, whatever comes along. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { manifestOf, PROVIDERS, type Provider } from '../../../providers/catalogue.ts';
import { type CompletionRequest, completionRequest } from '../../../shared/domain/completion.ts';
import { imageSize } from '../../../shared/domain/media/image-size.ts';
import { pdfPages } from '../../../shared/domain/media/pdf-pages.ts';
import { estimateUsage } from '../../../shared/domain/prices/estimate.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { dataUrl, gif, jpeg, PDF, png, webp } from '../../support/media.ts';

const requestOf = (more: object, parts: object[] = [], model = 'model-1'): CompletionRequest =>
  completionRequest.parse({
    model,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, ...parts] }],
    ...more,
  });
const maxOf = (more: object, parts: object[] = [], provider: Provider = 'anthropic', model = 'model-1') =>
  estimateUsage(requestOf(more, parts, model), manifestOf(provider)).max;
const image = (bytes: Buffer, type = 'image/png') => ({ type: 'image_url', image_url: { url: dataUrl(type, bytes) } });
const file = (type: string, bytes: Buffer | string) => ({ type: 'file', file: { file_data: dataUrl(type, bytes) } });
const base = maxOf({}).inputTokens;
/** Marks around a part. */
const MARK = 8;
const inputOf = (parts: object[], provider: Provider = 'anthropic', model = 'model-1'): number =>
  maxOf({}, parts, provider, model).inputTokens - base - MARK * parts.length;

test.each([
  [png(640, 480), 640, 480],
  [gif(1, 65_535), 1, 65_535],
  [jpeg(1_920, 1_080), 1_920, 1_080],
  [jpeg(1_920, 1_080, 60_000), 1_920, 1_080],
  [webp('VP8 ', 300, 200), 300, 200],
  [webp('VP8L', 300, 200), 300, 200],
  [webp('VP8X', 16_384, 9_000), 16_384, 9_000],
])('the size of an image stands in its first bytes (%#)', (bytes, width, height) => {
  expect(imageSize(bytes)).toEqual({ width, height });
});

test('bytes that end within a header, or are of no image, have no size, and break nothing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(png(), gif(1, 1), jpeg(1, 1), webp('VP8 ', 1, 1), webp('VP8L', 1, 1), webp('VP8X', 1, 1)),
      fc.nat(400),
      fc.uint8Array({ maxLength: 20 }),
      (bytes, end, more) => {
        const size = imageSize(Buffer.concat([bytes.subarray(0, end), more]));
        if (size !== null) expect(size.width * size.height).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});

describe('an image counts', () => {
  test.each<[string, object, Provider, string, number]>([
    ['by its size', image(png(1_000, 750)), 'anthropic', 'claude-sonnet-4-5', Math.ceil((1_028 * 778) / 750)],
    ['a small one too', image(png(1, 1)), 'anthropic', 'claude-sonnet-4-5', 2],
    ['a large one the cap', image(png(9_000, 9_000)), 'anthropic', 'claude-sonnet-4-5', 5_000],
    [
      'one whose size is hidden the cap',
      image(jpeg(10, 10, 65_000 - 4).subarray(0, 65_004), 'image/jpeg'),
      'anthropic',
      'claude-sonnet-4-5',
      5_000,
    ],
    [
      'one elsewhere the cap',
      { type: 'image_url', image_url: { url: 'https://a.invalid/a' } },
      'openai',
      'gpt-5',
      10_000,
    ],
    ['tiles, of which a small image has one, the cap of the model', image(png()), 'openai', 'gpt-4o-mini', 48_169],
    ['less on models with smaller ones', image(png()), 'openai', 'gpt-4o', 1_445],
    ['a model of which no size is documented the cap', image(png()), 'bedrock', 'amazon.nova-lite-v1:0', 5_000],
  ])('%s', (_, part, provider, model, tokens) => {
    expect(inputOf([part], provider, model)).toBe(tokens);
  });

  test.each(PROVIDERS)('at most the cap of %s, never nothing, and more if it is larger', (provider) => {
    const side = fc.integer({ min: 1, max: 9_000 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        const tokens = inputOf([image(png(width, height))], provider);
        expect(tokens).toBeGreaterThan(0);
        expect(tokens).toBeLessThanOrEqual(50_000);
        expect(inputOf([image(png(width + 500, height))], provider)).toBeGreaterThanOrEqual(tokens);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a file counts', () => {
  test.each<[string, object, number]>([
    ['a page of a PDF', file('application/pdf', PDF), 3_500],
    ['three', file('application/pdf', `%PDF-1.7 ${'/Type /Page '.repeat(2)}/Type/Page`), 10_500],
    ['packed pages by the bytes', file('application/pdf', `%PDF-1.7 ${'x'.repeat(2_991)}`), 7_000],
    ['a text its bytes', file('text/plain', 'x'.repeat(1_000)), 1_000],
    ['a text in its longest form', file('text/csv', 'ﷺ'), 33],
    [
      'a packed document more than its bytes',
      file('application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'PK\x03\x04      '),
      100,
    ],
  ])('%s', (_, part, tokens) => {
    expect(inputOf([part])).toBe(tokens);
  });
  test('a list of pages is no page', () => {
    expect(pdfPages(Buffer.from('%PDF-1.7 /Type /Pages /Type /PageLabel /Type\n/Page'))).toBe(1);
  });
});

describe('also counted are', () => {
  const added = (more: object): number => maxOf(more).inputTokens - base;
  const tool = {
    type: 'function',
    function: { name: 'f', description: 'd'.repeat(1_000), parameters: { a: 'x'.repeat(500) } },
  };
  test('tools, and what comes with them', () => {
    expect(added({ tools: [tool] })).toBeGreaterThan(1_500 + 1_024);
    expect(added({ tools: [tool] })).toBeLessThan(1_600 + 1_024);
  });
  test('the form of the answer', () => {
    const json_schema = { name: 'f', schema: { a: 'x'.repeat(700) } };
    expect(added({ response_format: { type: 'json_schema', json_schema } })).toBeGreaterThan(700 + 512);
  });
  test('calls, their results and thoughts', () => {
    const answer = {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'i', type: 'function', function: { name: 'f', arguments: `{"a":"${'x'.repeat(900)}"}` } }],
      reasoning_details: [
        { type: 'reasoning.text', text: 't'.repeat(400), signature: 's'.repeat(300) },
        { type: 'reasoning.encrypted', data: 'd'.repeat(200) },
      ],
    };
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
      answer,
      { role: 'tool', tool_call_id: 'i', content: 'r'.repeat(100) },
    ];
    expect(added({ messages })).toBeGreaterThan(900 + 400 + 300 + 200 + 100);
  });
  test('answers as often as they are asked for, and what of a prediction may be wrong', () => {
    expect(maxOf({ max_tokens: 100, n: 3 }).outputTokens).toBe(300);
    expect(maxOf({ max_tokens: 100, prediction: { type: 'content', content: 'x'.repeat(50) } }).outputTokens).toBe(150);
  });
});

test('what is to be cached for an hour costs what that does, and is refused if nobody knows what', () => {
  const marked = { type: 'text', text: 'x'.repeat(90_000), cache_control: { type: 'ephemeral', ttl: '1h' } };
  const short = { ...marked, cache_control: { type: 'ephemeral', ttl: '5m' } };
  const prices = createPrices(null);
  const model = 'claude-sonnet-4-5';
  const costOf = (part: object) => prices.max('anthropic', model, maxOf({}, [part], 'anthropic', model)) ?? 0;
  const inputTokens = maxOf({}, [marked], 'anthropic', model).inputTokens;
  const worst = {
    inputTokens,
    outputTokens: 4_096,
    cachedInputTokens: 0,
    cacheWriteTokens: inputTokens,
    hourCacheWriteTokens: inputTokens,
  };
  expect(costOf(marked)).toBe(prices.of('anthropic', model, worst).costNano);
  expect(costOf(marked)).toBeGreaterThan(costOf(short) * 1.2);
  const own = createPrices({ version: 'v', models: () => [], find: () => ({ input: 1, output: 1 }) });
  expect(own.max('anthropic', model, maxOf({}, [marked], 'anthropic', model))).toBeNull();
  expect(own.max('anthropic', model, maxOf({}, [short], 'anthropic', model))).toBeGreaterThan(0);
});
