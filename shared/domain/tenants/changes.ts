/** What the operator may say of a tenant and of its platform keys. */
import { z } from 'zod';
import { modelName } from '../completion.ts';
import { NAMED } from '../wire.ts';
import { SCOPES } from './caller.ts';
import { LIMITS, perLimit } from './limits.ts';

const MOST_MODELS = 100;
const LONGEST_KEY_YEARS = 10;

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
  })
  .register(NAMED, { id: 'TenantChanges' });
export type TenantPatch = z.infer<typeof tenantPatch>;

export const newTenant = tenantChanges.extend({ name: displayName }).register(NAMED, { id: 'NewTenant' });
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

export const newKey = z
  .strictObject({
    name: displayName,
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).nullable().optional(),
    expires_at: expiry.nullable().optional(),
  })
  .register(NAMED, { id: 'NewPlatformKey' });
export type NewKey = z.infer<typeof newKey>;

const MOST_OVERLAP_SECONDS = 604_800;
const DEFAULT_OVERLAP_SECONDS = 86_400;

export const keyRotation = z
  .strictObject({
    overlap_seconds: z.int().min(0).max(MOST_OVERLAP_SECONDS).default(DEFAULT_OVERLAP_SECONDS),
  })
  .register(NAMED, { id: 'KeyRotation' });
