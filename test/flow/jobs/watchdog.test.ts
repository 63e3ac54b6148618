import { expect, test } from 'vitest';
import type { ProxiedConnection } from '../../support/network/fault-proxy.ts';
import { withProxiedGateway } from '../../support/processes/with-gateway.ts';
import { isBlockingWait } from '../../support/redis/worker-commands.ts';
import { until } from '../../support/until.ts';

const waitsForWork = ({ sent }: ProxiedConnection): boolean => isBlockingWait(sent());

test.concurrent('a connection that waits for work and died without a sign holds no job up for long', {
  timeout: 60_000,
}, async ({ annotate }) => {
  await withProxiedGateway({}, async (gateway, proxy) => {
    const [blocking] = await until('the worker waits for work', () => {
      const found = proxy.connections.filter(waitsForWork);
      return found.length > 0 && found;
    });
    blocking?.freeze();
    const startedMs = performance.now();
    const { id } = await gateway.submit('who wakes the worker?');
    expect(await gateway.finished(id)).toMatchObject({ status: 'completed' });
    // BullMQ gives the wait of 5 s up after 6 s; its other connection is alive.
    await annotate(`completed after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

test.concurrent('a worker whose connection for waiting cannot be had again is restarted inside its process, and jobs flow again', {
  timeout: 90_000,
}, async ({ annotate }) => {
  await withProxiedGateway({}, async (gateway, proxy) => {
    const [worker] = gateway.workers;
    await until('the worker waits for work', () => proxy.connections.some(waitsForWork));
    const known = [...proxy.connections];
    for (const connection of known.filter(waitsForWork)) connection.freeze();
    // Whatever replaces it is as dead, until the watchdog has acted.
    proxy.judge((_, connection) => (known.includes(connection) ? 'pass' : 'freeze'));
    const startedMs = performance.now();
    const jobs = await Promise.all(Array.from({ length: 5 }, (_, index) => gateway.submit(`stuck ${index}`)));
    await until('the watchdog acts', () => worker?.log.some(({ msg }) => msg === 'worker_stuck'), { withinMs: 30_000 });
    await annotate(`the watchdog acted after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    proxy.judge(null);

    for (const { id } of jobs) {
      expect(await gateway.finished(id)).toMatchObject({ status: 'completed' });
    }
    await annotate(`all completed after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    expect(gateway.sandbox.calls).toHaveLength(5);
  });
});
