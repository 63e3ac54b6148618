/** The text that a budget counts: never less than what a provider can read. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainJson } from '../../../shared/domain/json/plain-json.ts';

const plain = (text: string): string => plainJson(Buffer.from(text));

test('it is what is built and written again, for what a parser keeps whole', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), fc.boolean(), (json, isEscaped) => {
      const value = JSON.parse(json) as unknown;
      const spaced = JSON.stringify(value, null, 2);
      const written = isEscaped
        ? spaced.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        : spaced;
      expect(plain(written)).toBe(JSON.stringify(value));
    }),
    { numRuns: 500 },
  );
});

test('escapes that are needless are gone, and those that are not stay', () => {
  expect(plain('[ "\\u0041\\/\\n\\u0000\\u0022\\\\" , 1.0e0 ]\n')).toBe('["A/\\n\\u0000\\u0022\\\\",1.0e0]');
});

test('half of a pair is a sign of its own, and a pair is one', () => {
  expect(plain('"\\ud800\\udc00\\ud800x\\udc00"')).toBe('"\u{10000}\ufffdx\ufffd"');
});

test('digits and members that a parser leaves out stay', () => {
  expect(plain('{"a":1.000, "a" :0}')).toBe('{"a":1.000,"a":0}');
});
