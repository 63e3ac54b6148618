/** A gateway of its own for one test, which may kill any part of it. */

import { expectInvariants } from '../invariants/invariants.ts';
import { type FaultProxy, startFaultProxy } from '../network/fault-proxy.ts';
import { startOwnRedis } from '../redis/redis.ts';
import { startGateway, type TestGateway } from './gateway.ts';

type Options = Parameters<typeof startGateway>[0];

/** Starts it, uses it, checks that all invariants hold in the end, and ends every process of it whatever happened. */
export const withGateway = async (options: Options, use: (gateway: TestGateway) => Promise<void>): Promise<void> => {
  const gateway = await startGateway({ sandbox: { record: { limit: 5_000, keys: 'clear' } }, ...options });
  try {
    await use(gateway);
    await expectInvariants(gateway.redis.url);
  } finally {
    await gateway.stop();
  }
};

/** The same with every process behind a proxy to Redis; one that is added with `REDIS_URL: gateway.redis.url` is not. */
export const withProxiedGateway = async (
  options: Options,
  use: (gateway: TestGateway, proxy: FaultProxy) => Promise<void>,
): Promise<void> => {
  const redis = await startOwnRedis();
  const proxy = await startFaultProxy({ port: Number(new URL(redis.url).port) });
  const behindProxy = { ...options, redis, env: { ...options?.env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` } };
  try {
    await withGateway(behindProxy, async (gateway) => {
      try {
        await use(gateway, proxy);
      } finally {
        // Whatever was done to the network is over: the processes can end in good order.
        proxy.judge(null);
        proxy.setDelay(0);
      }
    });
  } finally {
    await proxy.close();
  }
};
