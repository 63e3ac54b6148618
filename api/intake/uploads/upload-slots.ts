/** Places for the uploads of one process; whose client keeps it waiting gives way to others. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';
import type { UploadPace } from '../../http/body/upload-pace.ts';

/** Of one process. The ids of a million lines take 16 MiB while they come in; what else an upload holds is about 2 MiB. */
const SLOTS = 16;
const SLOTS_A_TENANT = 4;
/** So far behind the slowest rate an upload keeps its place although others want it: long enough for a connection that stalls. */
const LENIENCY_MS = 2_000;
const TRY_AGAIN_SECONDS = 5;

export type UploadSlots = {
  /**
   * Takes a place among the uploads under way, and answers how to give it back. Where there is none, an upload that is too slow gives way; throws 429 or 503 if
   * none is.
   */
  take: (tenant: TenantId, pace: Pick<UploadPace, 'behindMs' | 'giveWay'>) => () => void;
};

type Upload = { tenant: TenantId; pace: Pick<UploadPace, 'behindMs' | 'giveWay'> };

export const createUploadSlots = (): UploadSlots => {
  const underWay = new Set<Upload>();
  const ofTenant = (tenant: TenantId): Upload[] => [...underWay].filter((upload) => upload.tenant === tenant);

  /** Of the tenant that has the most places, the one that is furthest behind. */
  const slowest = (uploads: readonly Upload[]): Upload | undefined => {
    const places = (upload: Upload): number => ofTenant(upload.tenant).length;
    return uploads
      .filter(({ pace }) => pace.behindMs() >= LENIENCY_MS)
      .toSorted((a, b) => places(b) - places(a) || b.pace.behindMs() - a.pace.behindMs())[0];
  };
  const makeRoom = (uploads: readonly Upload[], limit: number, full: () => RequestError): void => {
    if (uploads.length < limit) return;
    const slow = slowest(uploads);
    if (slow === undefined) throw full();
    underWay.delete(slow);
    slow.pace.giveWay();
  };

  return {
    take: (tenant, pace) => {
      makeRoom(ofTenant(tenant), SLOTS_A_TENANT, tooManyOfTenant);
      makeRoom([...underWay], SLOTS, tooManyInAll);
      const upload = { tenant, pace };
      underWay.add(upload);
      return () => underWay.delete(upload);
    },
  };
};

const tooManyOfTenant = (): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: TRY_AGAIN_SECONDS,
    message: `This tenant uploads ${SLOTS_A_TENANT} batches here already; send this one when one of them is through.`,
  });

const tooManyInAll = (): RequestError =>
  new RequestError('overloaded', {
    retryAfterSeconds: TRY_AGAIN_SECONDS,
    message: `${SLOTS} batches are being uploaded here already; send this one when one of them is through.`,
  });
