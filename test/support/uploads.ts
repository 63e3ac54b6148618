/** Uploads of a batch as `fillFromUpload` reads them, without a server. */
import { ndjsonForm } from '../../api/intake/uploads/batch-form.ts';
import type { LineRules } from '../../api/intake/uploads/check-line.ts';
import { fillFromUpload } from '../../api/intake/uploads/fill-from-upload.ts';

export const limits = { limitBytes: 4 * 1_048_576, maxLines: 10_000_000 };
export const config = { production: false, webhooks: { allowPrivate: false, retryScheduleMs: [] } };
export const rules: LineRules = {
  defaultModel: 'house',
  limitBytes: limits.limitBytes,
  defaultTimeoutMs: 5_000,
  estimate: (request) => ({ request, tokens: 9, cost: null, refusal: null }),
};
/** A good line of this id. */
export const goodLine = (id: string): string =>
  `{"custom_id":"${id}","body":{"messages":[{"role":"user","content":"a"}]}}`;

/** In NDJSON, with lines that are no good left out. */
export const uploadNdjson = (chunks: readonly string[], compared = false) => {
  const form = ndjsonForm({ deadline_seconds: 60, on_invalid: 'skip' }, { limits, config });
  async function* bytes() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  return fillFromUpload({ form, chunks: bytes(), rules, compared });
};
