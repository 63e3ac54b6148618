/** AWS KMS through its real SDK, against a server on this machine. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKmsDataKeys, KEPT_MS, MOST_SEALS } from '../../shared/crypto/kms.ts';
import { type Binding, createSealer, KeyServiceUnavailable } from '../../shared/crypto/seal.ts';
import { Secret } from '../../shared/crypto/secret.ts';
import { createLog } from '../../shared/log.ts';
import { tenant } from '../shared/tenants.ts';
import { type FakeKms, startFakeKms } from '../support/fake-kms.ts';

/** What a call may take at most, with room for a busy machine; KMS is given up after 3 s. */
const WITHIN_MS = 4_500;

let kms: FakeKms;
let clock = 0;
let printed = '';
const closers: (() => void)[] = [];
beforeAll(async () => {
  // The SDK looks for them there; no other test of this process does.
  process.env.AWS_ACCESS_KEY_ID = 'test-access-key';
  process.env.AWS_SECRET_ACCESS_KEY = 'test-secret-key';
  kms = await startFakeKms();
});
afterAll(async () => {
  for (const close of closers) close();
  await kms.close();
});
beforeEach(() => {
  kms.judge(null);
  kms.calls.length = 0;
  printed = '';
});

/** A process of its own, as far as its caches go. */
const dataKeysOf = (...keyIds: [string, ...string[]]) => {
  const write = (line: string): void => {
    printed += line;
  };
  const log = createLog({ level: 'info', process: 'test' }, { write });
  const settings = { keyIds, region: 'us-east-1', url: kms.url };
  const dataKeys = createKmsDataKeys({ ...settings, elapsed: () => clock, log });
  closers.push(dataKeys.close);
  return dataKeys;
};
const count = (operation: string): number => kms.calls.filter((call) => call.operation === operation).length;

const NOW = 1_700_000_000_000;
const binding: Binding = { tenant: tenant('acme'), subject: 'job_1', provider: 'openai', expiresAtMs: NOW + 60_000 };
const KEY = 'sk-user-4dZq8Xw2Lk9TbN3v';

test('what one process seals, another opens, and KMS sees nothing of key, tenant or job', async () => {
  const sealed = await createSealer({ dataKeys: dataKeysOf(kms.keyId), purpose: 'user-key', shredding: null }).seal(
    new Secret(KEY),
    binding,
  );
  const other = createSealer({ dataKeys: dataKeysOf(kms.keyId), purpose: 'user-key', shredding: null });
  const opened = await other.open(sealed, binding, NOW);
  expect(opened.ok && opened.secret.reveal()).toBe(KEY);
  const EncryptionContext = { application: 'llm-gateway' };
  expect(kms.calls).toEqual([
    { operation: 'GenerateDataKey', KeyId: kms.keyId, EncryptionContext },
    { operation: 'Decrypt', KeyId: kms.keyId, EncryptionContext },
  ]);
  expect(await other.open(sealed, { ...binding, subject: 'job_2' }, NOW)).toEqual({ ok: false, reason: 'corrupt' });
});

describe('a data key is kept', () => {
  test(`for ${MOST_SEALS} seals, also when all come at once`, async () => {
    const { issue } = dataKeysOf(kms.keyId);
    const issued = await Promise.all(Array.from({ length: MOST_SEALS }, issue));
    expect(new Set(issued.map(({ wrapped }) => wrapped.toString('hex'))).size).toBe(1);
    expect(count('GenerateDataKey')).toBe(1);
    const next = await issue();
    expect(next.wrapped).not.toEqual(issued[0]?.wrapped);
    expect(count('GenerateDataKey')).toBe(2);
  });

  test('for five minutes, for sealing and for opening', async () => {
    const { issue, recover } = dataKeysOf(kms.keyId);
    const { keyId, wrapped } = await issue();
    const opened = await Promise.all([recover(keyId, wrapped), recover(keyId, Buffer.from(wrapped))]);
    expect(opened.map(({ ok }) => ok)).toEqual([true, true]);
    clock += KEPT_MS - 1;
    await Promise.all([issue(), recover(keyId, wrapped)]);
    expect([count('GenerateDataKey'), count('Decrypt')]).toEqual([1, 1]);
    clock += 1;
    await Promise.all([issue(), recover(keyId, wrapped)]);
    expect([count('GenerateDataKey'), count('Decrypt')]).toEqual([2, 2]);
  });
});

test('rotation: the first key seals, and what an older one sealed opens while that is in the list', async () => {
  const old = await dataKeysOf(kms.keyId).issue();
  const both = dataKeysOf(kms.otherKeyId, kms.keyId);
  expect((await both.recover(old.keyId, old.wrapped)).ok).toBe(true);
  const { keyId } = await both.issue();
  expect(kms.calls.at(-1)?.KeyId).toBe(kms.otherKeyId);
  expect(keyId).not.toBe(old.keyId);
  const asked = kms.calls.length;
  expect(await dataKeysOf(kms.otherKeyId).recover(old.keyId, old.wrapped)).toEqual({
    ok: false,
    reason: 'unknown_key',
  });
  expect(kms.calls).toHaveLength(asked);
});

describe('a wrapped key is final where KMS', () => {
  test.each(['AccessDeniedException', 'DisabledException', 'KMSInvalidStateException', 'NotFoundException'])(
    'says %s',
    async (error) => {
      const { issue, recover } = dataKeysOf(kms.keyId);
      const { keyId, wrapped } = await issue();
      kms.judge(() => ({ error }));
      expect(await recover(keyId, wrapped)).toEqual({ ok: false, reason: 'refused' });
      // Not remembered: the permission may come back.
      kms.judge(null);
      expect((await recover(keyId, wrapped)).ok).toBe(true);
    },
  );

  test('finds it changed, cut off or wrapped by another key', async () => {
    const { issue, recover } = dataKeysOf(kms.keyId, kms.otherKeyId);
    const { keyId, wrapped } = await issue();
    const flipped = Buffer.from(wrapped);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    const foreign = await dataKeysOf(kms.otherKeyId).issue();
    for (const [name, bytes] of [
      [keyId, flipped],
      [keyId, wrapped.subarray(0, -1)],
      [keyId, foreign.wrapped],
      [foreign.keyId, wrapped],
    ] as const) {
      expect(await recover(name, bytes)).toEqual({ ok: false, reason: 'corrupt' });
    }
  });
});

describe('nothing is sealed, opening waits, and both end in time, where KMS', () => {
  const SHORT = { KeyId: 'x', CiphertextBlob: 'AAAA', Plaintext: Buffer.alloc(16).toString('base64') };
  const rows: [string, Parameters<FakeKms['judge']>[0]][] = [
    ['does not answer', () => 'silence'],
    ['answers slowly', () => ({ delayMs: 30_000 })],
    ['throttles', () => ({ error: 'ThrottlingException' })],
    ['is at its limit', () => ({ error: 'LimitExceededException' })],
    ['fails', () => ({ error: 'KMSInternalException', status: 500 })],
    ['is not there', () => ({ error: 'DependencyTimeoutException', status: 503 })],
    ['has its key material elsewhere, which is away', () => ({ error: 'KeyUnavailableException', status: 500 })],
    ['does not know who asks', () => ({ error: 'UnrecognizedClientException' })],
    ['finds the credentials expired', () => ({ error: 'ExpiredTokenException' })],
    ['resets the connection', () => 'reset'],
    ['breaks off in the middle', () => 'cut'],
    ['answers with something else', () => ({ text: '<html>a proxy</html>' })],
    ['answers without a key', () => ({ answer: {} })],
    ['answers with a short key', () => ({ answer: SHORT })],
  ];
  test.each(rows)('%s', async (_, trouble) => {
    const { issue, recover } = dataKeysOf(kms.keyId);
    const { keyId, wrapped } = await dataKeysOf(kms.keyId).issue();
    kms.judge(trouble);
    const startedMs = performance.now();
    const [issued, recovered] = await Promise.allSettled([issue(), recover(keyId, wrapped)]);
    expect(performance.now() - startedMs).toBeLessThan(WITHIN_MS);
    expect(issued.status === 'rejected' && issued.reason).toBeInstanceOf(KeyServiceUnavailable);
    expect(recovered).toEqual({ status: 'fulfilled', value: { ok: false, reason: 'unavailable' } });
    // No more than one retry.
    for (const operation of ['GenerateDataKey', 'Decrypt']) expect(count(operation)).toBeLessThanOrEqual(3);
    kms.judge(null);
    expect((await recover(keyId, wrapped)).ok).toBe(true);
    expect((await issue()).dataKey.symmetricKeySize).toBe(32);
  });

  test.each(['AccessDeniedException', 'DisabledException', 'NotFoundException'])(
    'says %s to a new key',
    async (error) => {
      const { issue } = dataKeysOf(kms.keyId);
      kms.judge(() => ({ error }));
      await expect(issue()).rejects.toThrow(KeyServiceUnavailable);
    },
  );
});

test('a short trouble is passed over: one retry', async () => {
  const { issue } = dataKeysOf(kms.keyId);
  let first = true;
  kms.judge(() => {
    const trouble = first ? ({ error: 'KMSInternalException', status: 500 } as const) : null;
    first = false;
    return trouble;
  });
  expect((await issue()).dataKey.symmetricKeySize).toBe(32);
  expect(count('GenerateDataKey')).toBe(2);
});

describe('what the log says of trouble', () => {
  afterEach(() => expect(printed).not.toContain('the fake says'));
  test('is the operation and AWS’s name of the error, and nothing that KMS wrote besides', async () => {
    kms.judge(() => ({ error: 'AccessDeniedException' }));
    await dataKeysOf(kms.keyId)
      .issue()
      .catch(() => {});
    expect(JSON.parse(printed)).toMatchObject({
      msg: 'key_service_failed',
      operation: 'GenerateDataKey',
      code: 'AccessDeniedException',
    });
  });
  test('is no name that is none', async () => {
    kms.judge(() => ({ error: 'sk-proj-4dZq8Xw2Lk9TbN3v' }));
    await dataKeysOf(kms.keyId)
      .issue()
      .catch(() => {});
    expect(JSON.parse(printed)).toMatchObject({ code: 'UnknownError' });
    expect(printed).not.toContain('4dZq8');
  });
});
