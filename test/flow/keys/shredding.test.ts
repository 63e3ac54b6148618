/** Strict shredding: a copy of everything that is stored, with the encryption key, opens nothing once the secret of its period is gone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localDataKeys } from '../../../shared/keys/encryption/keyring.ts';
import { createSealer, USER_KEY_PURPOSE } from '../../../shared/keys/encryption/seal.ts';
import { EPHEMERAL_TAG, key, shardTag } from '../../../shared/storage/redis/names.ts';
import { createPeriodSecretStore } from '../../../shared/storage/secrets/period-secret-store.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { startProcess } from '../../support/processes/process.ts';
import { startOwnRedis, type TestRedis, withRedis } from '../../support/redis/redis.ts';
import { tenant } from '../../support/redis/tenants.ts';
import { until } from '../../support/until.ts';
import { keyringOf, ringText } from '../../unit/keys/rings.ts';

const RING = ringText('k1');
const HOUR_MS = 3_600_000;

let ephemeral: TestRedis;
let memory: Redis;
let gateway: TestGateway;
beforeAll(async () => {
  ephemeral = await startOwnRedis();
  memory = new Redis(ephemeral.url);
  // One test kills the server.
  memory.on('error', () => {});
  await memory.config('SET', 'appendonly', 'no');
  gateway = await startGateway({
    workers: 0,
    env: { KEY_SHREDDING: 'strict', EPHEMERAL_REDIS_URL: ephemeral.url, KEY_ENCRYPTION_KEYS: RING },
    sandbox: { record: { limit: 100, keys: 'clear' } },
  });
});
afterAll(async () => {
  memory.disconnect();
  await gateway.stop();
  await ephemeral.stop();
});

const submit = (text: string, deadlineSeconds = 3_600) =>
  gateway.submit(text, { headers: userKey(), fields: { model: 'gpt-4o', deadline_seconds: deadlineSeconds } });

test('a copy of the sealed key and the encryption key open nothing without the secret, and the job fails', async () => {
  const { id, deadline_at } = await submit('shredded');
  const copy = await withRedis(gateway.redis.url, (redis) => redis.get(key(shardTag(0), 'SEALED', id)));
  const binding = {
    tenant: tenant('acme'),
    subject: id,
    provider: 'openai',
    expiresAtMs: Date.parse(deadline_at),
  } as const;
  const secrets = createPeriodSecretStore({ redis: memory, onUnfit: () => {} });
  const dataKeys = localDataKeys(keyringOf(RING));
  const sealer = createSealer({ dataKeys, purpose: USER_KEY_PURPOSE, shredding: { secrets, strict: true } });
  expect(await sealer.open(copy ?? '', binding, Date.now())).toMatchObject({ ok: true });

  await memory.flushall();
  expect(await sealer.open(copy ?? '', binding, Date.now())).toEqual({ ok: false, reason: 'shredded' });
  const worker = await gateway.addWorker();
  expect(await gateway.finished(id)).toMatchObject({ status: 'failed', error: { code: 'user_key_expired' } });
  expect(gateway.callsWith('shredded')).toEqual([]);
  const told = await until('the worker says why', () => worker.log.find(({ msg }) => msg === 'user_key_not_opened'));
  expect(told).toMatchObject({ job_id: id, code: 'shredded' });
});

test('each hour in which keys expire has one secret, which goes a minute after the hour', async () => {
  await memory.flushall();
  const jobs = await Promise.all([600, 600, 4_200, 86_400].map((seconds) => submit('in its hour', seconds)));
  const hours = new Set(jobs.map(({ deadline_at }) => Math.floor(Date.parse(deadline_at) / HOUR_MS)));
  const names = await memory.keys('*');
  expect(names.toSorted()).toEqual(
    [...hours].map((hour) => key(EPHEMERAL_TAG, 'PERIOD_SECRET', String(hour))).toSorted(),
  );
  for (const hour of hours) {
    const goneMs = Date.now() + (await memory.pttl(key(EPHEMERAL_TAG, 'PERIOD_SECRET', String(hour))));
    expect(Math.abs(goneMs - ((hour + 1) * HOUR_MS + 60_000))).toBeLessThan(5_000);
  }
  for (const { id } of jobs) expect((await gateway.finished(id)).status).toBe('completed');
});

test('while the storage does not answer, requests on users’ keys get 503 and accepted jobs wait', async () => {
  await gateway.workers[0]?.stop();
  const { id } = await submit('patient');
  ephemeral.signal('SIGSTOP');
  try {
    const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'not accepted' }] };
    const answer = await gateway.call('POST', '/v1/complete', { headers: userKey(), body });
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'key_service_unavailable' } } });
    expect((await gateway.submit('on the platform’s account')).status).toBe('queued');
    await gateway.addWorker();
    const tried = async () => {
      const { attempts, status } = await gateway.read(id);
      return status === 'queued' && attempts.at(-1)?.outcome === 'unavailable';
    };
    await until('it was tried in vain', tried, { withinMs: 20_000 });
  } finally {
    ephemeral.signal('SIGCONT');
  }
  expect((await gateway.finished(id)).status).toBe('completed');
  expect(gateway.callsWith('not accepted')).toEqual([]);
});

test('storage with a log, snapshots or eviction is refused at the start, with all that is wrong with it', async () => {
  const unfit = { appendonly: 'yes', save: '60 1', 'maxmemory-policy': 'allkeys-lru' };
  for (const [name, value] of Object.entries(unfit)) await memory.config('SET', name, value);
  const folder = await mkdtemp(join(tmpdir(), 'gateway-shredding-'));
  const env = { ...gateway.env, DATA_DIR: folder };
  for (const child of [startProcess('api/main.ts', env), startProcess('worker/main.ts', env)]) {
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.otherOutput).toEqual([
      'EPHEMERAL_REDIS_URL is no memory-only storage: it needs appendonly no, save "", maxmemory-policy noeviction. What it holds must be gone with its process.',
    ]);
  }
  await rm(folder, { recursive: true, force: true });
});

test('storage that came to be so behind a running process is used no more', async () => {
  await ephemeral.kill();
  // Its own settings are back, a log among them.
  await ephemeral.restart();
  await until('it answers', () => memory.flushall());
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'not accepted' }] };
  const refused = async () => {
    const answer = await gateway.call('POST', '/v1/complete', { headers: userKey(), body });
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'key_service_unavailable' } } });
    return gateway.apis[0]?.log.some(({ msg }) => msg === 'ephemeral_redis_unfit');
  };
  await until('the API has looked at it again', refused);
  expect(await memory.dbsize()).toBe(0);
});

test('nothing is left out of place', () => expectInvariants(gateway.redis.url));
