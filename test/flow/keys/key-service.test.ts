/** Users' keys under a key service: nothing runs without it, and nothing that waits is lost to an outage of it. In order: processes keep what they once were told. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { type FakeKms, startFakeKms } from '../../support/network/fake-kms.ts';
import { OPENAI_KEY, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

let kms: FakeKms;
let gateway: TestGateway;
beforeAll(async () => {
  kms = await startFakeKms();
  gateway = await startGateway({
    workers: 0,
    env: { KMS_KEY_ID: kms.keyId, KMS_URL: kms.url, MAX_ATTEMPTS: '2' },
    sandbox: { record: { limit: 100, keys: 'clear' } },
  });
});
afterAll(async () => {
  await gateway.stop();
  await kms.close();
});

const onUserKey = { headers: userKey(), fields: { model: 'gpt-4o' } };

test('while KMS is away or denies, requests on users’ keys get 503, and all others are accepted', async () => {
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'not accepted' }] };
  for (const trouble of ['reset', { error: 'AccessDeniedException' }, { error: 'ThrottlingException' }] as const) {
    kms.judge(() => trouble);
    const answer = await gateway.call('POST', '/v1/complete', { headers: userKey(), body });
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'key_service_unavailable' } } });
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
  }
  expect((await gateway.submit('on the platform’s account')).status).toBe('queued');
});

test('a job whose key cannot be opened because KMS is away waits, and runs when it is back', async () => {
  kms.judge(({ operation }) => (operation === 'Decrypt' ? { error: 'KMSInternalException', status: 500 } : null));
  const { id } = await gateway.submit('after the outage sandbox:status=500 times=1', onUserKey);
  await gateway.addWorker();
  const tried = async () => {
    const job = await gateway.read(id);
    return job.attempts.length > 0 && job.status === 'queued' && job;
  };
  const { attempts, queue } = await until('it was tried', tried);
  expect([attempts[0]?.outcome, queue?.wait_reason]).toEqual(['unavailable', 'retry_backoff']);
  expect(gateway.callsWith('after the outage')).toEqual([]);
  kms.judge(null);
  // Of two calls one may fail: waiting for KMS did not count.
  expect((await gateway.finished(id)).status).toBe('completed');
  expect(gateway.callsWith('after the outage').map(({ key }) => key)).toEqual([OPENAI_KEY, OPENAI_KEY]);
});

test('a job whose key KMS will not open fails with user_key_expired, and the provider sees nothing', async () => {
  await gateway.workers[0]?.stop();
  kms.judge(() => ({ error: 'AccessDeniedException' }));
  const { id } = await gateway.submit('denied', onUserKey);
  await gateway.addWorker();
  expect(await gateway.finished(id)).toMatchObject({ status: 'failed', error: { code: 'user_key_expired' } });
  expect(gateway.callsWith('denied')).toEqual([]);
  expect(gateway.callsWith('not accepted')).toEqual([]);
});

test('nothing is left out of place', () => expectInvariants(gateway.redis.url));
