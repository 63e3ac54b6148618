/** The size and form of the documents. */
import { expect, test } from 'vitest';
import { DOCUMENTS, read, withoutCode } from '../../support/documents.ts';

test('the README has at most 250 lines', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(250);
});

test.each(DOCUMENTS)('%s wraps at 100 columns, but for tables, code and where links lead', (path) => {
  const long = withoutCode(read(path))
    .split('\n')
    .filter((line) => !line.startsWith('|') && /.{101}/u.test(line.replace(/\]\([^)]*\)/g, ']')));
  expect(long).toEqual([]);
});

test.each(DOCUMENTS)('%s has one title, and begins with it', (path) => {
  const text = withoutCode(read(path));
  expect(text).toMatch(/^# \S/);
  expect(text.match(/^# /gm)).toHaveLength(1);
});

test('the files of docs/ have at most 200 lines outside their tables', () => {
  const lengthOf = (path: string) =>
    read(path)
      .split('\n')
      .filter((line) => !line.startsWith('|')).length;
  expect(DOCUMENTS.filter((path) => path.startsWith('docs/') && lengthOf(path) > 200)).toEqual([]);
});
