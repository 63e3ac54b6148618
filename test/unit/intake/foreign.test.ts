/** What is understood of a body in foreign words, and what is refused of it: nothing may pass unread that the provider would honour. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createJudgeForeign } from '../../../api/intake/foreign/judge-foreign.ts';
import { WORDS } from '../../../api/intake/foreign/words.ts';
import { createJudgeModel } from '../../../api/intake/judge-model.ts';
import { BODY_NAMES } from '../../../api/intake/support/names.ts';
import { FOREIGN_FORMATS, type ForeignFormat } from '../../../providers/manifest.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';

const limits = { ...NO_LIMITS, requests_per_minute: 600, max_queued: 10, max_stored_bytes: 1e9 };
const judge = createJudgeForeign(createJudgeModel(createPrices(null), null));
const MODELS = {
  'openai.chat': { provider: 'openai', model: 'gpt-4o-mini' },
  'openai.responses': { provider: 'openai', model: 'gpt-4o-mini' },
  'anthropic.messages': { provider: 'anthropic', model: 'claude-opus-4-8' },
} as const satisfies Record<ForeignFormat, object>;

type Of = { budget?: boolean; allowedModels?: readonly string[] | null };
const judged = (format: ForeignFormat, text: string, { budget = false, allowedModels = null }: Of = {}) =>
  judge(
    { format, bytes: Buffer.from(text), headers: {} },
    {
      account: { provider: MODELS[format].provider, credential: 'user' },
      caller: { limits: { ...limits, monthly_user_budget_usd: budget ? 100 : null }, allowedModels },
      names: BODY_NAMES,
    },
  );
const refused = (format: ForeignFormat, text: string, of: Of = {}): { code: string; param: string | null } => {
  try {
    const { refusal } = judged(format, text, of);
    return refusal ? { code: refusal.code, param: refusal.param } : { code: 'taken', param: null };
  } catch (error) {
    if (error instanceof RequestError) return { code: error.code, param: error.param };
    throw error;
  }
};
const sentOf = (format: ForeignFormat, text: string, of: Of = {}): string => {
  const { asked } = judged(format, text, of);
  return asked.format === 'neutral' ? '' : asked.body.toString();
};
const bodyOf = (format: ForeignFormat, more: object = {}): string =>
  JSON.stringify({ model: MODELS[format].model, ...more });

describe.each(FOREIGN_FORMATS)('%s', (format) => {
  test('what nothing here replaces or adds goes on byte for byte', () => {
    const text = ` { "seed":9007199254740993,"model" : "${MODELS[format].model}", "x":1.0e0,"\\u0061":[ ] }\n`;
    expect(sentOf(format, text)).toBe(text);
  });

  test.each([
    ['written with an escape', `{"mod\\u0065l":"other"}`, 'model_not_allowed', 'model'],
    ['that stands twice', `{"model":"a","model":"b"}`, 'invalid_body', 'model'],
    ['twice, once with an escape', `{"model":"a","mod\\u0065l":"b"}`, 'invalid_body', 'model'],
    ['in another case', `{"model":"a","Model":"b"}`, 'invalid_body', 'Model'],
    ['in letters that fold to it', `{"model":"a","ＭＯＤＥＬ":"b"}`, 'invalid_body', 'ＭＯＤＥＬ'],
    ['that is no text', `{"model":["a"]}`, 'invalid_body', 'model'],
    ['that is none', `{}`, 'invalid_body', 'model'],
    ['that is a key', `{"model":"sk-proj-abcdefghijklmnop1234"}`, 'invalid_body', 'model'],
    ['behind a byte-order mark', `\ufeff{"model":"a"}`, 'invalid_json', null],
    ['in a body that ends early', `{"model":"a"`, 'invalid_json', null],
    ['behind the end', `{"model":"a"}{"model":"b"}`, 'invalid_json', null],
    ['in a list', `[{"model":"a"}]`, 'invalid_body', null],
    ['200,000 levels deep', `{"model":"a","x":${'['.repeat(200_000)}`, 'invalid_json', null],
    [
      'among thousands of members',
      `{"model":"a",${Array.from({ length: 2_000 }, (_, n) => `"${n}":1`).join(',')}}`,
      'invalid_body',
      null,
    ],
    ['among a million values', `{"model":"a","x":[${'1,'.repeat(1_000_000)}1]}`, 'invalid_json', null],
  ])('a model %s does not pass a list of models', (_, text, code, param) => {
    expect(refused(format, text, { allowedModels: ['a'] })).toEqual({ code, param });
  });

  test('whether the answer is streamed is said in one way only', () => {
    for (const [value, streamed] of [
      ['true', true],
      ['false', false],
      ['null', false],
    ] as const)
      expect(judged(format, `{"model":"${MODELS[format].model}","stream":${value}}`).streamed).toBe(streamed);
    for (const value of ['1', '"true"', '"false"', '{}', '[]'])
      expect(refused(format, `{"model":"m","stream":${value}}`)).toEqual({ code: 'invalid_body', param: 'stream' });
    expect(refused(format, `{"model":"m","Stream":true}`).code).toBe('invalid_body');
  });

  test('what names the provider’s storage is refused unless it is null', () => {
    for (const name of WORDS[format].stored) {
      expect(refused(format, bodyOf(format, { [name]: 'x' }))).toEqual({
        code: 'unknown_previous_response',
        param: name,
      });
      expect(refused(format, bodyOf(format, { [name]: null })).code).toBe('taken');
    }
  });

  test('under a budget a limit is added where there is none, and one that is there stays', () => {
    const [limit = ''] = WORDS[format].limits;
    const with4096 = JSON.stringify({ model: MODELS[format].model, [limit]: 4096 });
    expect(sentOf(format, bodyOf(format), { budget: true })).toBe(with4096);
    for (const name of WORDS[format].limits) {
      const text = bodyOf(format, { [name]: 7 });
      expect(sentOf(format, text, { budget: true })).toBe(text);
    }
    expect(sentOf(format, bodyOf(format))).toBe(bodyOf(format));
  });

  test('under a budget every member that nobody knows, and every tool that the provider runs, is refused', () => {
    const of = { budget: true };
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (name) => {
        fc.pre(!refused(format, bodyOf(format, { [name]: 'x' })).code.startsWith('invalid'));
        const { bounded, limits: named, count, replaced } = WORDS[format];
        const known = [
          ...bounded,
          ...named,
          ...replaced,
          count,
          'model',
          'messages',
          'input',
          'tools',
          'cache_control',
        ];
        fc.pre(!known.some((each) => each === name));
        expect(refused(format, bodyOf(format, { [name]: 'x' }), of).code).toBe('budget_unbounded');
      }),
    );
    for (const type of ['web_search', 'web_search_20250305', 'mcp', 'code_interpreter', ['function'], 1, null, {}])
      expect(refused(format, bodyOf(format, { tools: [{ type }] }), of)).toEqual({
        code: type === null ? 'taken' : 'budget_unbounded',
        param: type === null ? null : 'tools[0]',
      });
    expect(refused(format, bodyOf(format, { tools: [{ name: 'f' }] }), of).code).toBe('taken');
    expect(refused(format, bodyOf(format, { service_tier: 'priority' }), of).code).toBe('budget_unbounded');
  });

  test.each([
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    { type: 'input_image', file_id: 'file-1' },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
    { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
    { type: 'file', file: { file_id: 'file-1' } },
    { type: 'text', text: 'x', new_member: 'x' },
    { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'image', source: {} }] },
    { type: 'of tomorrow' },
    { id: 'msg_at_the_provider' },
    { type: null, id: 'msg_at_the_provider' },
  ])('under a budget a part that is more than text is refused: %o', (part) => {
    for (const name of ['messages', 'input', 'system']) {
      const text = bodyOf(format, { [name]: [{ role: 'user', content: [{ type: 'text', text: 'x' }, part] }] });
      expect(refused(format, text, { budget: true }).code).toBe('budget_unbounded');
      expect(refused(format, text).code).toBe('taken');
    }
  });

  test('a name that stands twice in what is read is refused, however deep', () => {
    const text = `{"model":"m","tools":[{"type":"function","a":{"b":[{"type":"x","ty\\u0070e":"y"}]}}]}`;
    expect(refused(format, text, { budget: true })).toEqual({ code: 'invalid_body', param: 'tools' });
  });

  test('a reference to what lies at the provider is more than text, though it says no type', () => {
    for (const name of ['messages', 'input', 'system', 'instructions'])
      expect(refused(format, bodyOf(format, { [name]: [{ id: 'msg_1' }] }), { budget: true }).code).toBe(
        'budget_unbounded',
      );
  });

  test('under a budget a tool of which some parsers read another type is refused', () => {
    for (const name of ['Type', 'TYPE', 'tyPe', 'ｔｙｐｅ'])
      expect(
        refused(format, bodyOf(format, { tools: [{ type: 'custom', [name]: 'web_search' }] }), { budget: true }),
      ).toEqual({ code: 'budget_unbounded', param: 'tools[0]' });
  });

  test('under a budget a number of answers is refused if the format has none', () => {
    const { code } = refused(format, bodyOf(format, { n: 100 }), { budget: true });
    expect(code).toBe(WORDS[format].count === null ? 'budget_unbounded' : 'taken');
  });

  test('a budget reserves for what a parser leaves out: members that stand twice, and digits', () => {
    const inputOf = (json: string): number =>
      judged(format, `{"model":"${MODELS[format].model}","tool_choice":${json}}`, { budget: true }).cost
        ?.estimateNano ?? 0;
    const long = inputOf(JSON.stringify('x'.repeat(100_000)));
    expect(inputOf(`{"a":"${'x'.repeat(100_000)}","a":""}`)).toBeGreaterThan(long);
    expect(inputOf(`[${`1.${'0'.repeat(998)},`.repeat(100)}1]`)).toBeGreaterThan(long * 0.99);
  });

  test('a budget reserves for each byte of text, each answer and an hour in a cache', () => {
    const costOf = (more: object): number =>
      judged(format, bodyOf(format, more), { budget: true }).cost?.estimateNano ?? 0;
    const name = format === 'openai.responses' ? 'input' : 'messages';
    const said = (text: string) => ({ [name]: [{ role: 'user', content: text }] });
    expect(costOf(said('x'.repeat(10_000)))).toBeGreaterThan(costOf(said('x')));
    // One sign of 6 bytes as an escape, and of 33 in the longest of its forms.
    const escaped = bodyOf(format, said('\ufdfa'.repeat(100))).replaceAll('\ufdfa', '\\ufdfa');
    expect(judged(format, escaped, { budget: true }).cost).toEqual(
      judged(format, bodyOf(format, said('\ufdfa'.repeat(100))), { budget: true }).cost,
    );
    if (WORDS[format].count !== null) expect(costOf({ ...said('x'), n: 3 })).toBeGreaterThan(2 * costOf(said('x')));
    if (format === 'anthropic.messages') {
      const cached = (ttl: string) =>
        costOf({ ...said('x'.repeat(10_000)), cache_control: { type: 'ephemeral', ttl } });
      expect(cached('1h')).toBeGreaterThan(cached('5m'));
    }
  });
});

test('what a job does itself is taken out', () => {
  expect(sentOf('openai.responses', '{"background":true, "model":"m","input":"x"}')).toBe('{"model":"m","input":"x"}');
});
