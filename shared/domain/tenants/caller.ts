import type { TenantId } from '../ids.ts';
import type { LimitsInForce, Scope } from './tenant.ts';

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
