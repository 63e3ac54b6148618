/** Tenants and their platform keys as the admin interface shows them. */
import type { PlatformKeyId, TenantId } from '../ids.ts';
import type { Scope } from './caller.ts';
import type { TenantLimits } from './limits.ts';
import type { StopReason } from './stops.ts';

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
