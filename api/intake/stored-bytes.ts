/** How much a tenant may store, and how one is told that a request does not fit. */
import { RequestError } from '../../shared/domain/errors.ts';
import type { DefaultLimits, LimitsInForce } from '../../shared/domain/tenants/limits.ts';

/** What a tenant may fill of Redis' memory; and what it may where that has no limit. */
const SHARE_OF_MEMORY = 0.25;
const WITHOUT_MAXMEMORY_BYTES = 1_073_741_824;
/** Bytes come free when a job ends, when a retention is over, or when the tenant deletes: rarely within seconds. */
const STORAGE_FULL_SECONDS = 30;

/** The limits of a tenant without limits of its own; `maxMemory` (null none) may be changed while the gateway runs. */
export const createDefaultLimits = (limits: DefaultLimits, maxMemory: () => number | null): (() => LimitsInForce) => {
  const given = limits.max_stored_bytes;
  if (given !== null) {
    const fixed = { ...limits, max_stored_bytes: given };
    return () => fixed;
  }
  let memory: number | null = null;
  let known = { ...limits, max_stored_bytes: WITHOUT_MAXMEMORY_BYTES };
  return () => {
    const now = maxMemory();
    if (now !== memory) {
      memory = now;
      const max_stored_bytes = now === null ? WITHOUT_MAXMEMORY_BYTES : Math.floor(now * SHARE_OF_MEMORY);
      known = { ...limits, max_stored_bytes };
    }
    return known;
  };
};

/** `stored`: bytes of the tenant besides those of the request; `own`: those of the request, as far as they are known. */
export const storageFull = (
  { max_stored_bytes }: Pick<LimitsInForce, 'max_stored_bytes'>,
  { stored, own }: { stored: number; own: number },
): RequestError =>
  own > max_stored_bytes
    ? new RequestError('body_too_large', {
        message: `This tenant may store ${max_stored_bytes} bytes, and this request alone needs more; send it in smaller parts.`,
      })
    : new RequestError('too_many_stored_bytes', {
        retryAfterSeconds: STORAGE_FULL_SECONDS,
        message: `This tenant may store ${max_stored_bytes} bytes, and ${stored} are stored; delete jobs and batches that it no longer needs, or try again when some have ended.`,
      });
