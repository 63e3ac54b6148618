/** The registry of tenants and platform keys, for a command that runs once. */
import { loadConfig } from '../../shared/config.ts';
import { createPlatformKeySecrets } from '../../shared/crypto/platform-key.ts';
import { connectForRequests } from '../../shared/redis/client.ts';
import { createScripts } from '../../shared/redis/scripts.ts';
import { verifyServer } from '../../shared/redis/server.ts';
import { createPlatformKeyStore, type PlatformKeyStore } from '../../shared/stores/platform-key-store.ts';
import { createTenantStore, type TenantStore } from '../../shared/stores/tenant-store.ts';
import { findPrivateRedis } from '../private-redis.ts';

const CONNECT_LIMIT_MS = 5_000;

/** Its message is for whoever typed the command. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandError';
  }
}

export type Registry = { tenants: TenantStore; keys: PlatformKeyStore; close: () => void };

/** Reads the gateway's own settings; without a REDIS_URL it takes the server that `npm start` runs on this machine. */
export const openRegistry = async (environment: Readonly<Record<string, string | undefined>>): Promise<Registry> => {
  const { redis: settings, peppers } = loadConfig(environment);
  const url = environment.REDIS_URL ? settings.url : await findPrivateRedis(environment.DATA_DIR || '.data');
  if (url === null) throw new CommandError('No gateway runs here: start one with npm start, or set REDIS_URL.');

  const redis = connectForRequests(url);
  const { promise: ready, resolve } = Promise.withResolvers<boolean>();
  redis.once('ready', () => resolve(true));
  const limit = setTimeout(() => resolve(false), CONNECT_LIMIT_MS);
  const isReady = await ready;
  clearTimeout(limit);
  try {
    if (!isReady) throw new CommandError(`Redis did not answer within ${CONNECT_LIMIT_MS / 1_000} seconds.`);
    await verifyServer(redis, settings.shards);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  const run = createScripts(redis);
  return {
    tenants: createTenantStore({ redis, run, shards: settings.shards }),
    keys: createPlatformKeyStore({ redis, run, secrets: createPlatformKeySecrets(peppers) }),
    close: () => redis.disconnect(),
  };
};
