/** What the API answers, as schemas: the document is generated from them, and the tests hold real answers against them. */
import { z } from 'zod';
import { PROVIDERS } from '../../../providers/catalogue.ts';
import { AUDIT_KINDS } from '../../../shared/domain/audit/audit-row.ts';
import { BATCH_STATUSES } from '../../../shared/domain/batch.ts';
import { completionResult } from '../../../shared/domain/conversation/result.ts';
import { JOB_ERRORS, REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { JOB_STATUSES, WAIT_REASONS } from '../../../shared/domain/job.ts';
import { ATTEMPT_OUTCOMES } from '../../../shared/domain/outcome.ts';
import { LIMIT_NAMES, SCOPES, STOP_REASONS } from '../../../shared/domain/tenant.ts';
import { BATCH_EVENTS, JOB_EVENTS } from '../../../shared/domain/webhook-event.ts';
import { DELIVERY_CODES, DELIVERY_REASONS, DELIVERY_STATUSES } from '../../../shared/domain/webhooks/delivery.ts';

const time = z.iso.datetime();
const count = z.int().min(0);
const usd = z.number().nullable().meta({ description: 'US dollars; null where no price is known.' });
const provider = z.enum(PROVIDERS);
const credential = z.enum(['platform', 'user']).meta({ description: 'Whose account it runs on.' });

/** The names of an object's keys as an enumeration's values. A cast because Object.keys forgets them. */
const namesOf = <T extends string>(table: Record<T, unknown>) => z.enum(Object.keys(table) as [T, ...T[]]);

/** A page of a list, newest first. */
const listOf = (item: z.ZodType) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: z.string().nullable().meta({ description: 'What `after` takes for the next page.' }),
  });

const figure = count.nullable();
const usage = z.object({
  input_tokens: figure.meta({
    description: 'Cached ones included. Like the other figures, null when the provider did not report it.',
  }),
  output_tokens: figure,
  cached_input_tokens: figure,
  total_tokens: figure,
  cost_usd: usd,
  price_version: z.string(),
});

const attempt = z.object({
  number: z.int().min(1),
  started_at: time,
  finished_at: time.nullable(),
  outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
  provider_request_id: z.string().nullable(),
});

const listedJob = z.object({
  id: z.string(),
  object: z.literal('job'),
  status: z.enum(JOB_STATUSES),
  provider,
  model: z.string(),
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
  usage: usage.nullable().meta({ description: 'Of the attempt that gave the result.' }),
  billed_usage: usage.nullable().meta({ description: 'The sum over all attempts that reported usage.' }),
  budget: z
    .object({ month: z.string().nullable(), estimate_usd: z.number(), missed_usd: z.number() })
    .optional()
    .meta({ description: 'Where a budget applies: the most that a call can cost, and by how much calls cost more.' }),
  sandbox: z.boolean(),
  error: z
    .object({
      code: namesOf(JOB_ERRORS),
      message: z.string(),
      retryable: z.boolean().meta({ description: 'Whether submitting the same job again may succeed.' }),
      provider_status: z.int().nullable(),
    })
    .nullable(),
  metadata: z.record(z.string(), z.string()),
  warnings: z
    .array(z.object({ param: z.string(), reason: z.string() }))
    .optional()
    .meta({ description: 'What was left out, if `on_unsupported` is `warn` and its provider does not take it.' }),
  batch_id: z.string().nullable(),
  urls: z.object({ self: z.string(), cancel: z.string() }),
});

const job = listedJob.extend({ result: completionResult.nullable().meta({ description: 'Once `completed`.' }) });

const lineError = z.object({
  line: z.int().min(1),
  code: namesOf<RequestErrorCode>(REQUEST_ERRORS),
  message: z.string(),
  param: z.string().nullable(),
});

const batch = z.object({
  id: z.string(),
  object: z.literal('batch'),
  status: z.enum(BATCH_STATUSES),
  provider,
  credential,
  request_counts: z
    .object({
      total: count,
      queued: count,
      in_progress: count,
      completed: count,
      failed: count,
      cancelled: count,
      expired: count,
    })
    .meta({ description: 'Of its lines, as they stand now.' }),
  usage: z
    .object({
      input_tokens: count.meta({ description: 'Cached ones included.' }),
      output_tokens: count,
      cached_input_tokens: count,
      total_tokens: count,
      cost_usd: usd,
      unpriced_requests: count,
    })
    .meta({ description: 'The sum over all attempts of all lines that reported usage.' }),
  errors: z.array(lineError).max(100).meta({ description: 'Of lines that `on_invalid=skip` left out, the first 100.' }),
  skipped: count.meta({ description: 'How many lines were left out.' }),
  created_at: time,
  in_progress_at: time,
  finished_at: time.nullable(),
  deadline_at: time.meta({ description: 'When unfinished lines become `expired`.' }),
  retained_until: time.nullable().meta({ description: 'When a final batch is forgotten.' }),
  sandbox: z.boolean(),
  metadata: z.record(z.string(), z.string()),
  parent_id: z.string().nullable().meta({ description: 'The batch whose lines this one repeats.' }),
  urls: z.object({ self: z.string(), results: z.string(), cancel: z.string(), retry: z.string() }),
});

const counters = z.object({
  requests: count.meta({ description: 'Jobs that became final.' }),
  completed: count,
  failed: count,
  cancelled: count,
  expired: count,
  input_tokens: count,
  output_tokens: count,
  cached_input_tokens: count,
  cost_usd: z.number(),
  unpriced_requests: count.meta({
    description: 'Jobs with a call of unknown cost: no price is known for it, or its usage was not reported.',
  }),
});

const dollars = z.number();
const threshold = z.literal([80, 100]).nullable().meta({
  description: '80: so many percent of the budget are used; 100: all of it, or a call did not fit into it any more.',
});

const limitsInForce = z.object({
  requests_per_minute: count,
  tokens_per_minute: count.nullable(),
  max_in_flight: count.nullable(),
  max_queued: count,
  max_stored_bytes: count,
  stored_bytes: count.meta({
    description:
      'Bytes of requests, results and metadata that are stored now, and 1,024 for each job, line, batch and delivery.',
  }),
  monthly_budget_usd: dollars.nullable(),
  budget_used_usd: dollars,
  budget_reserved_usd: dollars,
  budget_missed_usd: dollars.meta({ description: 'By how much calls cost more than their price and size allow.' }),
  budget_threshold_percent: threshold,
  monthly_user_budget_usd: dollars.nullable(),
  user_budget_used_usd: dollars,
  user_budget_reserved_usd: dollars,
  user_budget_missed_usd: dollars,
  user_budget_threshold_percent: threshold,
});

const usageReport = z.object({
  object: z.literal('usage'),
  tenant: z.string(),
  from: z.iso.date(),
  to: z.iso.date(),
  totals: counters,
  platform: counters.meta({ description: 'What the platform pays.' }),
  user: counters.meta({ description: 'What ran on users’ own keys: a notional cost.' }),
  limits: limitsInForce,
  data: z.array(
    counters.extend({
      day: z.iso.date().optional(),
      provider: provider.optional(),
      model: z.string().optional(),
      credential: credential.optional(),
    }),
  ),
});

const delivery = z.object({
  id: z.string().meta({ description: 'The `webhook-id` of every attempt.' }),
  object: z.literal('webhook_delivery'),
  type: z.enum([...JOB_EVENTS, ...BATCH_EVENTS, 'webhook.test']),
  job_id: z.string().nullable(),
  batch_id: z.string().nullable(),
  url: z.string(),
  status: z.enum(DELIVERY_STATUSES),
  reason: z.enum(DELIVERY_REASONS).nullable().meta({ description: 'Why it failed, where its attempts do not say it.' }),
  created_at: time.meta({ description: 'When the event happened.' }),
  finished_at: time.nullable(),
  next_attempt_at: time.nullable().meta({ description: 'While it waits for its next attempt.' }),
  attempts: z
    .array(
      z.object({
        number: z.int().min(1),
        started_at: time,
        duration_ms: count.nullable(),
        code: z.enum(DELIVERY_CODES).nullable().meta({ description: 'Null while it is under way.' }),
        status: z.int().nullable().meta({ description: 'Of the endpoint’s answer.' }),
      }),
    )
    .max(20)
    .meta({ description: 'The last 20.' }),
  attempts_omitted: count,
});

const tenant = z.object({
  id: z.string(),
  object: z.literal('tenant'),
  name: z.string(),
  disabled: z.boolean(),
  limits: z
    .record(z.enum(LIMIT_NAMES), z.number().nullable())
    .meta({ description: 'Null is the default of the configuration.' }),
  allowed_models: z.array(z.string()).nullable().meta({ description: 'Null: every model.' }),
  weight: z.int().min(1),
  created_at: time,
});

const platformKey = z.object({
  id: z.string(),
  object: z.literal('platform_key'),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: time,
  expires_at: time.nullable(),
  last_used_at: time.nullable().meta({ description: 'To the minute.' }),
});

const tenantWork = z.object({
  object: z.literal('tenant_work'),
  tenant: z.string(),
  waiting_jobs: count,
  waiting_lines: count.meta({ description: 'Of batches.' }),
  in_flight: count.meta({ description: 'At the workers, or on their way.' }),
  stop: z
    .object({
      reason: z.enum(STOP_REASONS),
      platform_key: z.string().nullable().meta({ description: 'Whose work alone is stopped.' }),
      began_at: time,
      ended_at: time.nullable().meta({ description: 'When all had ended that was not running.' }),
      jobs: count,
      batches: count,
      lines: count.meta({ description: 'Of these batches.' }),
      running: count.meta({ description: 'Jobs and lines whose call was to be aborted.' }),
    })
    .nullable()
    .meta({ description: 'The last one; null where there was none.' }),
  erasure: z
    .object({ ended_at: time.nullable(), jobs: count, batches: count, deliveries: count })
    .nullable()
    .meta({ description: 'Null where none was asked for.' }),
});

const auditRow = z.looseObject({
  id: z.string(),
  object: z.literal('audit_row'),
  time,
  kind: z.enum(AUDIT_KINDS),
  tenant: z.string(),
});

const countOfShard = count.nullable().meta({ description: 'Null if the shard does not answer.' });
const queue = z.object({
  queue: z.string(),
  shard: count,
  unfinished: countOfShard,
  handed_off: countOfShard,
  delayed: countOfShard,
  parked_lanes: countOfShard,
  worker_slots: countOfShard,
});

const error = z.object({
  error: z.object({
    type: z.enum([...new Set(Object.values(REQUEST_ERRORS).map(({ type }) => type))]),
    // A cast because Object.keys forgets the names.
    code: namesOf<RequestErrorCode>(REQUEST_ERRORS),
    message: z.string().meta({ description: 'What was wrong, what the limit is and what to do.' }),
    param: z.string().nullable().meta({ description: 'The header, query parameter or path in the body.' }),
    request_id: z.string(),
    job_id: z.string().optional().meta({ description: 'A job whose acceptance is uncertain: ask for it first.' }),
    batch_id: z.string().optional().meta({ description: 'A batch whose acceptance is uncertain: ask for it first.' }),
    errors: z
      .array(lineError)
      .max(100)
      .optional()
      .meta({ description: 'Of a batch that is refused: the first 100 of its lines that are wrong.' }),
  }),
});

/** Each under the name that it has in the document. */
export const ANSWERS = {
  Job: job,
  JobList: listOf(listedJob),
  Batch: batch,
  BatchList: listOf(batch),
  Usage: usageReport,
  WebhookDelivery: delivery,
  WebhookDeliveryList: listOf(delivery),
  Redelivered: z.object({ object: z.literal('redelivery'), count }),
  WebhookTest: z.object({
    object: z.literal('webhook_test'),
    id: z.string().meta({ description: 'Of the delivery.' }),
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: 'Of the endpoint’s answer.' }),
    code: z.enum(DELIVERY_CODES).nullable().meta({ description: 'Why it failed.' }),
    duration_ms: count.nullable(),
  }),
  WebhookSecret: z.object({
    secret: z.string(),
    created_at: time,
    previous: z
      .object({ secret: z.string(), expires_at: time })
      .nullable()
      .meta({ description: 'The one before, while it signs too.' }),
  }),
  Tenant: tenant,
  TenantList: listOf(tenant),
  TenantWork: tenantWork,
  PlatformKey: platformKey,
  PlatformKeyList: listOf(platformKey),
  IssuedPlatformKey: platformKey.extend({ secret: z.string().meta({ description: 'Shown this once.' }) }),
  AuditRowList: listOf(auditRow),
  QueueList: listOf(queue),
  Health: z.object({ status: z.enum(['ok', 'ready']), sandbox: z.boolean() }),
  Error: error,
} as const satisfies Record<string, z.ZodType>;

/** What webhooks are sent, each under the name that it has in the document. */
export const EVENTS = {
  JobEvent: z.object({
    type: z.enum(JOB_EVENTS),
    timestamp: time.meta({ description: 'When the job became final.' }),
    data: job.extend({
      result: job.shape.result.optional(),
      result_omitted: z
        .literal(true)
        .optional()
        .meta({ description: 'In the place of `result`, where the body would exceed 256 KiB.' }),
    }),
  }),
  BatchEvent: z.object({
    type: z.enum(BATCH_EVENTS),
    timestamp: time.meta({ description: 'When the batch became final.' }),
    data: batch,
  }),
} as const satisfies Record<string, z.ZodType>;
