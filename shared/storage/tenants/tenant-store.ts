/** The registry's tenants: created, changed and deleted while the gateway runs. Their jobs live elsewhere, in the tenants' shards. */
import type { Redis } from 'ioredis';
import type { Actor } from '../../domain/audit/audit-row.ts';
import { newTenantId, type TenantId } from '../../domain/ids.ts';
import type { NewTenant, TenantPatch } from '../../domain/tenants/changes.ts';
import { perLimit, scheduledLimits } from '../../domain/tenants/limits.ts';
import type { Tenant } from '../../domain/tenants/schema.ts';
import type { WorkAtDeletion } from '../../domain/tenants/stops.ts';
import type { RunCommand } from '../commands/command.ts';
import { deleteTenant, putTenant } from '../commands/tenants/commands.ts';
import { fieldsOf, timeText } from '../records/fields.ts';
import { key, REGISTRY_TAG } from '../redis/names.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';

const DEFAULT_WEIGHT = 1;
/** Longer than a deadline of a batch and the retries of its webhook together. */
const REMAINS_LIFE_MS = 14 * 86_400_000;

export type TenantStore = ReturnType<typeof createTenantStore>;

export const createTenantStore = ({
  redis,
  run,
  shards,
  actor,
}: {
  redis: Redis;
  run: RunCommand;
  shards: number;
  /** Who makes the changes, for the audit log. */
  actor: Actor;
}) => {
  const put = async (id: TenantId, how: 'create' | 'change', changes: TenantPatch): Promise<Tenant | null> => {
    const flat = await run(putTenant, REGISTRY_TAG, {
      tenant: id,
      mode: how,
      actor,
      wish: JSON.stringify(changes),
      stopReason: how === 'change' ? stopOf(changes) : '',
      fields: [...fieldsFor(changes)],
    });
    return flat.length > 0 ? parseTenant(id, fieldsOf(flat)) : null;
  };
  /** The scheduler reads these in the tenant's shard. A crash between both writes leaves the old ones there until the next change. */
  const tellScheduler = async ({ id, weight, limits }: Tenant): Promise<void> => {
    const told = { weight, ...scheduledLimits(limits) };
    await answerOf(redis.hset(key(tenantTag(id, shards), 'TENANT', id), told));
  };

  return {
    create: async (tenant: NewTenant): Promise<Tenant> => {
      const created = await put(newTenantId(), 'create', tenant);
      if (!created) throw new Error('the created tenant cannot be read');
      await tellScheduler(created);
      return created;
    },

    /** Null where there is no such tenant. A change of nothing tells the scheduler again. Orders that its work is stopped, or may run again: see `WorkStore`. */
    change: async (id: TenantId, changes: TenantPatch): Promise<Tenant | null> => {
      const changed = await put(id, 'change', changes);
      if (changed) await tellScheduler(changed);
      return changed;
    },

    /**
     * Revokes its keys with it and orders what becomes of its work and data: see `WorkStore`. Work that is kept runs out within its limits and budgets, and its webhooks are signed
     * until then. What one that is gone left behind can still be erased.
     */
    remove: async (id: TenantId, work: WorkAtDeletion = 'stopped'): Promise<boolean> => {
      const answer = await run(deleteTenant, REGISTRY_TAG, { tenant: id, actor, stopReason: ORDER_AT_DELETION[work] });
      for (const name of ['TENANT', 'WEBHOOK_SECRETS'] as const) {
        await answerOf(redis.pexpire(key(tenantTag(id, shards), name, id), REMAINS_LIFE_MS));
      }
      return answer === 'deleted';
    },

    read: async (id: TenantId): Promise<Tenant | null> => {
      const fields = await answerOf(redis.hgetall(key(REGISTRY_TAG, 'TENANT_RECORD', id)));
      return fields.created ? parseTenant(id, fields) : null;
    },

    /** Newest first; `next` is the id to go on after, null at the end. */
    list: async ({ limit, after }: { limit: number; after: TenantId | null }) => {
      const from = after === null ? '+' : `(${after}`;
      const ids = (await answerOf(
        redis.zrevrangebylex(key(REGISTRY_TAG, 'TENANT_RECORDS'), from, '-', 'LIMIT', 0, limit + 1),
      )) as TenantId[];
      const page = ids.slice(0, limit);
      const pipeline = redis.pipeline();
      for (const id of page) pipeline.hgetall(key(REGISTRY_TAG, 'TENANT_RECORD', id));
      const replies = page.length > 0 ? await answersOf(pipeline.exec()) : [];
      const tenants = replies.flatMap((reply, index) => {
        // Casts because a pipeline does not know the types of its answers; HGETALL's is this. It is empty where the tenant was deleted meanwhile.
        const fields = reply as Record<string, string>;
        return fields.created ? [parseTenant(page[index] as TenantId, fields)] : [];
      });
      return { tenants, next: ids.length > limit ? (page.at(-1) ?? null) : null };
    },
  };
};

const ORDER_AT_DELETION = {
  stopped: 'tenant_deleted',
  kept: '',
  erased: 'tenant_erased',
} as const satisfies Record<WorkAtDeletion, string>;

/** The reason of the order that a change gives about the tenant's work; '' none. */
const stopOf = ({ disabled, keep_work }: TenantPatch): string => {
  if (disabled === undefined || keep_work === true) return '';
  return disabled ? 'tenant_disabled' : 'tenant_enabled';
};

/** Every change as field and value; a limit has a field of its own, so that two admins can change two of them at once. */
const fieldsFor = ({ name, disabled, limits = {}, allowed_models, weight }: TenantPatch): string[] => {
  const fields: Record<string, string | number | undefined> = {
    name,
    disabled: disabled === undefined ? undefined : disabled ? '1' : '',
    allowed_models: allowed_models === undefined ? undefined : JSON.stringify(allowed_models),
    weight,
  };
  for (const [limit, value] of Object.entries(limits)) fields[limit] = value ?? '';
  return Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [] : [field, String(value)]));
};

/** Also of the record that comes with a key's look-up. */
export const parseTenant = (id: TenantId, fields: Record<string, string>): Tenant => ({
  id,
  object: 'tenant',
  name: fields.name ?? '',
  disabled: fields.disabled === '1',
  limits: perLimit((name) => (fields[name] ? Number(fields[name]) : null)),
  allowed_models: JSON.parse(fields.allowed_models ?? 'null') as string[] | null,
  weight: Number(fields.weight ?? DEFAULT_WEIGHT),
  created_at: timeText(fields.created) ?? '',
});
