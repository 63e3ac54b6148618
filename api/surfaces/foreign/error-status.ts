/** What an error's status says to the providers' own SDKs, which try some of them again unasked. */
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';

/** They try every 409 again; a state that is wrong stays so. What is gone is not found, as far as they know. */
export const statusFor = (code: RequestErrorCode) => {
  const { status } = REQUEST_ERRORS[code];
  if (status === 409 && code !== 'idempotency_in_progress') return 400;
  return status === 410 ? 404 : status;
};

/** The SDKs wait no longer than this, and try again sooner if they are asked to wait longer. */
const LONGEST_WAIT_SECONDS = 60;

/** Passes without anybody's doing. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 503]);

/** The header `x-should-retry`, which the SDKs obey. An upgrade ends when its operator ends it. */
export const shouldRetry = (code: RequestErrorCode, retryAfterSeconds: number | null): boolean => {
  if (code === 'idempotency_in_progress') return true;
  const passes = PASSING.has(REQUEST_ERRORS[code].status) && code !== 'upgrade_unfinished';
  return passes && (retryAfterSeconds ?? 1) <= LONGEST_WAIT_SECONDS;
};
