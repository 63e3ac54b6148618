/** The registry's platform keys. It holds no key, only what a key is recognised by. */
import type { Redis } from 'ioredis';
import type { Actor } from '../../domain/audit/audit-row.ts';
import type { PlatformKeyId, TenantId } from '../../domain/ids.ts';
import { SCOPES, type Scope } from '../../domain/tenants/caller.ts';
import type { NewKey } from '../../domain/tenants/changes.ts';
import type { PlatformKey, Tenant } from '../../domain/tenants/schema.ts';
import type { NewPlatformKey, PlatformKeySecrets, StoredDigest } from '../../keys/platform/platform-key.ts';
import type { Secret } from '../../keys/secret.ts';
import type { RunCommand } from '../commands/command.ts';
import { issueKey, lookUpKey, revokeKey, touchKey } from '../commands/platform-keys/commands.ts';
import { fieldsOf, timeText } from '../records/fields.ts';
import { key, REGISTRY_TAG } from '../redis/names.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { parseTenant } from './tenant-store.ts';

/** So few that one script call can end them all. */
export const MOST_KEYS = 64;
const EXPIRED_SHOWN_MS = 30 * 86_400_000;

/** What a request is judged by. */
export type KnownKey = StoredDigest & {
  id: PlatformKeyId;
  scopes: readonly Scope[];
  /** Unix milliseconds; null: never. */
  expiresAtMs: number | null;
  tenant: Tenant;
};

export type IssueAnswer =
  | { kind: 'issued'; key: PlatformKey; secret: Secret }
  | { kind: 'no_tenant' | 'no_key' | 'expired' | 'full' };

export type PlatformKeyStore = ReturnType<typeof createPlatformKeyStore>;

export const createPlatformKeyStore = ({
  redis,
  run,
  secrets,
  actor,
}: {
  redis: Redis;
  run: RunCommand;
  secrets: Pick<PlatformKeySecrets, 'issue'>;
  /** Who issues, rotates and revokes, for the audit log. */
  actor: Actor;
}) => {
  type Wish = Omit<NewKey, 'name'> & { name: string; replaces: PlatformKeyId | null; overlapMs: number };
  const put = async (tenant: TenantId, wish: Wish): Promise<IssueAnswer> => {
    const made: NewPlatformKey = secrets.issue();
    const [kind, flat] = await run(issueKey, REGISTRY_TAG, {
      tenant,
      id: made.id,
      digest: made.digest,
      pepper: made.pepper,
      name: wish.name,
      scopes: wish.scopes?.join(' ') ?? null,
      expiresMs: wish.expires_at ?? null,
      replacedId: wish.replaces ?? null,
      overlapMs: wish.overlapMs,
      maxKeys: MOST_KEYS,
      shownMs: EXPIRED_SHOWN_MS,
      actor,
    });
    if (kind !== 'issued') return { kind };
    return { kind, key: parseKey(made.id, fieldsOf(flat)), secret: made.text };
  };

  return {
    /** The secret is in the answer and nowhere else. */
    issue: (tenant: TenantId, wish: NewKey): Promise<IssueAnswer> =>
      put(tenant, { ...wish, replaces: null, overlapMs: 0 }),

    /** A new key of the same name, scopes and lifetime; the old one stays valid for `overlapMs`, never longer than it would have. */
    rotate: (tenant: TenantId, id: PlatformKeyId, overlapMs: number): Promise<IssueAnswer> =>
      put(tenant, { name: '', replaces: id, overlapMs }),

    /** Orders that the work which the key asked for is stopped, unless it is kept: see `WorkStore`. */
    revoke: async (tenant: TenantId, id: PlatformKeyId, { keepWork = false } = {}): Promise<boolean> =>
      (await run(revokeKey, REGISTRY_TAG, { tenant, id, actor, stopReason: keepWork ? '' : 'key_revoked' })) ===
      'revoked',

    /** A page of a tenant's keys, newest first, expired ones of the last 30 days included; `next` is null at the end. */
    list: async (tenant: TenantId, { limit, after }: { limit: number; after: PlatformKeyId | null }) => {
      const from = after === null ? '+' : `(${after}`;
      const ids = (await answerOf(
        redis.zrevrangebylex(key(REGISTRY_TAG, 'TENANT_KEYS', tenant), from, '-', 'LIMIT', 0, limit + 1),
      )) as PlatformKeyId[];
      const page = ids.slice(0, limit);
      const pipeline = redis.pipeline();
      for (const id of page) pipeline.hgetall(key(REGISTRY_TAG, 'PLATFORM_KEY', id));
      const replies = page.length > 0 ? await answersOf(pipeline.exec()) : [];
      const keys = replies.flatMap((reply, index) => {
        // Casts because a pipeline does not know the types of its answers; HGETALL's is this. It is empty where the key was revoked meanwhile.
        const fields = reply as Record<string, string>;
        return fields.created ? [parseKey(page[index] as PlatformKeyId, fields)] : [];
      });
      return { keys, next: ids.length > limit ? (page.at(-1) ?? null) : null };
    },

    /** The key and its tenant, expired or not; null where there is none. */
    lookUp: async (id: PlatformKeyId): Promise<KnownKey | null> => {
      const [keyReply, tenantReply] = await run(lookUpKey, REGISTRY_TAG, { id });
      if (!keyReply || !tenantReply || tenantReply.length === 0) return null;
      const { tenant, digest, pepper, scopes, expires } = fieldsOf(keyReply);
      if (!tenant || !digest || !pepper) return null;
      return {
        id,
        digest,
        pepper,
        scopes: parseScopes(scopes),
        expiresAtMs: expires ? Number(expires) : null,
        // A cast because a key is only ever issued to a tenant of the registry.
        tenant: parseTenant(tenant as TenantId, fieldsOf(tenantReply)),
      };
    },

    /** Notes that the key was used now. */
    touch: async (id: PlatformKeyId): Promise<void> => {
      await run(touchKey, REGISTRY_TAG, { id });
    },
  };
};

/** Without a list, all that there are. A name that is no longer a scope allows nothing. */
const parseScopes = (text: string | undefined): Scope[] =>
  text ? SCOPES.filter((scope) => text.split(' ').includes(scope)) : [...SCOPES];

const parseKey = (id: PlatformKeyId, fields: Record<string, string>): PlatformKey => ({
  id,
  object: 'platform_key',
  name: fields.name ?? '',
  scopes: parseScopes(fields.scopes),
  created_at: timeText(fields.created) ?? '',
  expires_at: timeText(fields.expires),
  last_used_at: timeText(fields.used),
});
