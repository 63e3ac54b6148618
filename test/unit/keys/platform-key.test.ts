import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPlatformKeySecrets, isManagedKey, platformKeyIdOf } from '../../../shared/keys/platform/platform-key.ts';
import { FIXED_RING, peppersOf, ringText } from './rings.ts';

const OLD = ringText('old');
const NEW = ringText('new');
const secretsOf = (text: string) => createPlatformKeySecrets(peppersOf(text));
const secrets = secretsOf(NEW);

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'.split('');

test('a key has a public id, 200 random bits and the CRC32 of what stands before it', () => {
  const { id, text } = secrets.issue();
  const [, body, secret = '', crc = ''] = /^gk_([0-9a-z]{26})_([0-9a-z]{40})([0-9a-z]{7})$/.exec(text.reveal()) ?? [];
  expect(id).toBe(`key_${body}`);
  expect(secret.split('').every((character) => ALPHABET.includes(character))).toBe(true);
  const number = crc.split('').reduce((sum, character) => sum * 32 + ALPHABET.indexOf(character), 0);
  expect(number).toBe(crc32(`gk_${body}_${secret}`));
  expect(platformKeyIdOf(text.reveal())).toBe(id);
  expect(isManagedKey(text.reveal())).toBe(true);
});

test('no two keys have an id, a secret or a digest in common', () => {
  const keys = Array.from({ length: 200 }, () => secrets.issue());
  const parts = keys.flatMap(({ id, text, digest }) => [id, text.reveal().slice(30, 70), digest]);
  expect(new Set(parts).size).toBe(600);
});

test('a key with any one character changed, two swapped, one missing or one more is no key, before anybody is asked', () => {
  const key = secrets.issue().text.reveal();
  fc.assert(
    fc.property(fc.nat(key.length - 1), fc.constantFrom(...ALPHABET, '_', 'A', 'o', ' ', 'é'), (at, other) => {
      fc.pre(key[at] !== other);
      expect(platformKeyIdOf(key.slice(0, at) + other + key.slice(at + 1))).toBeNull();
      expect(platformKeyIdOf(key.slice(0, at) + other + key.slice(at))).toBeNull();
      expect(platformKeyIdOf(key.slice(0, at) + key.slice(at + 1))).toBeNull();
    }),
    { numRuns: 1_000 },
  );
  for (let at = 0; at + 1 < key.length; at++) {
    const swapped = key.slice(0, at) + key.charAt(at + 1) + key.charAt(at) + key.slice(at + 2);
    if (swapped !== key) expect(platformKeyIdOf(swapped)).toBeNull();
  }
  for (const text of ['', 'gk_', key.toUpperCase(), ` ${key}`, `${key}\n`, key.repeat(2)]) {
    expect(platformKeyIdOf(text)).toBeNull();
  }
});

test('no text makes it throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.string().map((text) => `gk_${text}`),
      ),
      (text) => {
        expect(platformKeyIdOf(text)).toBeNull();
        expect(secrets.matches(text, secrets.issue())).toBe(false);
        expect(secrets.matches(text, null)).toBe(false);
      },
    ),
  );
});

test('a key matches what is stored of it, and nothing else does', () => {
  const [one, two] = [secrets.issue(), secrets.issue()];
  expect(secrets.matches(one.text.reveal(), one)).toBe(true);
  expect(secrets.matches(two.text.reveal(), one)).toBe(false);
  expect(secrets.matches(one.text.reveal(), null)).toBe(false);
  expect(secrets.matches(one.text.reveal(), { ...one, digest: '' })).toBe(false);
  expect(secrets.matches(one.text.reveal(), { ...one, digest: one.digest.slice(0, -2) })).toBe(false);
});

test('a key made under an older pepper matches while that pepper is in the list, and new ones are made under the first', () => {
  const made = secretsOf(OLD).issue();
  const both = secretsOf(`${NEW},${OLD}`);
  expect(both.matches(made.text.reveal(), made)).toBe(true);
  expect(both.issue().pepper).toBe('new');
  expect(secrets.matches(made.text.reveal(), made)).toBe(false);
  // Another secret under the same id is another pepper.
  expect(secretsOf(ringText('old')).matches(made.text.reveal(), made)).toBe(false);
});

test('a key issued by an earlier release matches what was stored of it', () => {
  const text = 'gk_01m83w9xnxensr4zac3qv8gwqp_zmfjg7mr2v5jtaym2gt8wzcp9rmstzj7kyh53gck240fck6';
  const stored = { pepper: 'test', digest: 'dTFVoyqHs40R2tNqqMvicctl-7-EzKah_COcjRtg-mU' };
  expect(platformKeyIdOf(text)).toBe('key_01m83w9xnxensr4zac3qv8gwqp');
  expect(secretsOf(FIXED_RING).matches(text, stored)).toBe(true);
});

test('what is stored or printed of a key holds no part of its secret', () => {
  const { text, ...stored } = secrets.issue();
  const secret = text.reveal().slice(30);
  const shown =
    inspect({ text, ...stored, secrets }, { depth: 9, showHidden: true }) + JSON.stringify({ text, stored });
  for (let at = 0; at + 6 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 6));
});
