/** The batch: how its record in Redis becomes the objects that clients see. */

import type { Provider } from '../../../providers/catalogue.ts';
import type { CredentialKind } from '../completion.ts';
import type { CompletionResult } from '../conversation/result.ts';
import type { LineError } from '../errors.ts';
import { type BatchId, type JobId, stemOf } from '../ids.ts';
import { deliveredUsage, errorJson, isoTime } from '../jobs/job.ts';
import { type FinalStatus, perFinalStatus } from '../jobs/states.ts';
import type { BatchRecord } from '../records/batch-record.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { UsageSums } from '../records/usage-counters.ts';
import { parseWebhook } from '../webhooks/webhook.ts';
import type { Batch, ResultLine } from './schema.ts';
import type { BatchStatus } from './states.ts';

/** A batch uses at most this many different models: each has a lane of its own. */
export const MODELS_A_BATCH = 64;

/** What one read of a batch gives. */
export type BatchView = { id: BatchId; record: BatchRecord; usage: UsageSums };

export const batchStatusOf = ({ record }: BatchView): BatchStatus => record.status as BatchStatus; // Only the scripts write it.

/** How many of its lines are final. */
export const finishedLines = ({ record }: BatchView): number =>
  Number(record.total ?? 0) - Number(record.unfinished ?? 0);

/** What was asked for with a batch, so that another can be given the same. */
export const optionsOfBatch = ({ record }: BatchView) => ({
  metadata: record.metadata ? (JSON.parse(record.metadata) as Record<string, string>) : {},
  webhook: record.webhook ? parseWebhook(record.webhook) : null,
  durationMs: Number(record.deadline) - Number(record.published),
});

/** The object that clients see. */
export const toBatch = (view: BatchView): Batch => {
  const { id, record, usage } = view;
  const text = (field: keyof BatchRecord): string => record[field] ?? '';
  const count = (field: keyof BatchRecord): number => Number(record[field] ?? 0);
  const time = (field: keyof BatchRecord): string | null => (record[field] ? isoTime(record[field]) : null);
  return {
    id,
    object: 'batch',
    status: batchStatusOf(view),
    // The casts in this function: the record holds what `begin` and `publish` were given, and those are typed.
    provider: text('provider') as Provider,
    credential: text('credential') as CredentialKind,
    request_counts: {
      total: count('total'),
      queued: count('unfinished') - count('in_progress'),
      in_progress: count('in_progress'),
      ...perFinalStatus(count),
    },
    usage: {
      input_tokens: usage.input_tokens,
      output_tokens: usage.output_tokens,
      cached_input_tokens: usage.cached_input_tokens,
      total_tokens: usage.input_tokens + usage.output_tokens,
      cost_usd: usage.cost_nano === 0 && usage.unpriced_requests > 0 ? null : usage.cost_nano / 1e9,
      unpriced_requests: usage.unpriced_requests,
    },
    errors: record.errors ? (JSON.parse(record.errors) as LineError[]) : [],
    skipped: count('skipped'),
    created_at: isoTime(text('published')),
    in_progress_at: isoTime(text('published')),
    finished_at: time('finished'),
    deadline_at: isoTime(text('deadline')),
    retained_until: time('retained'),
    sandbox: text('sandbox') === '1',
    metadata: optionsOfBatch(view).metadata,
    parent_id: (record.parent as BatchId | undefined) ?? null,
    urls: {
      self: `/v1/batches/${id}`,
      results: `/v1/batches/${id}/results`,
      cancel: `/v1/batches/${id}/cancel`,
      retry: `/v1/batches/${id}/retry`,
    },
  };
};

/** A place among a batch's outcomes: after so many entries, and so many lines of the next. */
export type Place = { index: number; offset: number };

export const START: Place = { index: 0, offset: 0 };

export type Outcome = {
  id: JobId;
  customId: string;
  status: FinalStatus;
  record: JobRecord;
  result: CompletionResult | null;
  next: Place;
};

export const toResultLine = (batch: BatchId, { id, customId, status, record, result, next }: Outcome): ResultLine => ({
  custom_id: customId,
  job_id: id,
  status,
  result,
  usage: deliveredUsage(record),
  error: errorJson(record),
  cursor: Buffer.from(`${stemOf(batch)}.${next.index}.${next.offset}`).toString('base64url'),
});

/** The place that a cursor of this batch stands for; null for any other text. */
export const parseCursor = (batch: BatchId, cursor: string): Place | null => {
  const [, stem, index, offset] =
    /^(\w{22})\.(\d{1,7})\.(\d{1,7})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  return stem === stemOf(batch) ? { index: Number(index), offset: Number(offset) } : null;
};
