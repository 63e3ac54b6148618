/** The secrets that sign a tenant's webhooks: stored sealed, drawn when first needed. */
import type { Redis } from 'ioredis';
import { KeyServiceUnavailable, type Sealer } from '../crypto/seal.ts';
import { drawWebhookSecret, parseWebhookSecret, type WebhookSecret } from '../crypto/sign.ts';
import type { TenantId } from '../ids.ts';
import { key } from '../redis/keys.ts';
import type { RunScript } from '../redis/scripts.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf } from '../redis/unavailable.ts';
import { fieldsOf, timeText } from './fields.ts';

/** The purpose under which they are sealed. */
export const WEBHOOK_SECRET_PURPOSE = 'webhook-secret';

/** A seal has an expiry, and these have none: the last moment that a Date can hold. */
const NEVER_MS = 8_640_000_000_000_000;

/** As the scripts answer them; empty where the tenant has none yet. */
export type SecretFields = Readonly<Record<string, string>>;

export type WebhookSecrets = {
  secret: WebhookSecret;
  createdAt: string;
  /** The one before, while it signs too. */
  previous: { secret: WebhookSecret; expiresAt: string } | null;
};

export type WebhookSecretStore = ReturnType<typeof createWebhookSecretStore>;

export const createWebhookSecretStore = ({
  redis,
  run,
  shards,
  sealer,
  now,
}: {
  redis: Redis;
  run: RunScript;
  shards: number;
  sealer: Sealer;
  now: () => number;
}) => {
  const bindingOf = (tenant: TenantId) => ({
    tenant,
    subject: WEBHOOK_SECRET_PURPOSE,
    provider: null,
    expiresAtMs: NEVER_MS,
  });

  type Rotation = { overlapMs: number; platformKey: string };
  const put = async (tenant: TenantId, rotation: Rotation | null): Promise<SecretFields> => {
    const sealed = await sealer.seal(drawWebhookSecret(), bindingOf(tenant));
    const { overlapMs, platformKey } = rotation ?? { overlapMs: '', platformKey: '' };
    const flat = await run('put-webhook-secret', tenantTag(tenant, shards), [tenant, sealed, overlapMs, platformKey]);
    // A cast because the form of the answer is that in the script's header.
    return fieldsOf(flat as string[]);
  };

  const openOne = async (tenant: TenantId, sealed: string): Promise<WebhookSecret> => {
    const opened = await sealer.open(sealed, bindingOf(tenant), now());
    if (!opened.ok && opened.reason === 'unavailable') throw new KeyServiceUnavailable();
    const secret = opened.ok ? parseWebhookSecret(opened.secret) : null;
    if (secret === null)
      throw new Error(`a webhook secret cannot be opened: ${opened.ok ? 'malformed' : opened.reason}`);
    return secret;
  };

  /** Opens what a script answered, and draws the first secret of a tenant that has none. Rejects with KeyServiceUnavailable, and where no key opens them. */
  const open = async (tenant: TenantId, stored: SecretFields): Promise<WebhookSecrets> => {
    const fields = stored.current ? stored : await put(tenant, null);
    const { current = '', created, previous, previous_expires: expires } = fields;
    return {
      secret: await openOne(tenant, current),
      createdAt: timeText(created) ?? '',
      previous:
        previous && Number(expires) > now()
          ? { secret: await openOne(tenant, previous), expiresAt: timeText(expires) ?? '' }
          : null,
    };
  };

  return {
    open,

    read: async (tenant: TenantId): Promise<WebhookSecrets> =>
      open(tenant, await answerOf(redis.hgetall(key(tenantTag(tenant, shards), 'WEBHOOK_SECRETS', tenant)))),

    /** A new secret; the one before signs too for so long. Called twice it rotates twice. `platformKey`: the id of the one that asks. */
    rotate: async (tenant: TenantId, rotation: Rotation): Promise<WebhookSecrets> =>
      open(tenant, await put(tenant, rotation)),
  };
};
