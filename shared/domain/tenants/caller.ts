import type { TenantId } from '../ids.ts';
import type { LimitsInForce } from './limits.ts';

/** What a platform key may be allowed. Each route names the one that it needs. */
export const SCOPES = ['jobs:write', 'jobs:read', 'usage:read', 'webhooks:manage'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who a platform key belongs to, and what it may do. */
export type Caller = {
  tenant: TenantId;
  /** The public id of the key, or the name that stands for one of the configuration. */
  platformKey: string;
  scopes: readonly Scope[];
  /** Null: every model. */
  allowedModels: readonly string[] | null;
  disabled: boolean;
  limits: LimitsInForce;
};
