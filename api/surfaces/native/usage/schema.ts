/** What a tenant used, as it sees it. */
import { z } from 'zod';
import { isTenantId } from '../../../../shared/domain/ids.ts';
import { perFinalStatus } from '../../../../shared/domain/jobs/states.ts';
import type { Counter } from '../../../../shared/domain/records/usage-counters.ts';
import { LIMITS, type LimitName, type LimitsInForce, perLimit } from '../../../../shared/domain/tenants/limits.ts';
import { count, credential, NAMED, provider } from '../../../../shared/domain/wire.ts';

type Column = Exclude<Counter, 'cost_nano'> | 'cost_usd';

const counters = z.object({
  requests: count.meta({ description: 'Jobs that became final.' }),
  ...perFinalStatus(() => count),
  input_tokens: count,
  output_tokens: count,
  cached_input_tokens: count,
  cost_usd: z.number(),
  unpriced_requests: count.meta({
    description: 'Jobs with a call of unknown cost: no price is known for it, or its usage was not reported.',
  }),
} satisfies Record<Column, z.ZodType>);
export type Counters = z.infer<typeof counters>;

const dollars = z.number();
const threshold = z.literal([80, 100]).nullable().meta({
  description: '80: so many percent of the budget are used; 100: all of it, or a call did not fit into it any more.',
});

/** Each limit in force; null where there is none. */
const limits = perLimit((name) => {
  const { unit, otherwise } = LIMITS[name];
  const limit = unit === 'usd' ? dollars : count;
  return otherwise === null ? limit.nullable() : limit;
  // A cast because what the rows say is lost to the types.
}) as { [Name in LimitName]: z.ZodType<LimitsInForce[Name]> };

const limitsReport = z.object({
  ...limits,
  stored_bytes: count.meta({
    description:
      'Bytes of requests, results and metadata that are stored now, and 1,024 for each job, line, batch and delivery.',
  }),
  budget_used_usd: dollars,
  budget_reserved_usd: dollars,
  budget_missed_usd: dollars.meta({ description: 'By how much calls cost more than their price and size allow.' }),
  budget_threshold_percent: threshold,
  user_budget_used_usd: dollars,
  user_budget_reserved_usd: dollars,
  user_budget_missed_usd: dollars,
  user_budget_threshold_percent: threshold,
});
export type LimitsReport = z.infer<typeof limitsReport>;

const row = counters.extend({
  day: z.iso.date().optional(),
  provider: provider.optional(),
  model: z.string().optional(),
  credential: credential.optional(),
});
export type UsageRow = z.infer<typeof row>;

export const usage = z
  .object({
    object: z.literal('usage'),
    tenant: z.string().refine(isTenantId),
    from: z.iso.date(),
    to: z.iso.date(),
    totals: counters,
    platform: counters.meta({ description: 'What the platform pays.' }),
    user: counters.meta({ description: 'What ran on users’ own keys: a notional cost.' }),
    limits: limitsReport,
    data: z.array(row),
  })
  .register(NAMED, { id: 'Usage' });
export type Usage = z.infer<typeof usage>;
