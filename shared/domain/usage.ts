/** What a tenant used. */

/** What a row counts, in the order in which `account.lua` writes it. Costs are whole nano-dollars. */
export const COUNTERS = [
  'requests',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'input_tokens',
  'output_tokens',
  'cached_input_tokens',
  'cost_nano',
  'unpriced_requests',
] as const;

export type UsageSums = Record<(typeof COUNTERS)[number], number>;
