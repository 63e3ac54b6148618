/** Names that stand for what a request was made of. */
import { hash } from 'node:crypto';
import type { Account } from '../../domain/account.ts';
import type { TenantId } from '../../domain/ids.ts';

export const digest = (parts: readonly string[]): string => hash('sha256', parts.join('\0'), 'base64url').slice(0, 22);

/** What a provider's rate limit applies to: a user's key and a model, or the platform's account and a model whoever asks. */
export const upstreamOf = (
  { tenant, provider, fingerprint }: { tenant: TenantId } & Pick<Account, 'provider' | 'fingerprint'>,
  model: string,
): string => digest(fingerprint === null ? ['platform', provider, model] : [tenant, provider, fingerprint, model]);

/** The entry of a client's `Idempotency-Key` for one route. */
export const idempotencyEntry = (tenant: TenantId, { route, key }: { route: string; key: string }): string =>
  `${tenant}:${digest([route, key])}`;

/** The entry of a request whose submitter waits; another platform key's is another. `requestDigest`: what stands for the request. */
export const waitedEntry = (tenant: TenantId, platformKey: string, requestDigest: string): string =>
  `${tenant}:${digest([platformKey, requestDigest])}`;

export const IDEMPOTENCY_MS = 24 * 60 * 60_000;
