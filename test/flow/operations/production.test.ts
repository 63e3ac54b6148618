/** The gateway as production demands it: Redis with a password over TLS, and requests over HTTPS through a trusted proxy. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../../dev/private-redis.ts';
import { ADMIN_TOKEN } from '../../support/clients/operator.ts';
import { expectRefusal, type Received } from '../../support/clients/refusal.ts';
import { makeCertificate } from '../../support/network/certificate.ts';
import {
  KEYS,
  OPENAI_KEY,
  startGateway,
  type TestApi,
  type TestGateway,
  userKey,
} from '../../support/processes/gateway.ts';
import { startOwnRedis, withRedis } from '../../support/redis/redis.ts';
import { ringText } from '../../unit/keys/rings.ts';

const PASSWORD = 'q7Vf2mXw9Lc4TzHs';
const MOST_FAILURES = 3;

let folder = '';
let gateway: TestGateway;
let strict: TestApi;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-production-'));
  const { key, cert } = makeCertificate(['127.0.0.1']);
  const [keyFile, certFile, ringFile] = ['redis.key', 'redis.cert', 'ring'].map((name) => join(folder, name));
  await Promise.all([
    writeFile(keyFile ?? '', key),
    writeFile(certFile ?? '', cert),
    writeFile(ringFile ?? '', ringText('k2', 'k1').replace(',', '\n'), { mode: 0o400 }),
  ]);
  const redis = await startOwnRedis();
  const port = await findFreePort();
  await withRedis(redis.url, async (client) => {
    const settings = ['tls-cert-file', certFile, 'tls-key-file', keyFile, 'tls-auth-clients', 'no', 'tls-port', port];
    await client.call('CONFIG', 'SET', ...settings.map((setting) => String(setting)));
    await client.config('SET', 'maxmemory', '1gb');
    await client.config('SET', 'requirepass', PASSWORD);
  });
  gateway = await startGateway({
    redis: { ...redis, url: `rediss://:${PASSWORD}@127.0.0.1:${port}` },
    env: {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      KEY_PEPPERS: ringText('p1'),
      KEY_ENCRYPTION_FILE: ringFile ?? '',
      NODE_EXTRA_CA_CERTS: certFile ?? '',
      TRUSTED_PROXIES: '127.0.0.1',
      AUTH_FAILURES_PER_MINUTE: String(MOST_FAILURES),
      ADMIN_TOKEN,
    },
    sandbox: { record: { limit: 100, keys: 'clear' } },
  });
  strict = await gateway.addApi({ TRUSTED_PROXIES: '192.0.2.7' });
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true, force: true });
});

const HTTPS = { 'X-Forwarded-Proto': 'https' };
const REFUSED = { status: 400, code: 'https_required', param: null, message: /HTTPS only.*replace it/ };

test('a job on a user’s key runs', async () => {
  const headers = { ...HTTPS, ...userKey() };
  const { id } = await gateway.submit('in production', { headers, fields: { model: 'gpt-4o' } });
  expect(await gateway.finished(id, { headers: HTTPS })).toMatchObject({ status: 'completed', credential: 'user' });
  expect(gateway.callsWith('in production').map(({ key }) => key)).toEqual([OPENAI_KEY]);
});

describe('plain HTTP is refused, not redirected,', () => {
  test.each<[string, Record<string, string>]>([
    ['without a word of a proxy', {}],
    ['where the proxy says http', { 'X-Forwarded-Proto': 'http' }],
    ['where one of two proxies says http', { 'X-Forwarded-Proto': 'https, http' }],
    ['in spite of other headers', { Forwarded: 'proto=https', 'X-Forwarded-Ssl': 'on', 'X-Forwarded-Port': '443' }],
  ])('%s', async (_, headers) => {
    for (const path of ['/v1/complete', '/v1/jobs', '/v1/nowhere', '/admin/tenants', '/nowhere']) {
      const method = path === '/v1/complete' ? 'POST' : 'GET';
      const body = method === 'POST' ? { body: { messages: [{ role: 'user', content: 'in clear' }] } } : {};
      expectRefusal(await gateway.call(method, path, { headers: { ...headers, ...userKey() }, ...body }), REFUSED);
    }
    expect(gateway.callsWith('in clear')).toEqual([]);
  });
  test('where whoever says https is no trusted proxy', async () => {
    expectRefusal(await gateway.call('GET', '/v1/jobs', { headers: HTTPS, api: strict }), REFUSED);
  });
  test('but the probes are answered', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await gateway.call('GET', path)).status).toBe(200);
  });
});

test('failed authentications count for the client behind the proxy, whatever it writes itself', async () => {
  const good = { ...HTTPS, 'X-Forwarded-For': '198.51.100.1' };
  expect((await gateway.call('GET', '/v1/usage', { key: KEYS.acme, headers: good })).status).toBe(200);
  const wrong = async (forwarded: string): Promise<Received> =>
    gateway.call('GET', '/v1/usage', {
      key: 'wrong-platform-key-0001',
      headers: { ...HTTPS, 'X-Forwarded-For': forwarded },
    });
  for (let count = 0; count < MOST_FAILURES; count++) {
    expectRefusal(await wrong(`203.0.113.${count}, 198.51.100.1`), { status: 401, code: 'invalid_api_key' });
  }
  expectRefusal(await wrong('203.0.113.9, 198.51.100.1'), { status: 429, code: 'rate_limited' });
  expectRefusal(await wrong('198.51.100.2'), { status: 401, code: 'invalid_api_key' });
  expect((await gateway.call('GET', '/v1/usage', { key: KEYS.acme, headers: good })).status).toBe(200);
});
