/** The job: its states, and how its record in Redis becomes the object that clients see. */
import type { Provider } from '../../providers/catalogue.ts';
import type { CredentialKind } from './completion.ts';
import type { CompletionResult } from './conversation/result.ts';
import { JOB_ERRORS, type JobErrorCode } from './errors.ts';
import type { BatchId, JobId } from './ids.ts';
import type { AttemptOutcome } from './outcome.ts';
import type { JobRecord } from './records/job-record.ts';

/**
 * queued ──claim──> in_progress ──settle──> completed | failed | cancelled | expired
 *    ^ <──retry, park, hand back──┘                       (the last two also straight from queued)
 * A final state never changes.
 */
const FINAL_STATUSES = ['completed', 'failed', 'cancelled', 'expired'] as const;
export const JOB_STATUSES = ['queued', 'in_progress', ...FINAL_STATUSES] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export const isFinal = (status: string): status is FinalStatus => FINAL_STATUSES.some((final) => final === status);

export const WAIT_REASONS = [
  'starting',
  'tenant_share',
  'concurrency_limit',
  'token_limit',
  'provider_rate_limited',
  'retry_backoff',
  'worker_ability',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** What one read of a job gives: its record, its place while it waits, and its result. */
export type JobView = {
  id: JobId;
  record: JobRecord;
  queue: { reason: WaitReason; position: number } | null;
  result: CompletionResult | null;
};

/** A figure is null when the provider did not report it. */
export type UsageJson = {
  input_tokens: number | null;
  output_tokens: number | null;
  cached_input_tokens: number | null;
  total_tokens: number | null;
  cost_usd: number | null;
  price_version: string;
};

export type JobErrorJson = { code: JobErrorCode; message: string; retryable: boolean; provider_status: number | null };

/** What of the request was left out, because its provider does not take it. */
export type Warning = { param: string; reason: string };

type AttemptJson = {
  number: number;
  started_at: string;
  finished_at: string | null;
  outcome: AttemptOutcome | null;
  provider_request_id: string | null;
};

export type Job = {
  id: JobId;
  object: 'job';
  status: JobStatus;
  provider: Provider;
  model: string;
  credential: CredentialKind;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  deadline_at: string;
  retained_until: string | null;
  queue: { position: number; wait_reason: WaitReason } | null;
  attempts: AttemptJson[];
  attempts_omitted: number;
  result?: CompletionResult | null;
  usage: UsageJson | null;
  billed_usage: UsageJson | null;
  /** Only where a budget applied: what each call was estimated to cost, and by how much they cost more in all. */
  budget?: { month: string | null; estimate_usd: number; missed_usd: number };
  sandbox: boolean;
  error: JobErrorJson | null;
  metadata: Record<string, string>;
  /** Only if there are some. */
  warnings?: Warning[];
  /** Of the batch that it is a line of. */
  batch_id: BatchId | null;
  urls: { self: string; cancel: string };
};

const NANO = 1e9;

/** The status that a record is in. */
export const statusOf = ({ record }: JobView): JobStatus => record.status as JobStatus; // Only the scripts write it.

/** How many attempts were opened so far. */
export const attemptsOf = ({ record }: JobView): number => Number(record.attempts ?? 0);

/** The object that clients see; `withResult: false` leaves the result out, as lists do. */
export const toJob = (view: JobView, { withResult }: { withResult: boolean }): Job => {
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
    credential: text('credential') as CredentialKind,
    created_at: isoTime(text('created')),
    started_at: time('started'),
    finished_at: time('finished'),
    deadline_at: isoTime(text('deadline')),
    retained_until: time('retained'),
    queue: view.queue && { position: view.queue.position, wait_reason: view.queue.reason },
    attempts: attempts.slice(-10),
    attempts_omitted: attemptsOf(view) - Math.min(attempts.length, 10),
    ...(withResult ? { result: view.result } : {}),
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
    urls: { self: `/v1/jobs/${id}`, cancel: `/v1/jobs/${id}/cancel` },
  };
};

/** What the attempt used that delivered the result; null where there is none. */
export const deliveredUsage = ({ used, price_version }: JobRecord): UsageJson | null => {
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
): UsageJson => ({
  input_tokens: figure(input),
  output_tokens: figure(output),
  cached_input_tokens: figure(cached),
  total_tokens: input && output ? Number(input) + Number(output) : null,
  cost_usd: nano === null ? null : Number(nano) / NANO,
  price_version: price,
});

const listAttempts = (record: JobRecord): AttemptJson[] =>
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
export const errorJson = (record: JobRecord): JobErrorJson | null => {
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
