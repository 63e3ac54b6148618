import { perIntakeLimit, perLimit } from '../../../shared/domain/tenants/limits.ts';

/** The stored limits of a tenant without limits of its own. */
export const NO_LIMITS = perLimit(() => null);

/** Of those that every tenant has, more than a test comes to. */
export const AMPLE_LIMITS = { ...NO_LIMITS, ...perIntakeLimit(() => 1_000_000_000) };
