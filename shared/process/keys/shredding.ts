import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../domain/log.ts';
import type { Shredding } from '../../keys/encryption/seal.ts';
import { connectForRequests } from '../../storage/redis/client.ts';
import { UnfitServer } from '../../storage/redis/server.ts';
import { createPeriodSecretStore } from '../../storage/secrets/period-secret-store.ts';
import type { Config } from '../config/config.ts';
import type { Lifecycle } from '../lifecycle.ts';

/** How long a start waits for the server before it goes on without: only users' keys need it. */
const CONNECT_MS = 2_000;

/** Strict shredding as this process is configured; null where no storage for it is. Rejects with UnfitServer where that keeps more than memory does. */
export const openShredding = async (
  { strict, ephemeralUrl }: Config['shredding'],
  { lifecycle, log }: { lifecycle: Lifecycle; log: Log },
): Promise<Shredding | null> => {
  if (ephemeralUrl === null) return null;
  const redis = connectForRequests(ephemeralUrl);
  lifecycle.onStop('ephemeral redis', () => redis.disconnect());
  const secrets = createPeriodSecretStore({ redis, onUnfit: () => log.error('ephemeral_redis_unfit') });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  redis.once('ready', resolve);
  await Promise.race([ready, delay(CONNECT_MS, undefined, { ref: false })]);
  await secrets.verify().catch((error: unknown) => {
    if (error instanceof UnfitServer) throw error;
    log.warn('ephemeral_redis_away');
  });
  return { secrets, strict };
};
