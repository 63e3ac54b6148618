import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAsWritten, noteChanges, objectAsWritten } from '../../../shared/domain/json/as-written.ts';

const isKept = (text: string): boolean => {
  const parsed: unknown = JSON.parse(text);
  noteChanges(text, parsed);
  return typeof parsed !== 'object' || parsed === null || isAsWritten(parsed);
};

test.each([
  '{}',
  '[]',
  ' { "a" : [ 1 , -2.50e3 , true , null , "\\"2\\": 9007199254740993" ] } ',
  '{"1":{},"2":{},"10":{},"a":{},"-1":{},"01":{},"4294967295":{}}',
  '9007199254740992',
  '1e21',
  '0.1',
  '-0',
  '5e-324',
  '12345678901234567000',
  '{"\\u0031":1,"2":2}',
])('%s is kept', (text) => {
  expect(isKept(`[${text}]`)).toBe(true);
});

test.each([
  '9007199254740993',
  '0.10000000000000000001',
  '1e400',
  '1e-400',
  '{"2":1,"1":1}',
  '{"a":1,"1":1}',
  '{"a":1,"\\u0061":1}',
  '{"a":{"b":[[{"a":1,"0":1}]]}}',
  '[[],{"a":"]","0":{}}]',
])('%s is changed, and so is all that holds it', (text) => {
  expect(isKept(`{"z":[${text}]}`)).toBe(false);
  expect(objectAsWritten(`{"z":[${text}]}`)).toBe('changed');
});

test('what stands beside a change is as written', () => {
  const text = '{"a":{"b":1},"c":{"2":1,"1":1}}';
  const parsed = JSON.parse(text) as { a: object; c: object };
  noteChanges(text, parsed);
  expect([isAsWritten(parsed.a), isAsWritten(parsed.c), isAsWritten(parsed)]).toEqual([true, false, false]);
});

test.each(['', '[]', 'null', '1', '"a"', '{', '{a:1}', '{} {}'])('%s is no object', (text) => {
  expect(objectAsWritten(text)).toBeNull();
});

test('whatever is written: it is kept if and only if it can be written again the same, but for blanks and spellings', () => {
  // What JavaScript wrote is what it keeps, with any blanks between.
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(undefined, 1, '\t'), (text, space) => {
      expect(isKept(JSON.stringify([JSON.parse(text)], null, space))).toBe(true);
    }),
  );
  // Members in an order of their own.
  const name = fc.oneof(fc.nat(30).map(String), fc.constantFrom('a', 'b', '\\u0061', '__proto__'));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 6 }), (names) => {
      const text = `{${names.map((each) => `"${each}":{}`).join(',')}}`;
      const read = names.map((each) => JSON.parse(`"${each}"`) as string);
      const again = Object.keys(JSON.parse(text) as object);
      expect(isKept(text)).toBe(JSON.stringify(read) === JSON.stringify(again));
    }),
  );
  // Numbers of any length.
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (number) => {
      expect(isKept(`[${number}]`)).toBe(BigInt(Number(number)) === number && String(Number(number)).length < 22);
    }),
  );
});

test('a long text is read once', () => {
  const text = `[${'{"a":[1,2,"\\\\\\""],"1e":1.5},'.repeat(200_000)}0]`;
  const parsed: unknown = JSON.parse(text);
  const startedMs = performance.now();
  noteChanges(text, parsed);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(isAsWritten(parsed as object[])).toBe(true);
});
