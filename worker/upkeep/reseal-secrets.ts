/** Webhook secrets have no end, so they are carried over to the first key while an older one is still there to open them. */
import { describeError, type Log } from '../../shared/domain/log.ts';
import { every, type Repeating } from '../../shared/process/every.ts';
import type { WebhookSecretStore } from '../../shared/storage/webhooks/webhook-secret-store.ts';

/** Again and again, because processes that still seal under the old key may be running for a while. */
const RESEAL_EVERY_MS = 10 * 60_000;

export const resealSecrets = ({ secrets, log }: { secrets: WebhookSecretStore; log: Log }): Repeating =>
  every(
    RESEAL_EVERY_MS,
    async () => {
      const count = await secrets.reseal();
      log.info('webhook_secrets_resealed', { count });
    },
    (error) => log.error('reseal_failed', describeError(error)),
  );
