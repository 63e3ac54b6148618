/** How a tenant is told of its limit of requests. */
import { RequestError } from '../../shared/domain/errors.ts';
import type { LimitsInForce } from '../../shared/domain/tenant.ts';
import type { RateState } from '../../shared/storage/jobs/job-store.ts';
import type { ApiContext } from '../http/context.ts';

/** How much of its requests a tenant has left, on every answer that the limit was asked for (IETF draft-ietf-httpapi-ratelimit-headers). */
export const tellRate = (c: ApiContext, { remaining, resetMs }: RateState): void => {
  c.header('RateLimit-Policy', `"requests";q=${c.get('caller').limits.requests_per_minute};w=60`);
  c.header('RateLimit', `"requests";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`);
};

export const rateLimited = (
  { requests_per_minute }: Pick<LimitsInForce, 'requests_per_minute'>,
  waitMs: number,
): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: Math.ceil(waitMs / 1_000),
    message: `This tenant may send ${requests_per_minute} requests a minute; try again after the time in Retry-After.`,
  });
