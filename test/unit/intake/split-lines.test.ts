import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitLines } from '../../../api/intake/uploads/split-lines.ts';
import { cuts, splitAll, textsOf } from '../../support/network/chunks.ts';

const LIMIT = { limitBytes: 64, maxLines: Infinity };
const split = (text: string, sizes: readonly number[] = [1_000]) =>
  splitAll(splitLines(LIMIT), Buffer.from(text), sizes);

test('however the bytes are cut into chunks, the lines are the same, with their numbers', () => {
  const line = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
    fc.constantFrom('', ' ', '\t', '\r', '{"a":1}\r'),
    fc.string({ minLength: 60, maxLength: 70 }),
  );
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), cuts, (lines, endsInLineFeed, sizes) => {
      const texts = lines.map((text) => text.replaceAll('\n', ' '));
      const expected = texts.flatMap((text, index) => {
        if (/^[ \t\r]*$/.test(text)) return [];
        return [{ number: index + 1, text: Buffer.byteLength(text) > LIMIT.limitBytes ? null : text }];
      });
      const found = split(texts.join('\n') + (endsInLineFeed ? '\n' : ''), sizes);
      expect(found.map(({ number, bytes }) => ({ number, text: bytes?.toString() ?? null }))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

describe.each([['in one piece', 1_000] as const, ['byte by byte', 1] as const])('%s:', (_, size) => {
  test.each<[string, string, (string | null)[]]>([
    ['no line', '', []],
    ['only line feeds', '\n\n\r\n \n', []],
    ['no line feed at the end', 'a\nb', ['a', 'b']],
    ['lines of Windows', 'a\r\nb\r\n', ['a\r', 'b\r']],
    ['a NUL, which only JSON refuses', 'a\0b\n', ['a\0b']],
    ['a line of just the limit', `${'x'.repeat(64)}\n`, ['x'.repeat(64)]],
    ['a line of one byte more, and one after it', `${'x'.repeat(65)}\ny\n`, [null, 'y']],
    ['a line too long that never ends', 'x'.repeat(500), [null]],
  ])('%s', (_, text, lines) => {
    expect(textsOf(split(text, [size]))).toEqual(lines);
  });
});

test('blank lines count, so that a number is the line in the client’s file', () => {
  expect(split('\n\na\n\nb').map(({ number }) => number)).toEqual([3, 5]);
});

test('a line without an end takes no memory past the limit', () => {
  const splitter = splitLines(LIMIT);
  const chunk = Buffer.alloc(65_536, 0x78);
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1_000; count++) for (const _ of splitter.push(chunk)) expect.unreachable();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_048_576);
  expect(textsOf([...splitter.end()])).toEqual([null]);
});

test('blank lines count toward the max number of lines', () => {
  const splitter = (): ReturnType<typeof splitLines> => splitLines({ limitBytes: 64, maxLines: 3 });
  expect(textsOf(splitAll(splitter(), Buffer.from('a\n\nb\n'), [1_000]))).toEqual(['a', 'b']);
  for (const text of ['a\n\n\nb\n', '\n\n\n\n', 'a\nb\nc\nd']) {
    expect(() => splitAll(splitter(), Buffer.from(text), [1_000])).toThrow('at most 3 lines, blank ones included');
  }
});
