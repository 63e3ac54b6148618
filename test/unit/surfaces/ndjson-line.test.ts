import { expect, test } from 'vitest';
import { ndjsonLine } from '../../../api/surfaces/native/batches/ndjson-line.ts';

/** Where Python's str.splitlines and others end a line. */
const BREAKS = ['\n', '\r', '\v', '\f', '\x1c', '\x1d', '\x1e', '\x85', '\u2028', '\u2029'];

test('a line breaks nowhere but at its end, whatever texts it holds', () => {
  const value = { custom_id: BREAKS.join('a'), result: { content: BREAKS.join('') } };
  const line = ndjsonLine(value);
  expect(BREAKS.map((each) => line.split(each).length - 1)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(line.endsWith('}\n')).toBe(true);
  expect(JSON.parse(line)).toEqual(value);
});
