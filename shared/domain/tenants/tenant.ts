/** Tenants and their platform keys as the admin interface shows and takes them. */
import { z } from 'zod';
import { type CredentialKind, modelName } from '../completion.ts';
import type { PlatformKeyId, TenantId } from '../ids.ts';

/** What a platform key may be allowed. Each route names the one that it needs. */
export const SCOPES = ['jobs:write', 'jobs:read', 'usage:read', 'webhooks:manage'] as const;
export type Scope = (typeof SCOPES)[number];

const MOST_MODELS = 100;
const LONGEST_KEY_YEARS = 10;

type LimitRow = {
  /** The variable that sets it for tenants without one of their own; null: there is none. */
  variable: string | null;
  unit: 'count' | 'usd';
  /** Of the variable; a tenant's own may be as small as 1, or one cent. */
  min: number;
  max: number;
  /** If the variable is not set; null: no limit, or for stored bytes a share of Redis' memory. */
  otherwise: number | null;
  /** The field of the tenant's shard in which the scheduler finds it; null if it is judged before a job is accepted. */
  scheduled: 'max_in_flight' | 'tokens_per_minute' | 'budget:platform' | 'budget:user' | null;
};

/** In nano-dollars it is still exact as a Lua number. */
const MAX_BUDGET_USD = 1_000_000;

/** The limits of a tenant, one row each: configuration, admin calls, reports and commands follow from it. */
export const LIMITS = {
  requests_per_minute: {
    variable: 'RATE_LIMIT_RPM',
    unit: 'count',
    min: 1,
    max: 1_000_000,
    otherwise: 600,
    scheduled: null,
  },
  tokens_per_minute: {
    variable: 'RATE_LIMIT_TPM',
    unit: 'count',
    min: 1,
    max: 1_000_000_000,
    otherwise: null,
    scheduled: 'tokens_per_minute',
  },
  max_in_flight: {
    variable: 'MAX_IN_FLIGHT',
    unit: 'count',
    min: 1,
    max: 100_000,
    otherwise: null,
    scheduled: 'max_in_flight',
  },
  max_queued: { variable: 'MAX_QUEUED', unit: 'count', min: 1, max: 100_000_000, otherwise: 10_000, scheduled: null },
  max_stored_bytes: {
    variable: 'MAX_STORED_BYTES',
    unit: 'count',
    min: 1_048_576,
    max: 1_099_511_627_776,
    otherwise: null,
    scheduled: null,
  },
  monthly_budget_usd: {
    variable: 'MONTHLY_BUDGET_USD',
    unit: 'usd',
    min: 0.01,
    max: MAX_BUDGET_USD,
    otherwise: null,
    scheduled: 'budget:platform',
  },
  monthly_user_budget_usd: {
    variable: null,
    unit: 'usd',
    min: 0.01,
    max: MAX_BUDGET_USD,
    otherwise: null,
    scheduled: 'budget:user',
  },
} as const satisfies Record<string, LimitRow>;
export type LimitName = keyof typeof LIMITS;

// A cast because Object.keys forgets the names.
export const LIMIT_NAMES = Object.keys(LIMITS) as [LimitName, ...LimitName[]];

/** A tenant's own limits; null is the default of the configuration. */
export type TenantLimits = Record<LimitName, number | null>;

/** What the configuration says of a tenant without limits of its own. */
export type DefaultLimits = {
  [Name in LimitName]: (typeof LIMITS)[Name]['otherwise'] extends number ? number : number | null;
};

/** What holds for a tenant; null is none. Requests, waiting jobs and stored bytes are always limited. */
export type LimitsInForce = DefaultLimits & { max_stored_bytes: number };

/** A value for each limit. */
export const perLimit = <Value>(valueFor: (name: LimitName) => Value): Record<LimitName, Value> =>
  // A cast because fromEntries forgets the names.
  Object.fromEntries(LIMIT_NAMES.map((name) => [name, valueFor(name)])) as Record<LimitName, Value>;

export const limitsInForce = (own: TenantLimits, defaults: LimitsInForce): LimitsInForce =>
  // A cast because what is null in neither cannot be told by the names.
  perLimit((name) => own[name] ?? defaults[name]) as LimitsInForce;

const limits = z.strictObject(
  perLimit((name) => {
    const { unit, max } = LIMITS[name];
    return (unit === 'usd' ? z.number().min(0.01) : z.int().min(1)).max(max).nullable();
  }),
);

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

/** Whole nano-dollars. */
const toNano = (usd: number): number => Math.round(usd * 1e9);

/** The budget that a job counts against, in nano-dollars; null where there is none. */
export const budgetNano = (limits: TenantLimits, credential: CredentialKind): number | null => {
  const usd = credential === 'user' ? limits.monthly_user_budget_usd : limits.monthly_budget_usd;
  return usd === null ? null : toNano(usd);
};

/** What the scheduler must know of a tenant's own limits, by the field in which it finds it; '' is the default. */
export const scheduledLimits = (limits: TenantLimits): Record<string, number | ''> =>
  Object.fromEntries(
    LIMIT_NAMES.flatMap((name) => {
      const { scheduled, unit } = LIMITS[name];
      const limit = limits[name];
      return scheduled === null ? [] : [[scheduled, limit === null ? '' : unit === 'usd' ? toNano(limit) : limit]];
    }),
  );
