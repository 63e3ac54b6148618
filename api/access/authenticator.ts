/** Whose request it is: keys of the configuration, which need no Redis, and keys of the registry, remembered for a moment. */

import { isPlatformKeyId, type PlatformKeyId } from '../../shared/domain/ids.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import { SCOPES } from '../../shared/domain/tenants/caller.ts';
import { type LimitsInForce, limitsInForce } from '../../shared/domain/tenants/limits.ts';
import { isManagedKey, type PlatformKeySecrets, platformKeyIdOf } from '../../shared/keys/platform/platform-key.ts';
import type { PlatformKeys } from '../../shared/keys/platform/platform-keys.ts';
import type { KnownKey, PlatformKeyStore } from '../../shared/storage/tenants/platform-key-store.ts';

/**
 * How long an answer of the registry is used, from the moment it was asked for. With the time that Redis has for an answer (`COMMAND_TIMEOUT_MS`) it bounds how long a revoked key
 * or a disabled tenant is still let in: less than the 5 s that docs/operations/tenants.md promises.
 */
export const REMEMBERED_MS = 3_000;
/** Found keys and unknown ids, each for themselves: a flood of unknown ids must not make us forget the keys in use. */
const MOST_REMEMBERED = 10_000;
const TOUCH_EVERY_MS = 60_000;

export type Authenticator = {
  /**
   * The caller behind a presented key; null for one that is unknown, revoked or expired. Takes any text.
   * Rejects with RedisUnavailable where a managed key is not remembered and Redis does not answer.
   */
  authenticate: (presented: string) => Caller | null | Promise<Caller | null>;
  /**
   * Whether a caller of a while ago would still be let in; without the key itself, which is not kept so long. Usually costs nothing: see `REMEMBERED_MS`.
   * Rejects as `authenticate` does.
   */
  letsInStill: (caller: Pick<Caller, 'platformKey'>) => Promise<boolean>;
};

type Needs = {
  platformKeys: PlatformKeys;
  secrets: Pick<PlatformKeySecrets, 'matches'>;
  store: Pick<PlatformKeyStore, 'lookUp' | 'touch'>;
  /** For tenants without limits of their own. */
  defaultLimits: () => LimitsInForce;
  /** Unix milliseconds, for expiry. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  elapsed: () => number;
};

export const createAuthenticator = ({
  platformKeys,
  secrets,
  store,
  defaultLimits,
  now,
  elapsed,
}: Needs): Authenticator => {
  const found = createMemory<KnownKey>(elapsed);
  const unknown = createMemory<null>(elapsed);
  const asked = new Map<PlatformKeyId, Promise<KnownKey | null>>();
  const touched = new Map<PlatformKeyId, number>();

  const ask = async (id: PlatformKeyId): Promise<KnownKey | null> => {
    const askedAt = elapsed();
    try {
      const known = await store.lookUp(id);
      if (known) found.put(id, known, askedAt);
      else unknown.put(id, null, askedAt);
      return known;
    } finally {
      asked.delete(id);
    }
  };
  const lookUp = (id: PlatformKeyId): Promise<KnownKey | null> => {
    const running = asked.get(id) ?? ask(id);
    asked.set(id, running);
    return running;
  };

  /** At most once a minute for each key; nobody waits for it, and a note that is lost is no loss. */
  const touch = (id: PlatformKeyId): void => {
    const before = touched.get(id);
    if (before !== undefined && elapsed() - before < TOUCH_EVERY_MS) return;
    if (touched.size >= MOST_REMEMBERED) touched.clear();
    touched.set(id, elapsed());
    store.touch(id).catch(() => {});
  };

  const recall = (id: PlatformKeyId): KnownKey | null | undefined => found.get(id) ?? unknown.get(id);
  const isExpired = ({ expiresAtMs }: KnownKey): boolean => expiresAtMs !== null && expiresAtMs <= now();

  const judge = (text: string, known: KnownKey | null): Caller | null => {
    // First and always: whether an id exists must not show in the time that a refusal takes.
    const matches = secrets.matches(text, known);
    if (!matches || known === null) return null;
    if (isExpired(known)) return null;
    touch(known.id);
    const { tenant } = known;
    return {
      tenant: tenant.id,
      platformKey: known.id,
      scopes: known.scopes,
      allowedModels: tenant.allowed_models,
      disabled: tenant.disabled,
      limits: limitsInForce(tenant.limits, defaultLimits()),
    };
  };

  return {
    authenticate: (presented) => {
      if (!isManagedKey(presented)) {
        const configured = platformKeys.authenticate(presented);
        if (configured === null) return null;
        return { ...configured, scopes: SCOPES, allowedModels: null, disabled: false, limits: defaultLimits() };
      }
      const id = platformKeyIdOf(presented);
      if (id === null) return null;
      const remembered = recall(id);
      if (remembered !== undefined) return judge(presented, remembered);
      return lookUp(id).then((known) => judge(presented, known));
    },

    letsInStill: async ({ platformKey }) => {
      // Keys of the configuration live as long as the process.
      if (!isPlatformKeyId(platformKey)) return true;
      const remembered = recall(platformKey);
      const known = remembered === undefined ? await lookUp(platformKey) : remembered;
      return known !== null && !isExpired(known) && !known.tenant.disabled;
    },
  };
};

/** Answers by id, for `REMEMBERED_MS`; the oldest goes where there are too many. */
const createMemory = <Answer>(elapsed: () => number) => {
  const entries = new Map<PlatformKeyId, { answer: Answer; askedAt: number }>();
  return {
    /** Undefined where nothing is remembered. */
    get: (id: PlatformKeyId): Answer | undefined => {
      const entry = entries.get(id);
      return entry && elapsed() - entry.askedAt < REMEMBERED_MS ? entry.answer : undefined;
    },
    put: (id: PlatformKeyId, answer: Answer, askedAt: number): void => {
      entries.delete(id);
      entries.set(id, { answer, askedAt });
      const [oldest] = entries.keys();
      if (entries.size > MOST_REMEMBERED && oldest !== undefined) entries.delete(oldest);
    },
  };
};
