/** The secrets that sign webhooks, across a rotation of the keys that seal them. */
import { expect, test } from 'vitest';
import { localDataKeys } from '../../../shared/keys/encryption/keyring.ts';
import { createSealer } from '../../../shared/keys/encryption/seal.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { createTenantStore } from '../../../shared/storage/tenants/tenant-store.ts';
import {
  createWebhookSecretStore,
  WEBHOOK_SECRET_PURPOSE,
} from '../../../shared/storage/webhooks/webhook-secret-store.ts';
import { tenant } from '../../support/redis/tenants.ts';
import { useRedis } from '../../support/redis/use-engine.ts';
import { keyringOf, ringText } from '../../unit/keys/rings.ts';

const { redis } = await useRedis();

const [oldKey, newKey] = [ringText('old'), ringText('new')];
const storeOf = (ring: string) =>
  createWebhookSecretStore({
    redis,
    run: createCommands(redis),
    shards: 2,
    sealer: createSealer({
      dataKeys: localDataKeys(keyringOf(ring)),
      purpose: WEBHOOK_SECRET_PURPOSE,
      shredding: null,
    }),
    now: Date.now,
  });
const textsOf = async (ring: string, name: string): Promise<(string | undefined)[]> => {
  const { secret, previous } = await storeOf(ring).read(tenant(name), 'pk_1');
  return [secret.reveal(), previous?.secret.reveal()];
};

test('every secret, also one that signs on after its rotation, is carried over to the new key, once', async () => {
  const names = Array.from({ length: 150 }, (_, index) => `tenant-${index}`);
  const before = storeOf(oldKey);
  for (const name of names) await before.read(tenant(name), 'pk_1');
  await before.rotate(tenant('tenant-7'), { overlapMs: 600_000, platformKey: 'key' });
  const texts = await Promise.all(names.map((name) => textsOf(oldKey, name)));
  expect(texts[7]?.[1]).toMatch(/^whsec_/);

  const both = storeOf(`${newKey},${oldKey}`);
  // Two workers at once do no harm.
  const [one, other] = await Promise.all([both.reseal(), storeOf(`${newKey},${oldKey}`).reseal()]);
  expect(one + other).toBe(names.length + 1);
  expect(await both.reseal()).toBe(0);
  expect(await Promise.all(names.map((name) => textsOf(newKey, name)))).toEqual(texts);
});

test('a secret that no key opens stops none of the others, and is told', async () => {
  await storeOf(ringText('lost')).read(tenant('unlucky'), 'pk_1');
  await storeOf(oldKey).read(tenant('lucky'), 'pk_1');
  await expect(storeOf(`${newKey},${oldKey}`).reseal()).rejects.toThrow('cannot be opened: unknown_key');
  expect(await textsOf(newKey, 'lucky')).toEqual([expect.stringMatching(/^whsec_/), undefined]);
});

test('those of a deleted tenant go when its jobs have run out', async () => {
  const tenants = createTenantStore({ redis, run: createCommands(redis), shards: 2, actor: 'command' });
  const { id } = await tenants.create({ name: 'short-lived' });
  await storeOf(oldKey).read(id, 'pk_1');
  await tenants.remove(id);
  const [name = ''] = await redis.keys(`*webhook-secrets:${id}`);
  expect(Math.round((await redis.pttl(name)) / 86_400_000)).toBe(14);
});
