import { createHmac, type KeyObject } from 'node:crypto';
import type { UserProvider } from '../../../providers/catalogue.ts';
import type { TenantId } from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';
import type { Secret } from '../secret.ts';

/**
 * 16 base64url characters that stand for a user's key within one tenant: the same for the same key, and never a part of it.
 * One for each pepper, the first pepper's first: what was noted under an older one is still recognised while that is in the list.
 */
export type Fingerprints = (tenant: TenantId, provider: UserProvider, key: Secret) => [string, ...string[]];

/** A new first pepper gives every key a new first fingerprint: its lanes begin afresh. The tenant is in it, so that nobody can see that two tenants use the same key. */
export const createFingerprints = ({ keys: [active, ...older] }: Peppers): Fingerprints => {
  const hmacKeyOf = ({ key }: { key: KeyObject }) => deriveKey(key, 'llm-gateway/user-key-fingerprint/v1');
  const first = hmacKeyOf(active);
  const others = older.map(hmacKeyOf);
  return (tenant, provider, key) => {
    const under = (hmacKey: KeyObject): string =>
      createHmac('sha256', hmacKey)
        // Neither a tenant id nor a provider can hold a NUL, so no two triples give the same bytes.
        .update(`${tenant}\0${provider}\0`)
        .update(key.reveal())
        .digest('base64url')
        .slice(0, 16);
    return [under(first), ...others.map(under)];
  };
};
