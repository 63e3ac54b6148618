import { RequestError } from '../../shared/domain/errors.ts';
import type { LimitsInForce } from '../../shared/domain/tenants/limits.ts';

export const rateLimited = (
  { requests_per_minute }: Pick<LimitsInForce, 'requests_per_minute'>,
  waitMs: number,
): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: Math.ceil(waitMs / 1_000),
    message: `This tenant may send ${requests_per_minute} requests a minute; try again after the time in Retry-After.`,
  });
