import { createServer } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createKmsDataKeys, KEPT_MS, MOST_SEALS } from '../../shared/keys/encryption/kms.ts';
import { type Binding, createSealer, KeyServiceUnavailable } from '../../shared/keys/encryption/seal.ts';
import { Secret } from '../../shared/keys/secret.ts';
import { createLog } from '../../shared/process/log.ts';
import { type FakeKms, startFakeKms } from '../support/network/fake-kms.ts';
import { listen } from '../support/network/listen.ts';
import { tenant } from '../support/redis/tenants.ts';
import { until } from '../support/until.ts';

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
  process.env.AWS_BEARER_TOKEN_BEDROCK = 'test-bedrock-key';
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

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

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
    { operation: 'GenerateDataKey', KeyId: kms.keyId, EncryptionContext, signedBy: 'AWS4-HMAC-SHA256 test-access-key' },
    { operation: 'Decrypt', KeyId: kms.keyId, EncryptionContext, signedBy: 'AWS4-HMAC-SHA256 test-access-key' },
  ]);
  expect(await other.open(sealed, { ...binding, subject: 'job_2' }, NOW)).toEqual({ ok: false, reason: 'corrupt' });
});

describe('a data key is kept', () => {
  test('no longer than that in memory either, though nobody asks again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const [sealing, opening] = [dataKeysOf(kms.keyId), dataKeysOf(kms.keyId)];
      const held: WeakRef<object>[] = [];
      // In a frame of its own, so that this one holds none of them.
      const use = async (): Promise<void> => {
        const { keyId, wrapped, dataKey } = await sealing.issue();
        const recovered = await opening.recover(keyId, wrapped);
        if (!recovered.ok) throw new Error(recovered.reason);
        held.push(new WeakRef(dataKey), new WeakRef(recovered.dataKey));
      };
      await use();
      const isHeld = async (): Promise<boolean[]> => {
        // What a turn of the event loop has used is let go in a later one.
        await new Promise((resolve) => setImmediate(resolve));
        collect();
        return held.map((each) => each.deref() !== undefined);
      };
      clock += KEPT_MS - 1;
      vi.advanceTimersByTime(KEPT_MS - 1);
      expect(await isHeld()).toEqual([true, true]);
      clock += 1;
      vi.advanceTimersByTime(1);
      expect(await isHeld()).toEqual([false, false]);
    } finally {
      vi.useRealTimers();
    }
  });

  test(`for ${MOST_SEALS} seals, also when all come at once`, async () => {
    const { issue } = dataKeysOf(kms.keyId);
    const issued = await Promise.all(Array.from({ length: MOST_SEALS }, issue));
    expect(new Set(issued.map(({ wrapped }) => wrapped.toString('hex'))).size).toBe(1);
    expect(count('GenerateDataKey')).toBe(1);
    const next = await issue();
    expect(next.wrapped).not.toEqual(issued[0]?.wrapped);
    expect(count('GenerateDataKey')).toBe(2);
  });

  test('once it is opened, with 999 others: then the one that was opened first is asked for again', async () => {
    kms.judge(() => ({ answer: { Plaintext: Buffer.alloc(32, 7).toString('base64') } }));
    const { activeId, recover } = dataKeysOf(kms.keyId);
    const open = async (number: number): Promise<number> => {
      expect((await recover(activeId, Buffer.from(`wrapped key ${number}`))).ok).toBe(true);
      return count('Decrypt');
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, number) => open(number)));
    expect([await open(0), await open(1_000)]).toEqual([1_000, 1_001]);
    expect([await open(1), await open(999), await open(0)]).toEqual([1_001, 1_001, 1_002]);
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

test('the name of a key in a seal stays the same from one release to the next, and tells nothing of the key', () => {
  const { activeId, hasOlder } = dataKeysOf(kms.keyId);
  expect([activeId, hasOlder]).toEqual(['kms-0ee49f6f7aa2', false]);
  const rotated = dataKeysOf(kms.otherKeyId, kms.keyId);
  expect(rotated.activeId).toMatch(/^kms-[0-9a-f]{12}$/);
  expect([rotated.activeId === activeId, rotated.hasOlder]).toEqual([false, true]);
});

test('a refusal that comes late throws away no newer key', async () => {
  const { issue, recover } = dataKeysOf(kms.keyId);
  const { keyId, wrapped } = await dataKeysOf(kms.keyId).issue();
  kms.judge(() => ({ error: 'AccessDeniedException', delayMs: 100 }));
  const late = [issue(), recover(keyId, wrapped)] as const;
  await until('KMS was asked', () => kms.calls.length === 3);
  kms.judge(null);
  clock += KEPT_MS;
  const newer = await issue();
  expect((await recover(keyId, wrapped)).ok).toBe(true);
  await expect(late[0]).rejects.toThrow(KeyServiceUnavailable);
  expect(await late[1]).toEqual({ ok: false, reason: 'refused' });
  const asked = kms.calls.length;
  expect((await issue()).wrapped).toEqual(newer.wrapped);
  expect((await recover(keyId, wrapped)).ok).toBe(true);
  expect(kms.calls).toHaveLength(asked);
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
  test.each([
    ['AccessDeniedException', 'refused'],
    ['DisabledException', 'refused'],
    ['KMSInvalidStateException', 'refused'],
    ['NotFoundException', 'refused'],
    ['IncorrectKeyException', 'corrupt'],
    ['InvalidCiphertextException', 'corrupt'],
  ])('says %s', async (error, reason) => {
    const { issue, recover } = dataKeysOf(kms.keyId);
    const { keyId, wrapped } = await issue();
    kms.judge(() => ({ error }));
    expect(await recover(keyId, wrapped)).toEqual({ ok: false, reason });
    // Not remembered: the permission may come back.
    kms.judge(null);
    expect((await recover(keyId, wrapped)).ok).toBe(true);
  });

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
  /** The calls it takes: one, and one more where that may help. */
  const rows: [string, Parameters<FakeKms['judge']>[0], calls: number][] = [
    ['does not answer', () => 'silence', 2],
    ['answers slowly', () => ({ delayMs: 30_000 }), 2],
    ['throttles', () => ({ error: 'ThrottlingException' }), 2],
    ['is at its limit', () => ({ error: 'LimitExceededException' }), 2],
    ['fails', () => ({ error: 'KMSInternalException', status: 500 }), 2],
    ['is not there', () => ({ error: 'DependencyTimeoutException', status: 503 }), 2],
    ['has its key material elsewhere, which is away', () => ({ error: 'KeyUnavailableException', status: 500 }), 2],
    ['does not know who asks', () => ({ error: 'UnrecognizedClientException' }), 1],
    ['finds the credentials expired', () => ({ error: 'ExpiredTokenException' }), 1],
    ['resets the connection', () => 'reset', 2],
    ['breaks off in the middle', () => 'cut', 2],
    ['answers with something else', () => ({ text: '<html>a proxy</html>' }), 1],
    ['answers without a key', () => ({ answer: {} }), 1],
    ['answers with a short key', () => ({ answer: SHORT }), 1],
  ];
  test.each(rows)('%s', async (_, trouble, calls) => {
    const { issue, recover } = dataKeysOf(kms.keyId);
    const { keyId, wrapped } = await dataKeysOf(kms.keyId).issue();
    kms.calls.length = 0;
    kms.judge(trouble);
    const startedMs = performance.now();
    const [issued, recovered] = await Promise.allSettled([issue(), recover(keyId, wrapped)]);
    expect(performance.now() - startedMs).toBeLessThan(WITHIN_MS);
    expect(issued.status === 'rejected' && issued.reason).toBeInstanceOf(KeyServiceUnavailable);
    expect(recovered).toEqual({ status: 'fulfilled', value: { ok: false, reason: 'unavailable' } });
    for (const operation of ['GenerateDataKey', 'Decrypt']) expect(count(operation)).toBe(calls);
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

test('credentials that do not come hold nobody up', async () => {
  const silent = createServer(() => {});
  const port = await listen(silent);
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  try {
    const startedMs = performance.now();
    await expect(dataKeysOf(kms.keyId).issue()).rejects.toThrow(KeyServiceUnavailable);
    expect(performance.now() - startedMs).toBeLessThan(WITHIN_MS);
    expect(JSON.parse(printed)).toMatchObject({ code: 'TimeLimit' });
    expect(kms.calls).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
    silent.closeAllConnections();
    silent.close();
  }
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
  test('is our own name of it where AWS has none', async () => {
    kms.judge(() => ({ answer: { Plaintext: Buffer.alloc(32, 7).toString('base64') } }));
    const { activeId, issue, recover } = dataKeysOf(kms.keyId);
    await issue().catch(() => {});
    kms.judge(() => ({ answer: {} }));
    await recover(activeId, Buffer.from('wrapped'));
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { level: 40, operation: 'GenerateDataKey', code: 'WrongAnswer' },
      { level: 40, operation: 'Decrypt', code: 'WrongAnswer' },
    ]);
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
