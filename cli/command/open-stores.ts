/** The gateway's stores, for a command that runs once. */

import { findPrivateRedis, redisDir } from '../../dev/private-redis.ts';
import { pepperMarks } from '../../shared/keys/digests/pepper-marks.ts';
import { createPlatformKeySecrets } from '../../shared/keys/platform/platform-key.ts';
import { type AuditSeals, createAuditSeals } from '../../shared/keys/signing/audit-seals.ts';
import { type Environment, loadCommandConfig } from '../../shared/process/config/config.ts';
import { readAnchors } from '../../shared/storage/audit/audit-anchors.ts';
import { type AuditStore, createAuditStore } from '../../shared/storage/audit/audit-store.ts';
import type { Anchor } from '../../shared/storage/audit/verify-chain.ts';
import { createCommands } from '../../shared/storage/commands/run/run-commands.ts';
import { createJobStore, type JobStore } from '../../shared/storage/jobs/job-store.ts';
import { reachRedis } from '../../shared/storage/redis/reach-server.ts';
import { createSchemaStore, type SchemaStore } from '../../shared/storage/schema/schema-store.ts';
import { verifyStorage } from '../../shared/storage/schema/verify-storage.ts';
import { verifyUsedPeppers } from '../../shared/storage/secrets/used-peppers.ts';
import { createPlatformKeyStore, type PlatformKeyStore } from '../../shared/storage/tenants/platform-key-store.ts';
import { createTenantStore, type TenantStore } from '../../shared/storage/tenants/tenant-store.ts';
import { createWorkStore, type WorkStore } from '../../shared/storage/tenants/work-store.ts';
import { createDeliveryStore, type DeliveryStore } from '../../shared/storage/webhooks/delivery-store.ts';
import { CommandError } from './run-command.ts';

type Stores = {
  tenants: TenantStore;
  keys: PlatformKeyStore;
  work: WorkStore;
  audit: AuditStore;
  seals: AuditSeals;
  /** Those that the workers' file holds. */
  anchors: Anchor[];
  jobs: JobStore;
  deliveries: DeliveryStore;
  schema: SchemaStore;
};

/** Reads the gateway's own settings; without a REDIS_URL it takes the server that `npm start` runs on this machine. */
const openStores = async (environment: Environment): Promise<{ stores: Stores; close: () => void }> => {
  const { redis: settings, peppers, jobs, production, sandbox, auditAnchorFile } = loadCommandConfig(environment);
  const { shards } = settings;
  const dir = redisDir(environment.DATA_DIR || '.data', { sandbox });
  const found = environment.REDIS_URL ? { kind: 'runs' as const, url: settings.url } : await findPrivateRedis(dir);
  if (found.kind === 'silent') {
    throw new CommandError(
      `The Redis of ${dir} is there (port ${found.port}) and does not answer: it is stopped or busy. Try again; if that does not help, restart npm start.`,
    );
  }
  if (found.kind === 'none') {
    const what = sandbox ? 'gateway in sandbox mode' : 'gateway on real providers';
    throw new CommandError(`No ${what} runs here: start one with npm start, or set REDIS_URL.`);
  }

  const redis = await reachRedis(found.url);
  try {
    await verifyStorage(redis, { shards, production });
    await verifyUsedPeppers(redis, pepperMarks(peppers));
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  const run = createCommands(redis);
  return {
    stores: {
      tenants: createTenantStore({ redis, run, shards, actor: 'command' }),
      keys: createPlatformKeyStore({ redis, run, secrets: createPlatformKeySecrets(peppers), actor: 'command' }),
      work: createWorkStore({ redis, run, shards, retentionMs: jobs.retentionMs }),
      audit: createAuditStore({ redis, run, shards }),
      seals: createAuditSeals(peppers),
      anchors: auditAnchorFile === null ? [] : readAnchors(auditAnchorFile),
      jobs: createJobStore({ redis, run, shards, retentionMs: jobs.retentionMs, bodies: null }),
      deliveries: createDeliveryStore({ redis, run, shards }),
      schema: createSchemaStore({ redis, shards }),
    },
    close: () => redis.disconnect(),
  };
};

/** Opens the stores for one action and closes them. */
export const withStores = async (environment: Environment, use: (stores: Stores) => Promise<void>): Promise<void> => {
  const { stores, close } = await openStores(environment);
  try {
    await use(stores);
  } finally {
    close();
  }
};
