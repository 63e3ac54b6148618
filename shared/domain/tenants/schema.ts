/** Tenants and their platform keys as the admin interface shows them. */
import { z } from 'zod';
import { isPlatformKeyId, isTenantId } from '../ids.ts';
import { count, NAMED, time } from '../wire.ts';
import { SCOPES } from './caller.ts';
import { LIMIT_NAMES } from './limits.ts';
import { STOP_REASONS } from './stops.ts';

export const tenant = z
  .object({
    id: z.string().refine(isTenantId),
    object: z.literal('tenant'),
    name: z.string(),
    disabled: z.boolean(),
    limits: z
      .record(z.enum(LIMIT_NAMES), z.number().nullable())
      .meta({ description: 'Null is the default of the configuration.' }),
    allowed_models: z.array(z.string()).nullable().meta({ description: 'Null: every model.' }),
    weight: z.int().min(1),
    created_at: time,
  })
  .register(NAMED, { id: 'Tenant' });
export type Tenant = z.infer<typeof tenant>;

/** Without its secret, which is stored nowhere. */
export const platformKey = z
  .object({
    id: z.string().refine(isPlatformKeyId),
    object: z.literal('platform_key'),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: 'To the minute.' }),
  })
  .register(NAMED, { id: 'PlatformKey' });
export type PlatformKey = z.infer<typeof platformKey>;

export const issuedPlatformKey = platformKey
  .extend({ secret: z.string().meta({ description: 'Shown this once.' }) })
  .register(NAMED, { id: 'IssuedPlatformKey' });
export type IssuedPlatformKey = z.infer<typeof issuedPlatformKey>;

export const tenantWork = z
  .object({
    object: z.literal('tenant_work'),
    tenant: z.string().refine(isTenantId),
    waiting_jobs: count,
    waiting_lines: count.meta({ description: 'Of batches.' }),
    in_flight: count.meta({ description: 'At the workers, or on their way.' }),
    stop: z
      .object({
        reason: z.enum(STOP_REASONS),
        platform_key: z.string().nullable().meta({ description: 'Whose work alone is stopped.' }),
        began_at: time,
        ended_at: time.nullable().meta({ description: 'When all had ended that was not running.' }),
        jobs: count,
        batches: count,
        lines: count.meta({ description: 'Of these batches.' }),
        running: count.meta({ description: 'Jobs and lines whose call was to be aborted.' }),
      })
      .nullable()
      .meta({ description: 'The last one; null where there was none.' }),
    erasure: z
      .object({ ended_at: time.nullable(), jobs: count, batches: count, deliveries: count })
      .nullable()
      .meta({ description: 'Null where none was asked for.' }),
  })
  .register(NAMED, { id: 'TenantWork' });
export type TenantWork = z.infer<typeof tenantWork>;
