import { perLimit } from '../../../shared/domain/tenants/limits.ts';

/** The stored limits of a tenant without limits of its own. */
export const NO_LIMITS = perLimit(() => null);
