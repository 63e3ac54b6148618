/** A job as clients see it. */
import { z } from 'zod';
import { completionResult } from '../conversation/result.ts';
import { JOB_ERRORS } from '../errors.ts';
import { FORMATS } from '../formats.ts';
import { isBatchId, isJobId } from '../ids.ts';
import { ATTEMPT_OUTCOMES } from '../outcome.ts';
import { count, credential, NAMED, namesOf, provider, time, usd } from '../wire.ts';
import { JOB_STATUSES, WAIT_REASONS } from './states.ts';

const figure = count.nullable();

export const jobUsage = z.object({
  input_tokens: figure.meta({
    description: 'Cached ones included. Like the other figures, null when the provider did not report it.',
  }),
  output_tokens: figure,
  cached_input_tokens: figure,
  total_tokens: figure,
  cost_usd: usd,
  price_version: z.string(),
});
export type JobUsage = z.infer<typeof jobUsage>;

const attempt = z.object({
  number: z.int().min(1),
  started_at: time,
  finished_at: time.nullable(),
  outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
  provider_request_id: z.string().nullable(),
});
export type Attempt = z.infer<typeof attempt>;

export const jobError = z.object({
  code: namesOf(JOB_ERRORS),
  message: z.string(),
  retryable: z.boolean().meta({ description: 'Whether submitting the same job again may succeed.' }),
  provider_status: z.int().nullable(),
});
export type JobError = z.infer<typeof jobError>;

const warning = z.object({ param: z.string(), reason: z.string() });
/** What of a request was left out, because its provider does not take it. */
export type Warning = z.infer<typeof warning>;

/** As lists have it, without its result. */
export const listedJob = z.object({
  id: z.string().refine(isJobId),
  object: z.literal('job'),
  status: z.enum(JOB_STATUSES),
  provider,
  model: z.string(),
  format: z.enum(FORMATS).meta({ description: 'Whose words its request and answer are in.' }),
  credential,
  created_at: time,
  started_at: time.nullable(),
  finished_at: time.nullable(),
  deadline_at: time.meta({ description: 'When an unfinished job becomes `expired`.' }),
  retained_until: time.nullable().meta({ description: 'When a final job is forgotten.' }),
  queue: z
    .object({ position: z.int().min(1), wait_reason: z.enum(WAIT_REASONS) })
    .nullable()
    .meta({ description: 'While queued; the position is an upper bound within the job’s lane.' }),
  attempts: z.array(attempt).max(10).meta({ description: 'The last 10.' }),
  attempts_omitted: count,
  usage: jobUsage.nullable().meta({ description: 'Of the attempt that gave the result.' }),
  billed_usage: jobUsage.nullable().meta({ description: 'The sum over all attempts that reported usage.' }),
  budget: z
    .object({ month: z.string().nullable(), estimate_usd: z.number(), missed_usd: z.number() })
    .optional()
    .meta({ description: 'Where a budget applies: the most that a call can cost, and by how much calls cost more.' }),
  sandbox: z.boolean(),
  error: jobError.nullable(),
  metadata: z.record(z.string(), z.string()),
  warnings: z
    .array(warning)
    .optional()
    .meta({ description: 'What was left out, if `on_unsupported` is `warn` and its provider does not take it.' }),
  batch_id: z.string().refine(isBatchId).nullable(),
  urls: z.object({
    self: z.string(),
    cancel: z.string(),
    answer: z.string().optional().meta({ description: 'Of a completed job that is not `neutral`.' }),
  }),
});
export type ListedJob = z.infer<typeof listedJob>;

export const job = listedJob
  .extend({
    result: completionResult.nullable().meta({
      description: 'Once `completed`; null if the format is not `neutral`: then its answer is at `urls.answer`.',
    }),
  })
  .register(NAMED, { id: 'Job' });
export type Job = z.infer<typeof job>;
