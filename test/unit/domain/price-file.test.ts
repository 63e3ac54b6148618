import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPrices, type Price } from '../../../shared/domain/prices/pricing.ts';
import { ConfigError } from '../../../shared/domain/wording/config-error.ts';
import { loadConfig } from '../../../shared/process/config/config.ts';

let folder = '';
let path = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-prices-'));
  path = join(folder, 'prices.json');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (text: string | Buffer, file = path) => {
  writeFileSync(path, text);
  return loadConfig({ HOME: folder, DATA_DIR: folder, PRICE_FILE: file });
};
const file = (...usd_per_million_tokens: unknown[]): string => JSON.stringify({ usd_per_million_tokens });

const problemsOf = (text: string | Buffer, at = path): string[] => {
  try {
    load(text, at);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n  - ').slice(1);
  }
  throw new Error('the file was taken');
};

const USAGE = { inputTokens: 10_000, outputTokens: 2_000, cachedInputTokens: 4_000, cacheWriteTokens: 1_000 };
const own = (text: string, provider: 'openai' | 'bedrock', model: string): Price =>
  createPrices(load(text).priceFile).of(provider, model, USAGE);

describe('the operator’s price', () => {
  test.each([
    // 5 × 1 + 4 × 0.1 + 1 × 2 + 2 × 3
    ['has a part for each kind of token', { cached_input: 0.1, cache_write: 2 }, 13_400_000],
    // 10 × 1 + 2 × 3
    ['counts cached tokens as input where it does not say otherwise', {}, 16_000_000],
    // 5 × 1 + 1 × 1 + 2 × 3
    ['may be nothing at all', { cached_input: 0 }, 12_000_000],
  ])('%s', (_, parts, costNano) => {
    expect(own(file({ model: 'our-own', input: 1, output: 3, ...parts }), 'bedrock', 'our-own').costNano).toBe(
      costNano,
    );
  });

  test('comes before that of the list, and names the file by its SHA-256', () => {
    const text = file({ model: 'gpt-4o', input: 1, output: 1 });
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
    expect(own(text, 'openai', 'gpt-4o')).toEqual({ costNano: 12_000_000, priceVersion: `price-file-${hash}` });
    expect(own(text, 'openai', 'gpt-4o-2024-08-06').priceVersion).toMatch(/^genai-prices-/);
  });

  test('of one provider is not that of another, and comes before one for all', () => {
    const text = file(
      { model: 'shared', input: 1, output: 0 },
      { model: 'shared', provider: 'openai', input: 2, output: 0 },
      { model: 'only-there', provider: 'openai', input: 3, output: 0 },
    );
    expect(own(text, 'openai', 'shared').costNano).toBe(20_000_000);
    expect(own(text, 'bedrock', 'shared').costNano).toBe(10_000_000);
    expect(own(text, 'openai', 'only-there').costNano).toBe(30_000_000);
    expect(own(text, 'bedrock', 'only-there').costNano).toBeNull();
  });

  test('never leaves the numbers that are told apart, at the highest price and usage that are taken', () => {
    const { of } = createPrices(load(file({ model: 'dear', input: 1_000, output: 1_000 })).priceFile);
    const most = { inputTokens: 1e9, outputTokens: 1e9, cachedInputTokens: 0, cacheWriteTokens: 0 };
    expect(Number.isSafeInteger(of('openai', 'dear', most).costNano)).toBe(true);
  });
});

describe('a file is refused at boot, and told what is wrong:', () => {
  const entry = { model: 'a', input: 1, output: 1 };
  test.each<[string, string | Buffer, RegExp]>([
    ['empty', '', /must be JSON/],
    ['no JSON', '{usd: 1}', /must be JSON/],
    ['not UTF-8', Buffer.from('{"usd\xff":1}', 'latin1'), /must be JSON in UTF-8/],
    ['null', 'null', /expected object/],
    ['a list', '[]', /expected object/],
    ['no prices', '{}', /usd_per_million_tokens: .*expected array/],
    ['an empty list of prices', file(), /usd_per_million_tokens: /],
    ['prices by name', '{"usd_per_million_tokens":{"gpt-4o":{}}}', /usd_per_million_tokens: .*expected array/],
    ['an unknown field', '{"usd_per_million_tokens":[],"currency":"EUR"}', /"currency"/],
    ['an unknown field of a price', file({ ...entry, per_request: 1 }), /usd_per_million_tokens\[0\]: .*"per_request"/],
    ['no model', file({ input: 1, output: 1 }), /usd_per_million_tokens\[0\]\.model: /],
    ['no name of a model', file({ ...entry, model: 'a b' }), /usd_per_million_tokens\[0\]\.model: /],
    ['no output', file({ model: 'a', input: 1 }), /usd_per_million_tokens\[0\]\.output: /],
    ['another provider', file({ ...entry, provider: 'azure' }), /usd_per_million_tokens\[0\]\.provider: .*"openai"/],
    ['a negative price', file({ ...entry, input: -1 }), /usd_per_million_tokens\[0\]\.input: .*>=0/],
    ['a price past reason', file({ ...entry, input: 1_001 }), /usd_per_million_tokens\[0\]\.input: .*<=1000/],
    ['an infinite price', `{"usd_per_million_tokens":[{"model":"a","input":1e999,"output":1}]}`, /\[0\]\.input: /],
    ['a price in words', file({ ...entry, input: '1' }), /usd_per_million_tokens\[0\]\.input: .*expected number/],
    ['a model twice', file(entry, entry), /usd_per_million_tokens\[1\]: prices a model again/],
  ])('%s', (_, text, problem) => {
    const problems = problemsOf(text);
    expect(problems.join('\n')).toMatch(problem);
    for (const each of problems) expect(each.startsWith('PRICE_FILE: ')).toBe(true);
  });

  test.each([
    ['that is not there', 'missing.json', 'ENOENT'],
    ['that is a folder', '', 'EISDIR'],
  ])('one %s', (_, name, code) => {
    expect(problemsOf('', join(folder, name))).toEqual([`PRICE_FILE: the file cannot be read (${code}).`]);
  });

  test('with every mistake at once, and nothing of what stands in it', () => {
    const text = file({ model: 'sk-secret value', input: 'sk-secret', output: -1 }, { model: 'b', input: 1 });
    expect(problemsOf(text)).toHaveLength(4);
    expect(problemsOf(text).join()).not.toContain('sk-secret');
  });
});
