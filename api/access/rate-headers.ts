import type { RateState } from '../../shared/storage/jobs/accept-job.ts';
import type { ApiContext } from '../http/context.ts';

/** How much of its requests a tenant has left, on every answer that the limit was asked for (IETF draft-ietf-httpapi-ratelimit-headers). */
export const tellRate = (c: ApiContext, { remaining, resetMs }: RateState): void => {
  c.header('RateLimit-Policy', `"requests";q=${c.get('caller').limits.requests_per_minute};w=60`);
  c.header('RateLimit', `"requests";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`);
};
