/** Every kind of key is changed under constant load, by the steps of docs/security/rotation.md, without a failed request or job. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, REGISTRY_TAG } from '../../../shared/storage/redis/names.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { OPENAI_KEY, type TestApi, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';
import { ringText } from '../../unit/keys/rings.ts';

const CLIENTS = 4;
const PATIENCE = { withinMs: 60_000 };

/** Two rings side by side in their states: before, and the three steps of a rotation. */
const rings = () => {
  const [oldPepper, newPepper, oldKey, newKey] = ['p1', 'p2', 'k1', 'k2'].map((id) => ringText(id));
  const state = (peppers: string, keys: string) => ({ KEY_PEPPERS: peppers, KEY_ENCRYPTION_KEYS: keys });
  return {
    before: state(`${oldPepper}`, `${oldKey}`),
    known: state(`${oldPepper},${newPepper}`, `${oldKey},${newKey}`),
    active: state(`${newPepper},${oldPepper}`, `${newKey},${oldKey}`),
    alone: state(`${newPepper}`, `${newKey}`),
  };
};

test('peppers, key-encryption keys and platform keys', { timeout: 180_000 }, async () => {
  const { before, known, active, alone } = rings();
  await withGateway(
    { apis: 2, workers: 1, env: { ...before, ADMIN_TOKEN, RATE_LIMIT_RPM: '1000000' } },
    async (gateway) => {
      const operator = operate(gateway);
      const tenant = await operator.tenant();
      let platformKey = await operator.issue(tenant);
      const pool = balance(gateway);
      const failures: unknown[] = [];
      let jobs = 0;
      let turns = 0;
      let stopped = false;

      /** One job on a user's key: accepted, sent again to whatever process comes next, and read to its end. */
      const turn = async (name: string): Promise<void> => {
        const text = `turn ${name} ${turns % 5 === 0 ? 'sandbox:status=429 retry-after=1 times=1' : ''}`;
        turns += 1;
        const call = (method: string, path: string, body?: object) =>
          pool.use((api) => {
            const headers = { ...(body && userKey()), ...(body && { 'Idempotency-Key': name }) };
            return gateway.call(method, path, { key: platformKey.secret, headers, api, ...(body && { body }) });
          });
        const body = { model: 'gpt-4o', messages: [{ role: 'user', content: text }] };
        const first = await call('POST', '/v1/complete', body);
        const again = await call('POST', '/v1/complete', body);
        const { id } = first.body as Job;
        if (first.status !== 202 || (again.body as Job).id !== id) failures.push(first, again);
        for (;;) {
          const { status, body: read } = await call('GET', `/v1/jobs/${id}?wait=10`);
          const job = read as Job;
          if (status !== 200 || (job.finished_at !== null && job.status !== 'completed')) failures.push(status, read);
          if (status !== 200 || job.finished_at !== null) break;
        }
        jobs += 1;
      };
      const client = async (index: number): Promise<void> => {
        for (let count = 0; !stopped; count++) await turn(`${index}-${count}`).catch((error) => failures.push(error));
      };
      const clients = Array.from({ length: CLIENTS }, (_, index) => client(index));
      /** Whatever began before this is over. */
      const goOn = async (): Promise<void> => {
        const from = turns;
        await until('all clients have gone on', () => turns >= from + 2 * CLIENTS, PATIENCE);
      };

      await goOn();
      await pool.replace(known);
      await goOn();
      await pool.replace(active);
      platformKey = await operator.rotate(tenant, platformKey, 60);
      await goOn();
      // What was made under the old ones is over, as the runbook says, before they go.
      const stored = await withRedis(gateway.redis.url, (redis) =>
        redis.hget(key(REGISTRY_TAG, 'PLATFORM_KEY', platformKey.id), 'pepper'),
      );
      expect(stored).toBe('p2');
      await pool.replace(alone);
      await goOn();
      stopped = true;
      await Promise.all(clients);

      expect(failures).toEqual([]);
      expect(jobs).toBeGreaterThanOrEqual(8 * CLIENTS);
      expect(new Set(gateway.callsWith('turn ').map((call) => call.key))).toEqual(new Set([OPENAI_KEY]));
      expect(gateway.apis.every(({ log }) => log.every(({ msg }) => msg !== 'request_broke'))).toBe(true);
    },
  );
});

/** What a load balancer does: gives requests to the processes in turn, and takes one out before it is stopped. */
const balance = (gateway: TestGateway) => {
  let live = [...gateway.apis];
  let next = 0;
  const busy = new Map<TestApi, number>();
  const isReady = async (api: TestApi) => (await gateway.call('GET', '/readyz', { api })).status === 200;

  return {
    use: async <T>(call: (api: TestApi) => Promise<T>): Promise<T> => {
      const api = live[next++ % live.length];
      if (!api) throw new Error('no API');
      busy.set(api, (busy.get(api) ?? 0) + 1);
      return call(api).finally(() => busy.set(api, (busy.get(api) ?? 1) - 1));
    },
    /** Starts new processes with these settings, lets old and new work together for a while, and stops the old ones. */
    replace: async (env: Record<string, string>): Promise<void> => {
      const [oldApis, oldWorkers] = [live, [...gateway.workers]];
      const [one, two] = await Promise.all([gateway.addApi(env), gateway.addApi(env), gateway.addWorker(env)]);
      const fresh = [one, two];
      await until(
        'the new APIs are ready',
        async () => (await Promise.all(fresh.map(isReady))).every(Boolean),
        PATIENCE,
      );
      live = [...oldApis, ...fresh];
      await delay(500);
      live = fresh;
      await until('nobody waits for the old APIs', () => oldApis.every((api) => !busy.get(api)), PATIENCE);
      const old = [...oldApis, ...oldWorkers];
      await Promise.all(old.map((process) => process.stop()));
      gateway.apis = [...fresh];
      gateway.workers = gateway.workers.filter((worker) => !oldWorkers.includes(worker));
    },
  };
};
