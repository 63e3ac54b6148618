import { createHmac } from 'node:crypto';
import type { UserProvider } from '../completion.ts';
import type { TenantId } from '../ids.ts';
import { deriveKey, type Peppers } from './keyring.ts';
import type { Secret } from './secret.ts';

/** 16 base64url characters that stand for a user's key within one tenant: the same for the same key, and never a part of it. */
export type Fingerprint = (tenant: TenantId, provider: UserProvider, key: Secret) => string;

/**
 * Fingerprints under the first pepper, so a new first pepper gives every key a new one: its lanes begin afresh.
 * The tenant is in it, so that nobody can see that two tenants use the same key.
 */
export const createFingerprints = ({ keys: [{ key: pepper }] }: Peppers): Fingerprint => {
  const hmacKey = deriveKey(pepper, 'llm-gateway/user-key-fingerprint/v1');
  return (tenant, provider, key) =>
    createHmac('sha256', hmacKey)
      // Neither a tenant id nor a provider can hold a NUL, so no two triples give the same bytes.
      .update(`${tenant}\0${provider}\0`)
      .update(key.reveal())
      .digest('base64url')
      .slice(0, 16);
};
