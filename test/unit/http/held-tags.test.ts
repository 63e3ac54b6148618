import { expect, test } from 'vitest';
import { heldTags, isHeldTag } from '../../../api/http/headers/held-tags.ts';

const TAG = 'job_0123.in_progress.00000001';
const SUFFIXES = [
  '',
  '-gzip',
  '--gzip',
  ';gzip',
  '_gzip',
  '.gz',
  '1gzip',
  ':br',
  '+zstd',
  '/deflate',
  'gzip',
  '1',
  ' x',
];
const FORMS = [
  (tag: string) => `W/"${tag}"`,
  (tag: string) => `"${tag}"`,
  (tag: string) => tag,
  (tag: string) => `w/\\"${tag}\\"`,
  (tag: string) => `"other", W/"${tag}"`,
];

test.for(SUFFIXES)('a tag is known with “%s” behind it, inside its quotes or behind them', (suffix) => {
  for (const form of FORMS) {
    for (const header of [form(TAG + suffix), form(TAG) + suffix]) {
      expect([header, heldTags(header).some((held) => isHeldTag(held, TAG))]).toEqual([header, true]);
    }
  }
});

test('another tag is another one', () => {
  for (const other of [
    'job_0123.in_progress.00000002',
    'job_0123.queued.00000001',
    'job_0123.in_progress.0000000',
    '',
  ]) {
    expect(heldTags(`W/"${other}"`).some((held) => isHeldTag(held, TAG))).toBe(false);
  }
});
