/** Tenants and their platform keys as the admin interface shows and takes them. */
import { z } from 'zod';
import { type CredentialKind, modelName } from './completion.ts';
import type { PlatformKeyId, TenantId } from './ids.ts';

/** What a platform key may be allowed. Each route names the one that it needs. */
export const SCOPES = ['jobs:write', 'jobs:read', 'usage:read', 'webhooks:manage'] as const;
export type Scope = (typeof SCOPES)[number];

const MOST_MODELS = 100;
const LONGEST_KEY_YEARS = 10;

/** The largest value of each limit; the smallest is 1, and of a budget one cent. */
export const MOST = {
  requests_per_minute: 1_000_000,
  tokens_per_minute: 1_000_000_000,
  max_in_flight: 100_000,
  max_queued: 100_000_000,
  max_stored_bytes: 1_099_511_627_776,
  // In nano-dollars it is still exact as a Lua number.
  budget_usd: 1_000_000,
} as const;

const count = (most: number) => z.int().min(1).max(most).nullable();
const budget = z.number().min(0.01).max(MOST.budget_usd).nullable();

/** A tenant's own limits, where null is the default of the configuration; or those in force, where null is none. */
const limits = z.strictObject({
  requests_per_minute: count(MOST.requests_per_minute),
  tokens_per_minute: count(MOST.tokens_per_minute),
  max_in_flight: count(MOST.max_in_flight),
  max_queued: count(MOST.max_queued),
  max_stored_bytes: count(MOST.max_stored_bytes),
  monthly_budget_usd: budget,
  monthly_user_budget_usd: budget,
});
export type TenantLimits = z.infer<typeof limits>;

/** What the configuration says of a tenant without limits of its own; `max_stored_bytes` is null for a share of Redis' memory. */
export type DefaultLimits = TenantLimits & { requests_per_minute: number; max_queued: number };

/** What holds for a tenant. Requests, waiting jobs and stored bytes are always limited. */
export type LimitsInForce = DefaultLimits & { max_stored_bytes: number };

export const limitsInForce = (own: TenantLimits, defaults: LimitsInForce): LimitsInForce => ({
  requests_per_minute: own.requests_per_minute ?? defaults.requests_per_minute,
  tokens_per_minute: own.tokens_per_minute ?? defaults.tokens_per_minute,
  max_in_flight: own.max_in_flight ?? defaults.max_in_flight,
  max_queued: own.max_queued ?? defaults.max_queued,
  max_stored_bytes: own.max_stored_bytes ?? defaults.max_stored_bytes,
  monthly_budget_usd: own.monthly_budget_usd ?? defaults.monthly_budget_usd,
  monthly_user_budget_usd: own.monthly_user_budget_usd ?? defaults.monthly_user_budget_usd,
});

// A regular expression's text would be shown to the client in the place of a reason.
const displayName = z
  .string()
  .min(1)
  .max(100)
  .refine((text) => !/\p{C}/u.test(text) && text.trim() === text, 'must be plain text without blanks around it');

/** What an admin may change of a tenant; a field that is left out stays as it is. */
export const tenantChanges = z.strictObject({
  name: displayName.optional(),
  disabled: z.boolean().optional(),
  limits: limits.partial().optional(),
  allowed_models: z.array(modelName).min(1).max(MOST_MODELS).nullable().optional(),
  weight: z.int().min(1).max(1_000).optional(),
});

/** `keep_work` lets what the tenant has queued run on although it is disabled. */
export const tenantPatch = tenantChanges
  .extend({ keep_work: z.boolean().optional() })
  .refine(({ disabled, keep_work }) => keep_work !== true || disabled === true, {
    path: ['keep_work'],
    message: 'goes with "disabled": true only',
  });
export type TenantPatch = z.infer<typeof tenantPatch>;

export const newTenant = tenantChanges.extend({ name: displayName });
export type NewTenant = z.infer<typeof newTenant>;

/** Of the last 10 years, and not past: a key that never worked helps nobody. */
const expiry = z
  .string()
  .refine(
    (text) => z.iso.datetime({ offset: true }).safeParse(text).success,
    'must be a time such as 2026-01-31T12:00:00Z',
  )
  .transform((text) => Date.parse(text))
  .refine((ms) => ms > Date.now() + 1_000, 'must lie in the future')
  .refine(
    (ms) => ms < Date.now() + LONGEST_KEY_YEARS * 366 * 86_400_000,
    `must lie within ${LONGEST_KEY_YEARS} years; leave it out for a key that does not expire`,
  );

export const newKey = z.strictObject({
  name: displayName,
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).nullable().optional(),
  expires_at: expiry.nullable().optional(),
});
export type NewKey = z.infer<typeof newKey>;

const MOST_OVERLAP_SECONDS = 604_800;
const DEFAULT_OVERLAP_SECONDS = 86_400;

export const keyRotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(MOST_OVERLAP_SECONDS).default(DEFAULT_OVERLAP_SECONDS),
});

export type Tenant = {
  id: TenantId;
  object: 'tenant';
  name: string;
  disabled: boolean;
  limits: TenantLimits;
  /** Null: every model. */
  allowed_models: string[] | null;
  /** Its share of the workers' time, in proportion to that of others. */
  weight: number;
  created_at: string;
};

/** A platform key without its secret, which is stored nowhere. */
export type PlatformKey = {
  id: PlatformKeyId;
  object: 'platform_key';
  name: string;
  scopes: Scope[];
  created_at: string;
  expires_at: string | null;
  /** To the minute; null where it was never used. */
  last_used_at: string | null;
};

/** Why work is stopped. */
export const STOP_REASONS = ['key_revoked', 'tenant_disabled', 'tenant_deleted', 'tenant_erased', 'cancelled'] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** What becomes of a tenant's work and data when it is deleted. */
export type WorkAtDeletion = 'stopped' | 'kept' | 'erased';

/** How a tenant's work stands. */
export type TenantWork = {
  object: 'tenant_work';
  tenant: TenantId;
  waiting_jobs: number;
  /** Of batches. */
  waiting_lines: number;
  /** At the workers, or on their way. */
  in_flight: number;
  /** The last stop; null where there was none. `lines` are those of `batches`; `running` counts the jobs and lines whose call was to be aborted. */
  stop: {
    reason: StopReason;
    platform_key: string | null;
    began_at: string;
    /** When all had ended that was not running. */
    ended_at: string | null;
    jobs: number;
    batches: number;
    lines: number;
    running: number;
  } | null;
  /** Null where none was asked for. */
  erasure: { ended_at: string | null; jobs: number; batches: number; deliveries: number } | null;
};

export const LIMIT_NAMES = limits.keyof().options;

/** The budget that a job counts against, in nano-dollars; null where there is none. */
export const budgetNano = (limits: TenantLimits, credential: CredentialKind): number | null => {
  const usd = credential === 'user' ? limits.monthly_user_budget_usd : limits.monthly_budget_usd;
  return usd === null ? null : Math.round(usd * 1e9);
};
