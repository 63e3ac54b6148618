import { expect, test } from 'vitest';
import { createFingerprints } from '../../../shared/crypto/fingerprint.ts';
import { Secret } from '../../../shared/crypto/secret.ts';
import { tenant } from '../tenants.ts';
import { FIXED_RING, peppersOf, ringText } from './rings.ts';

const pepper = ringText('a');
const fingerprint = createFingerprints(peppersOf(pepper));
const acme = tenant('acme');
const key = new Secret('sk-user-4dZq8Xw2Lk9TbN3v');

test('the same key of the same tenant has the same fingerprint in every process with the same first pepper', () => {
  const elsewhere = createFingerprints(peppersOf(`${pepper},${ringText('older')}`));
  expect(fingerprint(acme, 'openai', key)).toMatch(/^[A-Za-z0-9_-]{16}$/);
  expect(elsewhere(acme, 'openai', new Secret(key.reveal()))).toBe(fingerprint(acme, 'openai', key));
});

test('another tenant, provider, key or pepper has another fingerprint', () => {
  const prints = [
    fingerprint(acme, 'openai', key),
    fingerprint(tenant('acme2'), 'openai', key),
    fingerprint(acme, 'anthropic', key),
    fingerprint(acme, 'openai', new Secret(`${key.reveal()}x`)),
    createFingerprints(peppersOf(ringText('a')))(acme, 'openai', key),
  ];
  expect(new Set(prints).size).toBe(prints.length);
});

test('fingerprints stay the same from one release to the next', () => {
  expect(createFingerprints(peppersOf(FIXED_RING))(acme, 'openai', key)).toBe('RV6fZYy-7g9ci3YF');
});
