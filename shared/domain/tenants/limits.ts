/** The limits of a tenant. */
import type { CredentialKind } from '../completion.ts';
import type { RequestErrorCode } from '../errors.ts';

type LimitRow = {
  /** The variable that sets it for tenants without one of their own; null: there is none. */
  variable: string | null;
  unit: 'count' | 'usd';
  /** Of the variable; a tenant's own may be as small as 1, or one cent. */
  min: number;
  max: number;
  /** If the variable is not set; null: no limit. */
  otherwise: number | 'share of Redis’ memory' | null;
} & (
  | {
      /** The field of the tenant's shard in which the scheduler finds it. */
      scheduled: 'max_in_flight' | 'tokens_per_minute' | 'budget:platform' | 'budget:user';
    }
  /** Judged before a job or a batch is accepted: how it is refused. */
  | { scheduled: null; refusal: RequestErrorCode }
);

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
    refusal: 'rate_limited',
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
  max_queued: {
    variable: 'MAX_QUEUED',
    unit: 'count',
    min: 1,
    max: 100_000_000,
    otherwise: 10_000,
    scheduled: null,
    refusal: 'too_many_queued',
  },
  max_stored_bytes: {
    variable: 'MAX_STORED_BYTES',
    unit: 'count',
    min: 1_048_576,
    max: 1_099_511_627_776,
    otherwise: 'share of Redis’ memory',
    scheduled: null,
    refusal: 'too_many_stored_bytes',
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

/** What holds for a tenant; null is none. */
export type LimitsInForce = {
  [Name in LimitName]: (typeof LIMITS)[Name]['otherwise'] extends null ? number | null : number;
};

/** A value for each limit. */
export const perLimit = <Value>(valueFor: (name: LimitName) => Value): Record<LimitName, Value> =>
  // A cast because fromEntries forgets the names.
  Object.fromEntries(LIMIT_NAMES.map((name) => [name, valueFor(name)])) as Record<LimitName, Value>;

export type IntakeLimit = {
  [Name in LimitName]: (typeof LIMITS)[Name]['scheduled'] extends null ? Name : never;
}[LimitName];
export type LimitRefusal = (typeof LIMITS)[IntakeLimit]['refusal'];

const isOfIntake = (name: LimitName): name is IntakeLimit => LIMITS[name].scheduled === null;

/** A value for each limit that is judged before a job or a batch is accepted. */
export const perIntakeLimit = <Value>(valueFor: (name: IntakeLimit) => Value): Record<IntakeLimit, Value> =>
  // A cast because fromEntries forgets the names.
  Object.fromEntries(LIMIT_NAMES.filter(isOfIntake).map((name) => [name, valueFor(name)])) as Record<
    IntakeLimit,
    Value
  >;

export const limitsInForce = (own: TenantLimits, defaults: LimitsInForce): LimitsInForce =>
  // A cast because what is null in neither cannot be told by the names.
  perLimit((name) => own[name] ?? defaults[name]) as LimitsInForce;

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
