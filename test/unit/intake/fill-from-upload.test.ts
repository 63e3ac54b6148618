import { expect, test } from 'vitest';
import { jsonForm, ndjsonForm } from '../../../api/intake/uploads/batch-form.ts';
import type { LineRules } from '../../../api/intake/uploads/check-line.ts';
import { fillFromUpload } from '../../../api/intake/uploads/fill-from-upload.ts';
import { RequestError } from '../../../shared/domain/errors.ts';

const limits = { limitBytes: 4 * 1_048_576, maxLines: 10_000_000 };
const config = { production: false, webhooks: { allowPrivate: false, retryScheduleMs: [] } };
const rules: LineRules = {
  defaultModel: 'house',
  limitBytes: limits.limitBytes,
  defaultTimeoutMs: 5_000,
  estimate: (request) => ({ request, tokens: 9, cost: null, refusal: null }),
};
const good = (id: string): string => `{"custom_id":"${id}","body":{"messages":[{"role":"user","content":"a"}]}}`;

const upload = (chunks: readonly string[], compared = false) => {
  const form = ndjsonForm({ deadline_seconds: 60, on_invalid: 'skip' }, { limits, config });
  async function* bytes() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  return fillFromUpload({ form, chunks: bytes(), rules, compared });
};

test('what is in no line of the batch counts, and a short bad line as much as a short good one', async () => {
  const filled = upload([`${good('a')}\nx\n\n  \n${good('b')}\n`, 'y'.repeat(1_000)]);
  const contents = await filled.fill(async () => {});
  expect(contents.skipped).toBe(2);
  // Line feeds, blanks, and the two lines that are left out.
  expect(filled.leftOutBytes()).toBe(1 + (1 + 1) + 1 + 3 + 1 + 1_000 + 2 * 64);
});

test('lines that are left out in the JSON form count as well', async () => {
  const form = jsonForm({ limits, config });
  async function* bytes() {
    yield Buffer.from(`{"requests":[${good('a')},{"x":"${'y'.repeat(10_000)}"}],"on_invalid":"skip"}`);
  }
  const filled = fillFromUpload({ form, chunks: bytes(), rules, compared: false });
  expect((await filled.fill(async () => {})).skipped).toBe(1);
  expect(filled.leftOutBytes()).toBeGreaterThan(10_000);
});

test('a refusal holds no stack: it would cost more than what it refuses', () => {
  expect(new RequestError('invalid_body').stack).not.toMatch(/\n\s+at /);
  expect(new Error('another').stack).toMatch(/\n\s+at /);
});
