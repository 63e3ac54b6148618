import { expect, test } from 'vitest';
import { Secret } from '../../../shared/keys/secret.ts';
import { createFingerprints } from '../../../shared/keys/user/fingerprint.ts';
import { tenant } from '../../support/redis/tenants.ts';
import { FIXED_RING, peppersOf, ringText } from './rings.ts';

const pepper = ringText('a');
const fingerprints = createFingerprints(peppersOf(pepper));
const fingerprint = (...of: Parameters<typeof fingerprints>): string => fingerprints(...of)[0];
const acme = tenant('acme');
const key = new Secret('sk-user-4dZq8Xw2Lk9TbN3v');

test('the same key of the same tenant has the same fingerprint in every process with the same first pepper', () => {
  const elsewhere = createFingerprints(peppersOf(`${pepper},${ringText('older')}`));
  expect(fingerprint(acme, 'openai', key)).toMatch(/^[A-Za-z0-9_-]{16}$/);
  expect(elsewhere(acme, 'openai', new Secret(key.reveal()))[0]).toBe(fingerprint(acme, 'openai', key));
});

test('a key has one fingerprint for each pepper, so it is recognised on both sides of a rotation', () => {
  const newer = ringText('b');
  const before = createFingerprints(peppersOf(`${pepper},${newer}`))(acme, 'openai', key);
  const after = createFingerprints(peppersOf(`${newer},${pepper}`))(acme, 'openai', key);
  expect(before).toEqual([fingerprint(acme, 'openai', key), after[0]]);
  expect(after).toEqual(before.toReversed());
});

test('another tenant, provider, key or pepper has another fingerprint', () => {
  const prints = [
    fingerprint(acme, 'openai', key),
    fingerprint(tenant('acme2'), 'openai', key),
    fingerprint(acme, 'anthropic', key),
    fingerprint(acme, 'openai', new Secret(`${key.reveal()}x`)),
    createFingerprints(peppersOf(ringText('a')))(acme, 'openai', key)[0],
  ];
  expect(new Set(prints).size).toBe(prints.length);
});

test('fingerprints stay the same from one release to the next', () => {
  expect(createFingerprints(peppersOf(FIXED_RING))(acme, 'openai', key)).toEqual(['RV6fZYy-7g9ci3YF']);
});
