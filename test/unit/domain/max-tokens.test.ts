import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manifestOf } from '../../../providers/catalogue.ts';
import { estimateUsage } from '../../../shared/domain/prices/estimate.ts';
import { maxTokens } from '../../../shared/domain/prices/max-tokens.ts';

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

/** The bytes of a text in its longest normal form: what a tokenizer of bytes that normalises may see. */
const longest = (text: string): number =>
  Math.max(Buffer.byteLength(text), ...FORMS.map((form) => Buffer.byteLength(text.normalize(form))));

test.for([
  ['plain text', 10],
  ['ﷺ', 33],
  ['∰', 9],
  ['㍿', 12],
  ['ŉ', 3],
  ['é', 3],
  ['각', 9],
  ['😀', 4],
  ['a ﷺ b', 37],
] as const)('%s may be %i tokens', ([text, tokens]) => {
  expect(maxTokens(text)).toBe(tokens);
});

test('what protects money counts signs by what they become', () => {
  const inputTokens = (content: string) =>
    estimateUsage({ model: 'm', messages: [{ role: 'user', content }] }, manifestOf('openai')).max.inputTokens;
  expect(inputTokens('ﷺ'.repeat(1_000)) - inputTokens('')).toBe(33_000);
});

test('no code point is longer in any normal form, alone or between others', () => {
  const short: number[] = [];
  for (let codePoint = 0; codePoint <= 0x10_ff_ff; codePoint++) {
    const text = String.fromCodePoint(codePoint);
    if (maxTokens(text) < longest(text) || maxTokens(`a${text}\u0301`) < longest(`a${text}\u0301`))
      short.push(codePoint);
  }
  expect(short).toEqual([]);
});

const RANGES = [
  [0x20, 0x7e],
  [0xa0, 0x24f],
  [0x300, 0x36f],
  [0x900, 0xdff],
  [0x1100, 0x11ff],
  [0x1e00, 0x1fff],
  [0x3040, 0x33ff],
  [0xac00, 0xd7a3],
  [0xd800, 0xdfff],
  [0xf900, 0xffef],
  [0x11000, 0x119ff],
  [0x1d100, 0x1d7ff],
  [0x2f800, 0x2fa1f],
] as const;
const unit = fc.oneof(
  ...RANGES.map(([min, max]) => fc.integer({ min, max }).map((codePoint) => String.fromCodePoint(codePoint))),
);

test('no text is longer in any normal form: marks in any order, syllables, halves of pairs', () => {
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 16 }), (text) => {
      expect(maxTokens(text)).toBeGreaterThanOrEqual(longest(text));
    }),
    { numRuns: 10_000 },
  );
});
