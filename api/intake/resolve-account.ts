/** From a tenant and the key that its user brought, or did not, to the account that its calls run on: the one place that decides it. */
import type { Account } from '../../shared/domain/account.ts';
import type { BatchId, JobId, TenantId } from '../../shared/domain/ids.ts';
import type { Sealer } from '../../shared/keys/encryption/seal.ts';
import type { Fingerprints } from '../../shared/keys/user/fingerprint.ts';
import type { UserCredential } from '../../shared/keys/user/user-key.ts';

export type ResolvedAccount = Account & {
  /** The fingerprint under each pepper, the first of them that of the account: what was noted under an older one is still recognised. */
  fingerprints: readonly [string | null, ...string[]];
  /** The user's key for one job or batch, sealed; null on the platform's account. */
  sealFor: (subject: JobId | BatchId, expiresAtMs: number) => Promise<string | null>;
  /** Of the key in clear nothing is left from here on. */
  forgetKey: () => void;
};

/** `user`: null runs on the platform's account. */
export type ResolveAccount = (tenant: TenantId, user: UserCredential | null) => ResolvedAccount;

const PLATFORM: ResolvedAccount = {
  provider: 'bedrock',
  credential: 'platform',
  fingerprint: null,
  fingerprints: [null],
  sealFor: async () => null,
  forgetKey: () => {},
};

export const createResolveAccount =
  ({ fingerprints, sealer }: { fingerprints: Fingerprints; sealer: Sealer }): ResolveAccount =>
  (tenant, user) => {
    if (user === null) return PLATFORM;
    const { provider, key } = user;
    const marks = fingerprints(tenant, provider, key);
    return {
      provider,
      credential: 'user',
      fingerprint: marks[0],
      fingerprints: marks,
      sealFor: (subject, expiresAtMs) => sealer.seal(key, { tenant, subject, provider, expiresAtMs }),
      forgetKey: () => key.forget(),
    };
  };
