/** What tests ask of a job as clients see it. */
import type { Job } from '../../../shared/domain/jobs/schema.ts';

/** How its attempts ended, oldest first; null where one has not. */
export const outcomes = (job: Job): unknown[] => job.attempts.map(({ outcome }) => outcome);

/** What it was billed, in answers of the size of the one that was delivered. */
export const billedAnswers = ({ usage, billed_usage: billed }: Job): number =>
  (billed?.total_tokens ?? Number.NaN) / (usage?.total_tokens ?? Number.NaN);
