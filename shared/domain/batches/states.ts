/** The states of a batch. */

/**
 * published ──> in_progress ──last line ends──> completed | failed (each line failed)
 *                    │ └──deadline──> finalizing ──last call ends──> expired
 *                    └──cancel──> cancelling ──last call ends──> cancelled
 * A batch is published only when all of it is valid, so nobody ever sees one that is `validating`.
 */
export const BATCH_STATUSES = [
  'validating',
  'in_progress',
  'finalizing',
  'completed',
  'failed',
  'cancelling',
  'cancelled',
  'expired',
] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

const FINAL = ['completed', 'failed', 'cancelled', 'expired'] as const satisfies readonly BatchStatus[];

export const isFinalBatch = (status: string): boolean => FINAL.some((final) => final === status);
