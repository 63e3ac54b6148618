import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createPlatformKeys,
  DEMO_PLATFORM_KEYS,
  parsePlatformKeys,
} from '../../../shared/keys/platform/platform-keys.ts';
import { FIXED_RING, peppersOf, ringText } from './rings.ts';

const keysOf = (text: string, allowSample = false, peppers = FIXED_RING) => {
  const parsed = parsePlatformKeys(text, { allowSample });
  if (!parsed.ok) throw new Error(parsed.problems.join(' '));
  return createPlatformKeys(parsed.entries, peppersOf(peppers));
};
const rejects = (text: string, allowSample = false): string[] => {
  const parsed = parsePlatformKeys(text, { allowSample });
  if (parsed.ok) throw new Error('was taken');
  return parsed.problems;
};

const ONE = 'Qz7Lk2Vw9Xb4Tn8R';
const TWO = 'Hd5Mc1Jf6Pg3Ys0K';

test('each configured key authenticates its own tenant', () => {
  const keys = keysOf(`acme:${ONE}, acme:with:colon:${ONE},beta:${TWO}\n`);
  expect(keys.authenticate(ONE)?.tenant).toBe('acme');
  expect(keys.authenticate(`with:colon:${ONE}`)?.tenant).toBe('acme');
  expect(keys.authenticate(TWO)?.tenant).toBe('beta');
});

test('a key has a name of its own, the same in every process, which needs the pepper and shows nothing of the key', () => {
  const nameOf = (key: string, text: string, pepper = FIXED_RING) =>
    keysOf(text, false, pepper).authenticate(key)?.platformKey;
  const name = nameOf(ONE, `acme:${ONE},acme:${TWO}`);
  expect(name).toMatch(/^config_[A-Za-z0-9_-]{16}$/);
  expect(nameOf(ONE, `beta:${TWO},acme:${ONE}`)).toBe(name);
  expect(nameOf(ONE, `acme:${ONE}`, `${FIXED_RING},${ringText('older')}`)).toBe(name);
  expect(nameOf(TWO, `acme:${ONE},acme:${TWO}`)).not.toBe(name);
  expect(nameOf(ONE, `acme:${ONE}`, ringText('other'))).not.toBe(name);
});

test('the name of a key stays the same from one release to the next: the audit log holds it', () => {
  expect(keysOf('acme:configured-key-0001').authenticate('configured-key-0001')).toEqual({
    tenant: 'acme',
    platformKey: 'config_KU9a8DzG1vOkP9Jq',
  });
});

test('nothing but a configured key authenticates', () => {
  const keys = keysOf(`acme:${ONE}`);
  for (const text of [
    '',
    'acme',
    `acme:${ONE}`,
    ONE.toLowerCase(),
    ` ${ONE}`,
    `${ONE}\0`,
    `${ONE}, ${ONE}`,
    ONE.slice(1),
  ]) {
    expect(keys.authenticate(text)).toBeNull();
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => keys.authenticate(text) === null));
  expect(createPlatformKeys([], peppersOf(FIXED_RING)).authenticate('')).toBeNull();
});

describe('keys are refused for', () => {
  test.each([
    ['an empty text', '', /entry 1 must end in a key/],
    ['no tenant', ONE, /entry 1 must begin with a tenant/],
    ['a bad tenant', `a{b}:${ONE}`, /entry 1 must begin with a tenant/],
    ['a short key', `acme:${ONE.slice(1)}`, /entry 1 must end in a key of 16/],
    ['a space', `acme:${ONE} x`, /entry 1 must end in a key of 16/],
    ['a control character', `acme:${ONE}\x7fx`, /entry 1 must end in a key of 16/],
    ['other than ASCII', `acme:${ONE}é`, /entry 1 must end in a key of 16/],
    ['the form of a managed key', `acme:gk_${ONE}`, /entry 1 must end in .*not start with "gk_"/],
    ['a trailing comma', `acme:${ONE},`, /entry 2 must end in a key/],
    [
      'one key for two tenants',
      `acme:${ONE},beta:${ONE}`,
      /entry 2 has the key of an earlier entry, but another tenant/,
    ],
    ['a tenant of the registry', `ten_01m828mxt1fr081gqvaaqfex75:${ONE}`, /entry 1 names a tenant of the registry/],
    ['the demo key', DEMO_PLATFORM_KEYS, /entry 1 is a sample key of the documents/],
    ['the key to be replaced', 'acme:paste-a-long-random-key-here', /entry 1 is a sample key of the documents/],
  ])('%s', (_, text, problem) => {
    expect(rejects(text)).toContainEqual(expect.stringMatching(problem));
  });
});

test('the demo key works where samples are allowed, also when it was configured too', () => {
  expect(keysOf(`${DEMO_PLATFORM_KEYS},${DEMO_PLATFORM_KEYS}`, true).authenticate('your-platform-key')?.tenant).toBe(
    'demo',
  );
});

test('every problem is reported at once, and none shows any part of what was given', () => {
  // Letters and digits in turn, so that no window of it is a word of ours.
  const tail = fc.stringMatching(/^([A-Z][0-9]){8,30}$/);
  fc.assert(
    fc.property(tail, (key) => {
      const problems = rejects(`${key},a b:${key}!,acme:${key} x,one:${key},two:${key},acme:gk_${key}`);
      for (const entry of [2, 3, 5, 6]) expect(problems.join(' ')).toContain(`entry ${entry} `);
      for (let at = 0; at + 6 <= key.length; at++) expect(problems.join(' ')).not.toContain(key.slice(at, at + 6));
    }),
  );
});

test('neither entries nor the authenticator show a key to a printer', () => {
  const parsed = parsePlatformKeys(`acme:${ONE}`, { allowSample: false });
  const shown = inspect([parsed, keysOf(`acme:${ONE}`)], { depth: 9, showHidden: true }) + JSON.stringify(parsed);
  expect(shown).not.toContain(ONE.slice(0, 6));
});
