import type { RequestStore } from '../../../shared/storage/tenants/request-store.ts';
import { tellRate } from '../../access/rate-headers.ts';
import type { ApiContext } from '../../http/context.ts';
import type { Admission } from '../../intake/admission.ts';
import { rateLimited } from '../../intake/rate-limited.ts';

/** Counts a call toward its tenant's requests a minute, as a submission counts; throws 429 where they are used up, and 503 while nothing new is taken. */
export type TakeRequest = (c: ApiContext) => Promise<void>;

export const createTakeRequest =
  (requests: RequestStore, admission: Pick<Admission, 'admit'>): TakeRequest =>
  async (c) => {
    admission.admit();
    const { tenant, limits } = c.get('caller');
    const answer = await requests.take(tenant, limits);
    tellRate(c, answer.rate);
    if (answer.kind === 'rate_limited') throw rateLimited(limits, answer.waitMs);
  };
