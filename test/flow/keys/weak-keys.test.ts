/** A pepper and an encryption key that production refuses as new ones: what was made under them stays good until they go. */
import { expect, test } from 'vitest';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { startOwnRedis, withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';
import { ringText } from '../../unit/keys/rings.ts';

const PASSWORD = 'q7Vf2mXw9Lc4TzHs';
const HTTPS = { 'X-Forwarded-Proto': 'https' };
const weakRing = (id: string, byte: number): string => `${id}:${Buffer.alloc(32, byte).toString('base64')}`;

const replace = async (gateway: TestGateway, env: Record<string, string>) => {
  await Promise.all([...gateway.apis, ...gateway.workers].map((process) => process.stop()));
  gateway.apis = [];
  gateway.workers = [];
  const worker = await gateway.addWorker(env);
  const api = await gateway.addApi(env);
  await until('it is ready', async () => (await gateway.call('GET', '/readyz')).status === 200);
  return [api, worker].map(({ log }) =>
    log.filter(({ msg }) => msg === 'old_key_weak').map(({ variable, ring_key }) => [variable, ring_key].join(' ')),
  );
};

test('stand behind good ones, with a warning, and open and recognise what they made', { timeout: 90_000 }, async () => {
  const redis = await startOwnRedis();
  await withRedis(redis.url, async (client) => {
    await client.config('SET', 'maxmemory', '1gb');
    await client.config('SET', 'requirepass', PASSWORD);
  });
  const [pepper, sealing] = [weakRing('p1', 7), weakRing('k1', 9)];
  const gateway = await startGateway({
    redis: { ...redis, url: redis.url.replace('://', `://:${PASSWORD}@`) },
    env: { KEY_PEPPERS: pepper, KEY_ENCRYPTION_KEYS: sealing, ADMIN_TOKEN, REDIS_ALLOW_INSECURE: 'true' },
  });
  try {
    const operator = operate(gateway);
    const { secret } = await operator.issue(await operator.tenant());
    await Promise.all(gateway.workers.map((worker) => worker.stop()));
    const job = await gateway.submit('waits', { key: secret, headers: userKey(), fields: { model: 'gpt-4o' } });

    const production = { NODE_ENV: 'production', HOST: '127.0.0.1', TRUSTED_PROXIES: '127.0.0.1' };
    const [newPepper, newSealing] = [ringText('p2'), ringText('k2')];
    const behind = { KEY_PEPPERS: `${newPepper},${pepper}`, KEY_ENCRYPTION_KEYS: `${newSealing},${sealing}` };
    const warned = ['KEY_PEPPERS p1', 'KEY_ENCRYPTION_KEYS k1'];
    expect(await replace(gateway, { ...production, ...behind })).toEqual([warned, warned]);
    expect(await gateway.finished(job.id, { key: secret, headers: HTTPS })).toMatchObject({ status: 'completed' });

    const alone = { KEY_PEPPERS: newPepper, KEY_ENCRYPTION_KEYS: newSealing };
    expect(await replace(gateway, { ...production, ...alone })).toEqual([[], []]);
    expect((await gateway.call('GET', '/v1/usage', { key: secret, headers: HTTPS })).status).toBe(401);
    expect((await gateway.call('GET', '/v1/usage', { headers: HTTPS })).status).toBe(200);
  } finally {
    await gateway.stop();
  }
});
