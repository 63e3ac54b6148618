/** Whoever can write to Redis can make a job fail, and never make it run on a key that was not sealed for it. */
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, startGateway, userKey } from '../../support/processes/gateway.ts';

const TAG = shardTag(0);

/** The last field of a seal is nonce, ciphertext and tag. */
const changeBody = (seal: string, change: (bytes: Buffer) => Buffer): string => {
  const fields = seal.split('.');
  return fields.with(-1, change(Buffer.from(fields.at(-1) ?? '', 'base64url')).toString('base64url')).join('.');
};
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
};

type Seals = { own: string; ofSameTenant: string; ofOtherTenant: string; ofOtherProvider: string };
const SEAL_CHANGES: [what: string, change: (seals: Seals) => string | null][] = [
  ['a bit of the nonce flipped', ({ own }) => changeBody(own, (bytes) => flipped(bytes, 0))],
  ['a bit of the ciphertext flipped', ({ own }) => changeBody(own, (bytes) => flipped(bytes, 14))],
  ['a bit of the tag flipped', ({ own }) => changeBody(own, (bytes) => flipped(bytes, bytes.length - 1))],
  ['its tag cut to 12 bytes', ({ own }) => changeBody(own, (bytes) => bytes.subarray(0, -4))],
  ['an unknown key id', ({ own }) => own.replace(/^v1\.[^.]+/, 'v1.unknown')],
  ['another version', ({ own }) => own.replace(/^v1/, 'v2')],
  ['the seal of another job', ({ ofSameTenant }) => ofSameTenant],
  ['the seal of another tenant', ({ ofOtherTenant }) => ofOtherTenant],
  ['the seal of a key of another provider', ({ ofOtherProvider }) => ofOtherProvider],
  ['a key in clear', () => OPENAI_KEY],
  ['no seal', () => null],
];
const RECORD_CHANGES: [what: string, change: (job: Job) => Record<string, string>][] = [
  ['another provider in its record', () => ({ provider: 'anthropic' })],
  ['the platform’s account in its record', () => ({ credential: 'platform', provider: 'bedrock' })],
  ['another tenant in its record', () => ({ tenant: 'beta' })],
  ['a later deadline in its record', (job) => ({ deadline: String(Date.parse(job.deadline_at) + 3_600_000) })],
];

test('a job whose seal or record was changed fails with user_key_expired, and no provider is called', async () => {
  // Without a look at the invariants: a record that was falsified breaks them.
  const gateway = await startGateway({ workers: 0, sandbox: { record: { limit: 100, keys: 'clear' } } });
  const redis = new Redis(gateway.redis.url);
  try {
    const submit = (text: string, key: keyof typeof KEYS = 'acme', headers = userKey()) =>
      gateway.submit(text, { key: KEYS[key], headers, fields: { model: 'some-model' } });
    const sealOf = async ({ id }: Job): Promise<string> => (await redis.get(key(TAG, 'SEALED', id))) ?? '';
    const untouched = await submit('untouched');
    const [ofSameTenant, ofOtherTenant, ofOtherProvider] = await Promise.all([
      submit('other job').then(sealOf),
      submit('other tenant', 'beta').then(sealOf),
      submit('other provider', 'acme', userKey(ANTHROPIC_KEY, 'anthropic')).then(sealOf),
    ]);

    const tampered: { what: string; id: string }[] = [];
    for (const [what, change] of SEAL_CHANGES) {
      const job = await submit(`tampered: ${what}`);
      const seal = change({ own: await sealOf(job), ofSameTenant, ofOtherTenant, ofOtherProvider });
      if (seal === null) await redis.del(key(TAG, 'SEALED', job.id));
      else await redis.set(key(TAG, 'SEALED', job.id), seal, 'KEEPTTL');
      tampered.push({ what, id: job.id });
    }
    for (const [what, change] of RECORD_CHANGES) {
      const job = await submit(`tampered: ${what}`);
      await redis.hset(key(TAG, 'JOB', job.id), change(job));
      tampered.push({ what, id: job.id });
    }

    await gateway.addWorker();
    expect((await gateway.finished(untouched.id)).status).toBe('completed');
    for (const { what, id } of tampered) {
      // As it is stored: one of them is in the wrong tenant's hands now.
      const ended = async () => redis.hmget(key(TAG, 'JOB', id), 'status', 'error');
      await expect.poll(ended, { timeout: 10_000, message: what }).toEqual(['failed', 'user_key_expired']);
    }
    expect(gateway.callsWith('tampered')).toEqual([]);
  } finally {
    redis.disconnect();
    await gateway.stop();
  }
});
