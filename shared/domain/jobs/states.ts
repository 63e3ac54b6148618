/** The states of a job, and why one waits. */

/**
 * queued ──claim──> in_progress ──settle──> completed | failed | cancelled | expired
 *    ^ <──retry, park, hand back──┘                       (the last two also straight from queued)
 * A final state never changes.
 */
export const FINAL_STATUSES = ['completed', 'failed', 'cancelled', 'expired'] as const;
export const JOB_STATUSES = ['queued', 'in_progress', ...FINAL_STATUSES] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export const isFinal = (status: string): status is FinalStatus => FINAL_STATUSES.some((final) => final === status);

/** A value for each final state. */
export const perFinalStatus = <Value>(valueFor: (status: FinalStatus) => Value): Record<FinalStatus, Value> =>
  // A cast because fromEntries forgets the names.
  Object.fromEntries(FINAL_STATUSES.map((status) => [status, valueFor(status)])) as Record<FinalStatus, Value>;

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
