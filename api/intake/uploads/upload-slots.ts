import { RequestError } from '../../../shared/domain/errors.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';

/** Of one process. The ids of a million lines take 16 MiB while they come in; what else an upload holds is about 2 MiB. */
const SLOTS = 16;
const SLOTS_A_TENANT = 4;
const TRY_AGAIN_SECONDS = 5;

export type UploadSlots = {
  /** Takes a place among the uploads under way, and answers how to give it back; throws 429 or 503 where there is none. */
  take: (tenant: TenantId) => () => void;
};

export const createUploadSlots = (): UploadSlots => {
  const taken = new Map<TenantId, number>();
  let takenInAll = 0;
  return {
    take: (tenant) => {
      const ofTenant = taken.get(tenant) ?? 0;
      if (ofTenant >= SLOTS_A_TENANT) {
        throw new RequestError('rate_limited', {
          retryAfterSeconds: TRY_AGAIN_SECONDS,
          message: `This tenant uploads ${SLOTS_A_TENANT} batches here already; send this one when one of them is through.`,
        });
      }
      if (takenInAll >= SLOTS) {
        throw new RequestError('overloaded', {
          retryAfterSeconds: TRY_AGAIN_SECONDS,
          message: `${SLOTS} batches are being uploaded here already; send this one when one of them is through.`,
        });
      }
      taken.set(tenant, ofTenant + 1);
      takenInAll += 1;
      return () => {
        const left = (taken.get(tenant) ?? 0) - 1;
        if (left > 0) taken.set(tenant, left);
        else taken.delete(tenant);
        takenInAll -= 1;
      };
    },
  };
};
