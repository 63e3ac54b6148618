/** Where the chaos takes place: a real gateway with a fault proxy on each of its ways out. */
import { randomBytes } from 'node:crypto';
import { type FaultProxy, startFaultProxy } from '../../support/network/fault-proxy.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { type GatewayProcess, startProcess } from '../../support/processes/process.ts';
import { TELLS_MEMORY } from '../../support/processes/process-memory.ts';
import type { Random } from '../../support/random.ts';
import type { Watched } from '../soak/watch.ts';
import { type Receiver, startReceiver } from './receiver.ts';

export const TENANTS = ['acme', 'beta', 'gamma'] as const;
export type TenantName = (typeof TENANTS)[number];

export type Stage = {
  gateway: TestGateway;
  proxies: { redis: FaultProxy; provider: FaultProxy; receiver: FaultProxy };
  receiver: Receiver;
  /** A user's key of each kind for each tenant; its tail stands nowhere else, so that a leak can be seen. */
  userKeys: Record<TenantName, { openai: string; anthropic: string }>;
  /** Every process that ever ran: its output is searched in the end. */
  processes: GatewayProcess[];
  /** A worker and an API that no fault ends, so that it can be seen whether they grow; in a soak. */
  watched: Watched | null;
  /** Starts another worker, without waiting until it is ready. */
  addWorker: (env?: Record<string, string>) => GatewayProcess;
  stop: () => Promise<void>;
};

/** One attempt ends after so long, so that calls on a dead connection end within the run. */
const TIMEOUT_SECONDS = 15;

/** So short that in a soak records come to their end; what is final is read again before. */
const RESULT_TTL_SECONDS = 300;

export const setStage = async (random: Random, { isSoak }: { isSoak: boolean }): Promise<Stage> => {
  const gateway = await startGateway({
    apis: 0,
    workers: 0,
    sandbox: { record: { limit: 2_000_000, keys: 'digest' } },
    env: {
      JOB_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS),
      JOB_DEADLINE_SECONDS: '600',
      // Calls that wait go through several hops.
      MAX_WAIT_SECONDS: '5',
      MAX_ATTEMPTS: '8',
      RESULT_TTL_SECONDS: String(RESULT_TTL_SECONDS),
      RATE_LIMIT_RPM: '1000000',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      // So many that none is used up.
      WEBHOOK_RETRY_SCHEDULE_SECONDS: '1,2,3,4,5,5,5,5,5,5,5,5',
    },
  });
  const redis = await startFaultProxy({ port: Number(new URL(gateway.redis.url).port) });
  const provider = await startFaultProxy({ port: gateway.sandbox.port });
  const receiver = await startReceiver(random);
  const hooks = await startFaultProxy({ port: receiver.port });
  const behindProxies: Record<string, string> = { REDIS_URL: `redis://127.0.0.1:${redis.port}` };
  for (const [name, value] of Object.entries(gateway.env)) {
    if (/^PROVIDER_.*_URL$/.test(name)) {
      behindProxies[name] = value.replace(`:${gateway.sandbox.port}`, `:${provider.port}`);
    }
  }
  Object.assign(gateway.env, behindProxies);
  const stage: Stage = {
    gateway,
    proxies: { redis, provider, receiver: hooks },
    receiver,
    userKeys: Object.fromEntries(
      TENANTS.map((tenant) => [
        tenant,
        {
          openai: `sk-proj-${randomBytes(24).toString('hex')}`,
          anthropic: `sk-ant-api03-${randomBytes(24).toString('hex')}`,
        },
      ]),
      // The cast says what the three names just made.
    ) as Stage['userKeys'],
    processes: [],
    watched: null,
    addWorker: (env = {}) => {
      const worker = startProcess('worker/main.ts', { ...gateway.env, ...env });
      gateway.workers.push(worker);
      stage.processes.push(worker);
      return worker;
    },
    stop: async () => {
      await gateway.stop();
      await Promise.all([redis.close(), provider.close(), hooks.close(), receiver.close()]);
    },
  };
  try {
    for (let count = 0; count < 2; count++) stage.processes.push(await gateway.addWorker(), await gateway.addApi());
    if (isSoak) {
      const watched = { worker: await gateway.addWorker(TELLS_MEMORY), api: await gateway.addApi(TELLS_MEMORY) };
      stage.processes.push(watched.worker, watched.api);
      stage.watched = watched;
    }
  } catch (error) {
    await stage.stop();
    throw error;
  }
  return stage;
};

export const platformKeyOf = (tenant: TenantName): string => KEYS[tenant];

export const hookOf = (stage: Stage, number: number): string =>
  `http://127.0.0.1:${stage.proxies.receiver.port}/hooks/${number}`;
