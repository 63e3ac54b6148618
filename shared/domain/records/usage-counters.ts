/** What a tenant used. */

/** What a row counts. Costs are whole nano-dollars. Rows of the release before schema 2 have them in this order, so new ones come last. */
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

export type Counter = (typeof COUNTERS)[number];
export type UsageSums = Record<Counter, number>;
