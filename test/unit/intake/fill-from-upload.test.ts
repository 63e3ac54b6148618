import { expect, test } from 'vitest';
import { jsonForm } from '../../../api/intake/uploads/batch-form.ts';
import { fillFromUpload } from '../../../api/intake/uploads/fill-from-upload.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import { config, goodLine, limits, rules, uploadNdjson } from '../../support/uploads.ts';

test('what is in no line of the batch counts, and a short bad line as much as a short good one', async () => {
  const filled = uploadNdjson([`${goodLine('a')}\nx\n\n  \n${goodLine('b')}\n`, 'y'.repeat(1_000)]);
  const contents = await filled.fill(async () => {});
  expect(contents.skipped).toBe(2);
  // Line feeds, blanks, and the two lines that are left out.
  expect(filled.leftOutBytes()).toBe(1 + (1 + 1) + 1 + 3 + 1 + 1_000 + 2 * 64);
});

test('lines that are left out in the JSON form count as well', async () => {
  const form = jsonForm({ limits, config });
  async function* bytes() {
    yield Buffer.from(`{"requests":[${goodLine('a')},{"x":"${'y'.repeat(10_000)}"}],"on_invalid":"skip"}`);
  }
  const filled = fillFromUpload({ form, chunks: bytes(), rules, compared: false });
  expect((await filled.fill(async () => {})).skipped).toBe(1);
  expect(filled.leftOutBytes()).toBeGreaterThan(10_000);
});

test('a refusal holds no stack: it would cost more than what it refuses', () => {
  expect(new RequestError('invalid_body').stack).not.toMatch(/\n\s+at /);
  expect(new Error('another').stack).toMatch(/\n\s+at /);
});
