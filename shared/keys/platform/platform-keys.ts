/** Platform keys given in the configuration, for set-ups too simple for managed keys. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { isManagedTenantId, isTenantId, type TenantId } from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';
import { Secret } from '../secret.ts';

/** The documented sample of the README's first calls. In sandbox mode it is added to `PLATFORM_API_KEYS`; elsewhere anybody could guess it. */
const DEMO_KEY = 'your-platform-key';
export const DEMO_PLATFORM_KEYS = `demo:${DEMO_KEY}`;
/** With the one that docs/start/real-providers.md shows where a key of one's own belongs. */
const SAMPLE_KEYS = [DEMO_KEY, 'paste-a-long-random-key-here'];

// Printable ASCII without space and comma. `gk_` is the form of managed keys, which are looked up elsewhere.
const KEY_FORM = /^(?!gk_)[\x21-\x2b\x2d-\x7e]{16,}$/;

export type PlatformKeyEntry = { readonly tenant: TenantId; readonly key: Secret };

/** `problems` are whole sentences, one for each mistake. They tell entries apart by their place and hold nothing of what was given. */
type Parsed = { ok: true; entries: PlatformKeyEntry[] } | { ok: false; problems: string[] };

/**
 * Entries of `tenant:key,tenant:key`; a key may hold colons, and a tenant may have several keys.
 * `allowSample` takes the documented sample keys too; only for sandbox mode and development.
 */
export const parsePlatformKeys = (text: string, { allowSample }: { allowSample: boolean }): Parsed => {
  const entries: PlatformKeyEntry[] = [];
  const problems: string[] = [];
  const owners = new Map<string, string>();

  text.split(',').forEach((part, index) => {
    const entry = part.trim();
    const colon = entry.indexOf(':');
    const tenant = entry.slice(0, Math.max(colon, 0));
    const key = entry.slice(colon + 1);
    const report = (problem: string) => problems.push(`PLATFORM_API_KEYS: entry ${index + 1} ${problem}.`);

    if (!KEY_FORM.test(key)) {
      report('must end in a key of 16 or more printable ASCII characters without space that does not start with "gk_"');
    } else if (SAMPLE_KEYS.includes(key) && !allowSample) {
      report('is a sample key of the documents, which anybody can guess; make one with openssl rand -hex 24');
    } else if (owners.has(key) && owners.get(key) !== tenant) {
      report('has the key of an earlier entry, but another tenant');
    }
    if (isManagedTenantId(tenant)) report('names a tenant of the registry, whose keys are issued there');
    owners.set(key, tenant);

    if (isTenantId(tenant)) entries.push({ tenant, key: new Secret(key) });
    else report('must begin with a tenant of 1 to 64 characters A-Z, a-z, 0-9, "_" and "-", then a colon');
  });

  return problems.length > 0 ? { ok: false, problems } : { ok: true, entries };
};

export type PlatformKeys = {
  /**
   * The tenant that this key belongs to, null if it is no key of ours. Takes any text.
   * `platformKey` is a name to write down instead of the key: the same in every process, until the first pepper changes.
   */
  authenticate: (presented: string) => { tenant: TenantId; platformKey: string } | null;
};

/**
 * Keeps no key, only a digest of each, and makes the entries forget theirs.
 * The look-up by digest is not in constant time and need not be: the digests are keyed by a secret that is drawn here and never leaves,
 * so whoever times it cannot tell which digest a guess has, nor choose guesses whose digests come closer to a stored one.
 */
export const createPlatformKeys = (entries: readonly PlatformKeyEntry[], peppers: Peppers): PlatformKeys => {
  const secret = createSecretKey(randomBytes(32));
  const digest = (key: string): string => createHmac('sha256', secret).update(key).digest('base64');
  const nameKey = deriveKey(peppers.keys[0].key, 'llm-gateway/configured-key-name/v1');
  const nameOf = (key: Secret): string =>
    `config_${createHmac('sha256', nameKey).update(key.reveal()).digest('base64url').slice(0, 16)}`;
  const known = new Map(entries.map(({ tenant, key }) => [digest(key.reveal()), { tenant, platformKey: nameOf(key) }]));
  for (const { key } of entries) key.forget();
  return { authenticate: (presented) => known.get(digest(presented)) ?? null };
};
