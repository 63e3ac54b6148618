/** The secrets that sign a tenant's webhooks: stored sealed, drawn when first needed. */
import type { Redis } from 'ioredis';
import type { TenantId } from '../../domain/ids.ts';
import { KeyServiceUnavailable, type Sealer } from '../../keys/encryption/seal.ts';
import { drawWebhookSecret, parseWebhookSecret, type WebhookSecret } from '../../keys/signing/sign.ts';
import type { RunCommand } from '../commands/command.ts';
import { putWebhookSecret, readWebhookSecret, resealWebhookSecret } from '../commands/webhooks/commands.ts';
import { fieldsOf, timeText } from '../records/fields.ts';
import { key, shardTag } from '../redis/names.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf } from '../redis/unavailable.ts';

/** The purpose under which they are sealed. */
export const WEBHOOK_SECRET_PURPOSE = 'webhook-secret';

/** A seal has an expiry, and these have none: the last moment that a Date can hold. */
const NEVER_MS = 8_640_000_000_000_000;

const SEALED_FIELDS = ['current', 'previous'] as const;
const TENANTS_A_LOOK = 64;

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
  run: RunCommand;
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
    const flat = await run(putWebhookSecret, tenantTag(tenant, shards), { tenant, sealed, overlapMs, platformKey });
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

  /** Rejects with KeyServiceUnavailable, and where no key opens it. */
  const resealOne = async (tenant: TenantId, field: string, sealed: string): Promise<boolean> => {
    const again = await sealer.seal(await openOne(tenant, sealed), bindingOf(tenant));
    return (
      (await run(resealWebhookSecret, tenantTag(tenant, shards), { tenant, field, read: sealed, sealed: again })) === 1
    );
  };

  const resealShard = async (shard: number): Promise<number> => {
    let done = 0;
    let failure: Error | null = null;
    const tag = shardTag(shard);
    let cursor = '0';
    do {
      const [next, tenants] = await answerOf(redis.sscan(key(tag, 'TENANTS'), cursor, 'COUNT', TENANTS_A_LOOK));
      cursor = next;
      // The cast: scripts add nothing else.
      const rows = (tenants as TenantId[]).map(async (tenant) => ({
        tenant,
        seals: await answerOf(redis.hmget(key(tag, 'WEBHOOK_SECRETS', tenant), ...SEALED_FIELDS)),
      }));
      for (const { tenant, seals } of await Promise.all(rows)) {
        for (const [index, field] of SEALED_FIELDS.entries()) {
          const sealed = seals[index];
          if (!sealed || sealer.isCurrent(sealed)) continue;
          try {
            if (await resealOne(tenant, field, sealed)) done += 1;
          } catch (error) {
            failure = error instanceof Error ? error : new Error('a webhook secret cannot be sealed anew');
          }
        }
      }
    } while (cursor !== '0');
    if (failure !== null) throw failure;
    return done;
  };

  return {
    open,

    /** Seals anew, under the first key, what an older one sealed; answers how many it did. Safe beside any other process. Goes on past a secret that does not open and a shard that fails, and rejects in the end. */
    reseal: async (): Promise<number> => {
      const answers = await Promise.allSettled(Array.from({ length: shards }, (_, shard) => resealShard(shard)));
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
      return answers.reduce((total, answer) => total + (answer.status === 'fulfilled' ? answer.value : 0), 0);
    },

    /** Notes in the audit log that they were shown. `platformKey`: the id of the one that asks. */
    read: async (tenant: TenantId, platformKey: string): Promise<WebhookSecrets> => {
      const flat = await run(readWebhookSecret, tenantTag(tenant, shards), { tenant, platformKey });
      // A cast because the form of the answer is that in the script's header.
      return open(tenant, fieldsOf(flat as string[]));
    },

    /** A new secret; the one before signs too for so long. Called twice it rotates twice. `platformKey`: the id of the one that asks. */
    rotate: async (tenant: TenantId, rotation: Rotation): Promise<WebhookSecrets> =>
      open(tenant, await put(tenant, rotation)),
  };
};
