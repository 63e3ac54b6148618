/** The job: how its record in Redis becomes the object that clients see. */
import type { Provider } from '../../../providers/catalogue.ts';
import type { CredentialKind } from '../completion.ts';
import type { CompletionResult } from '../conversation/result.ts';
import { JOB_ERRORS, type JobErrorCode } from '../errors.ts';
import type { Format } from '../formats.ts';
import type { BatchId, JobId } from '../ids.ts';
import type { AttemptOutcome } from '../outcome.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { Attempt, Job, JobError, JobUsage, ListedJob, Warning } from './schema.ts';
import type { JobStatus, WaitReason } from './states.ts';

/** What one read of a job gives: its record, its place while it waits, and its result. */
export type JobView = {
  id: JobId;
  record: JobRecord;
  queue: { reason: WaitReason; position: number } | null;
  result: CompletionResult | null;
};

const NANO = 1e9;

/** The status that a record is in. */
export const statusOf = ({ record }: JobView): JobStatus => record.status as JobStatus; // Only the scripts write it.

/** How many attempts were opened so far. */
export const attemptsOf = ({ record }: JobView): number => Number(record.attempts ?? 0);

/** The object that clients see. */
export const toJob = (view: JobView): Job => {
  const { id, record } = view;
  const text = (field: keyof JobRecord): string => record[field] ?? '';
  const time = (field: keyof JobRecord): string | null => (record[field] ? isoTime(record[field]) : null);
  const attempts = listAttempts(record);
  const price = text('price_version');
  return {
    id,
    object: 'job',
    status: statusOf(view),
    // The casts in this function: the record holds what `submit` and `settle` were given, and those are typed.
    provider: text('provider') as Provider,
    model: text('model'),
    format: (record.format as Format | undefined) ?? 'neutral',
    credential: text('credential') as CredentialKind,
    created_at: isoTime(text('created')),
    started_at: time('started'),
    finished_at: time('finished'),
    deadline_at: isoTime(text('deadline')),
    retained_until: time('retained'),
    queue: view.queue && { position: view.queue.position, wait_reason: view.queue.reason },
    attempts: attempts.slice(-10),
    attempts_omitted: attemptsOf(view) - Math.min(attempts.length, 10),
    result: view.result,
    usage: deliveredUsage(record),
    billed_usage:
      record.billed_input || record.billed_output
        ? usageJson(
            record.billed_input,
            record.billed_output,
            record.billed_cached,
            record.unpriced ? null : (record.billed_nano ?? null),
            price,
          )
        : null,
    ...(record.estimate
      ? {
          budget: {
            month: record.reservation?.split('|')[0] ?? null,
            estimate_usd: Number(record.estimate) / NANO,
            missed_usd: Number(record.missed ?? 0) / NANO,
          },
        }
      : {}),
    sandbox: text('sandbox') === '1',
    error: errorJson(record),
    ...(record.warnings ? { warnings: JSON.parse(record.warnings) as Warning[] } : {}),
    metadata: record.metadata ? (JSON.parse(record.metadata) as Record<string, string>) : {},
    batch_id: (record.batch as BatchId | undefined) ?? null,
    urls: {
      self: `/v1/jobs/${id}`,
      cancel: `/v1/jobs/${id}/cancel`,
      ...(record.format !== undefined && statusOf(view) === 'completed' ? { answer: `/v1/jobs/${id}/answer` } : {}),
    },
  };
};

/** As lists have it. */
export const toListedJob = (view: JobView): ListedJob => {
  const { result: _, ...listed } = toJob(view);
  return listed;
};

/** What the attempt used that delivered the result; null where there is none. */
export const deliveredUsage = ({ used, price_version }: JobRecord): JobUsage | null => {
  if (!used) return null;
  const [input, output, cached, nano] = used.split('|');
  return usageJson(input, output, cached, nano || null, price_version ?? '');
};

export const isoTime = (ms: string): string => new Date(Number(ms)).toISOString();

const figure = (text: string | undefined): number | null => (text ? Number(text) : null);

const usageJson = (
  input: string | undefined,
  output: string | undefined,
  cached: string | undefined,
  nano: string | null,
  price: string,
): JobUsage => ({
  input_tokens: figure(input),
  output_tokens: figure(output),
  cached_input_tokens: figure(cached),
  total_tokens: input && output ? Number(input) + Number(output) : null,
  cost_usd: nano === null ? null : Number(nano) / NANO,
  price_version: price,
});

const listAttempts = (record: JobRecord): Attempt[] =>
  Object.entries(record)
    .filter(([field]) => field.startsWith('attempt:'))
    .map(([field, row]) => {
      const [started = '', finished, outcome, requestId] = (row ?? '').split('|');
      return {
        number: Number(field.slice('attempt:'.length)),
        started_at: isoTime(started),
        finished_at: finished ? isoTime(finished) : null,
        outcome: (outcome || null) as AttemptOutcome | null,
        provider_request_id: requestId || null,
      };
    })
    .sort((a, b) => a.number - b.number);

/** Why a job did not complete; null where it did, or is not final. */
export const errorJson = (record: JobRecord): JobError | null => {
  if (!record.error) return null;
  const code = record.error as JobErrorCode;
  const { message, retryable } = JOB_ERRORS[code];
  return {
    code,
    message: record.detail ? `${message} ${record.detail}` : message,
    retryable,
    provider_status: record.provider_status ? Number(record.provider_status) : null,
  };
};
