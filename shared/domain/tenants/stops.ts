/** Why and how the operator stops work. */

/** Why work is stopped. */
export const STOP_REASONS = ['key_revoked', 'tenant_disabled', 'tenant_deleted', 'tenant_erased', 'cancelled'] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** What becomes of a tenant's work and data when it is deleted. */
export type WorkAtDeletion = 'stopped' | 'kept' | 'erased';
