/** What the API answers, as schemas: the document is generated from them, and the tests hold real answers against them. */
import { z } from 'zod';
import { auditRow } from '../../../shared/domain/audit/audit-row.ts';
import { batch } from '../../../shared/domain/batches/schema.ts';
import { batchEvent, jobEvent } from '../../../shared/domain/events/schema.ts';
import { job, listedJob } from '../../../shared/domain/jobs/schema.ts';
import { refusal } from '../../../shared/domain/refusal.ts';
import { issuedPlatformKey, platformKey, tenant, tenantWork } from '../../../shared/domain/tenants/schema.ts';
import { DELIVERY_CODES } from '../../../shared/domain/webhooks/delivery-states.ts';
import { delivery } from '../../../shared/domain/webhooks/schema.ts';
import { count, credential, provider, time } from '../../../shared/domain/wire.ts';

/** A page of a list, newest first. */
const listOf = (item: z.ZodType) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: z.string().nullable().meta({ description: 'What `after` takes for the next page.' }),
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
  IssuedPlatformKey: issuedPlatformKey,
  AuditRowList: listOf(auditRow),
  QueueList: listOf(queue),
  Health: z.object({ status: z.enum(['ok', 'ready']), sandbox: z.boolean() }),
  Error: refusal,
} as const satisfies Record<string, z.ZodType>;

/** What webhooks are sent, each under the name that it has in the document. */
export const EVENTS = { JobEvent: jobEvent, BatchEvent: batchEvent } as const satisfies Record<string, z.ZodType>;
