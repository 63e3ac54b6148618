/** What an error's status says to the providers' own SDKs, which try some of them again unasked. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Failure } from '../../http/error-form.ts';

/** They try every 409 again; a state that is wrong stays so. What is gone is not found, as far as they know. */
export const statusFor = ({ code, status }: Pick<Failure, 'code' | 'status'>): ContentfulStatusCode => {
  if (status === 409 && code !== 'idempotency_in_progress') return 400;
  // A cast because the type lists registered statuses only.
  return (status === 410 ? 404 : status) as ContentfulStatusCode;
};

/** The SDKs wait no longer than this, and try again sooner if they are asked to wait longer. */
const LONGEST_WAIT_SECONDS = 60;

/** Passes without anybody's doing. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 503]);

/** The same request again finds what the one before began. */
const BEGUN: ReadonlySet<string> = new Set(['idempotency_in_progress', 'still_running']);

/** The header `x-should-retry`, which the SDKs obey. An upgrade ends when its operator ends it; a job that failed was tried again already, and another one costs again. */
export const shouldRetry = ({ of, code, status }: Failure, retryAfterSeconds: number | null): boolean => {
  if (of === 'job') return false;
  if (BEGUN.has(code)) return true;
  const passes = PASSING.has(status) && code !== 'upgrade_unfinished';
  return passes && (retryAfterSeconds ?? 1) <= LONGEST_WAIT_SECONDS;
};
