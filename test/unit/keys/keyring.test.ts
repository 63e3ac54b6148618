import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deriveKey } from '../../../shared/keys/derive-key.ts';
import { localDataKeys, parseKeyring, parsePeppers } from '../../../shared/keys/encryption/keyring.ts';
import { keyringOf, peppersOf, ringText } from './rings.ts';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const random = (bytes = 32) => base64(randomBytes(bytes));
const rejects = (text: string, parse: typeof parseKeyring | typeof parsePeppers = parseKeyring): string[] => {
  const parsed = parse(text, 'THE_SETTING');
  if (parsed.ok) throw new Error('was taken');
  return parsed.problems;
};

test('the first key of a ring seals, and the order of all is kept', () => {
  const [first, second] = [random(), random()];
  const { keys } = keyringOf(`new:${first}, old-1:${second}\n`);
  expect(keys.map(({ id }) => id)).toEqual(['new', 'old-1']);
  expect(keys.map(({ key }) => key.export().toString('base64'))).toEqual([first, second]);
});

describe('a key ring is refused for', () => {
  test.each([
    ['an empty text', '', /entry 1 must begin with an id/],
    ['no id', random(), /entry 1 must begin with an id/],
    ['an empty id', `:${random()}`, /entry 1 must begin with an id/],
    ['a long id', `${'a'.repeat(17)}:${random()}`, /entry 1 must begin with an id/],
    ['an id with capitals', `Key:${random()}`, /entry 1 must begin with an id/],
    ['a trailing comma', `a:${random()},`, /entry 2 must begin with an id/],
    ['an empty key', 'a:', /entry 1 must end in what "openssl rand -base64 32" or "openssl rand -hex 32" prints/],
    [
      'a key that is no base64',
      'a:not base64!',
      /entry 1 must end in what "openssl rand -base64 32" or "openssl rand -hex 32" prints/,
    ],
    [
      'base64 without its padding',
      `a:${random().replace('=', '')}`,
      /entry 1 must end in what "openssl rand -base64 32" or "openssl rand -hex 32" prints/,
    ],
    [
      'stray last bits',
      `a:${base64(Buffer.alloc(32, 7)).replace(/.=$/, 'd=')}`,
      /entry 1 must end in what "openssl rand -base64 32" or "openssl rand -hex 32" prints/,
    ],
    ['a short key', `a:${random(31)}`, /exactly 32 bytes, and has 31/],
    ['a long key', `a:${random(33)}`, /exactly 32 bytes, and has 33/],
    ['half of the hex digits', `a:${randomBytes(16).toString('hex')}`, /exactly 32 bytes, and has 16/],
    ['a hex digit too many', `a:${randomBytes(32).toString('hex')}0`, /entry 1 must/],
    ['hex with a prefix', `a:0x${randomBytes(32).toString('hex')}`, /entry 1 must/],
    ['a repeated id', `a:${random()},a:${random()}`, /entry 2 has the id of an earlier entry/],
  ])('%s', (_, text, problem) => {
    expect(rejects(text)).toContainEqual(expect.stringMatching(problem));
  });

  test('the same key under two ids', () => {
    const key = random();
    expect(rejects(`a:${key},b:${key}`)).toEqual(['THE_SETTING: entry 2 has the key of an earlier entry.']);
  });
});

test('every problem of a ring is reported at once', () => {
  const problems = rejects(`A:${random(8)},b:?,b:${random()}`);
  expect(problems.map((problem) => problem.slice(0, 21))).toEqual([
    'THE_SETTING: entry 1 ',
    'THE_SETTING: entry 1 ',
    'THE_SETTING: entry 2 ',
    'THE_SETTING: entry 3 ',
  ]);
});

test('no problem shows any part of what was given', () => {
  // Letters and digits in turn, so that no window of it is a word of ours.
  const tail = fc.stringMatching(/^([A-Z][0-9]){10,30}$/);
  const form = fc.constantFrom(
    (key: string) => key,
    (key: string) => `a:${key}`,
    (key: string) => `${key}:a`,
  );
  fc.assert(
    fc.property(tail, form, (key, write) => {
      const said = rejects(`${write(key)},${write(key)}`).join(' ');
      for (let at = 0; at + 6 <= key.length; at++) expect(said).not.toContain(key.slice(at, at + 6));
    }),
  );
});

test('hex digits are an encryption key like its base64, and a pepper what base64 makes of them, as ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.boolean(), (bytes, upper) => {
      const hex = Buffer.from(bytes).toString('hex');
      const written = upper ? hex.toUpperCase() : hex;
      const [sealing] = keyringOf(`a:${written}`).keys;
      expect(sealing.key.export()).toEqual(Buffer.from(bytes));
      expect(rejects(`a:${written},b:${base64(bytes)}`)).toEqual([
        'THE_SETTING: entry 2 has the key of an earlier entry.',
      ]);
      const [pepper] = peppersOf(`a:${written}`).keys;
      expect(pepper.key.export()).toEqual(Buffer.from(written, 'base64'));
    }),
  );
});

test('a pepper may be longer than 32 bytes, but not shorter', () => {
  expect(parsePeppers(`a:${random(64)}`, 'X').ok).toBe(true);
  expect(rejects(`a:${random(31)}`, parsePeppers)).toEqual([
    'THE_SETTING: entry 1 must decode to 32 bytes or more, and has 31.',
  ]);
});

test('keys derived for different purposes, or with different salts, differ', () => {
  const [{ key }] = keyringOf(ringText('a')).keys;
  const derived = [deriveKey(key, 'one'), deriveKey(key, 'two'), deriveKey(key, 'one', Buffer.from('salt')), key];
  expect(new Set(derived.map((one) => one.export().toString('hex'))).size).toBe(4);
  expect(deriveKey(key, 'one').equals(deriveKey(key, 'one'))).toBe(true);
});

test('a data key comes back from what was stored with it, and is never issued twice', async () => {
  const dataKeys = localDataKeys(keyringOf(ringText('a', 'b')));
  const [one, two] = [await dataKeys.issue(), await dataKeys.issue()];
  expect(one.keyId).toBe('a');
  expect(one.dataKey.equals(two.dataKey)).toBe(false);
  const recovered = await dataKeys.recover(one.keyId, one.wrapped);
  expect(recovered.ok && recovered.dataKey.equals(one.dataKey)).toBe(true);
  const other = await dataKeys.recover('b', one.wrapped);
  expect(other.ok && other.dataKey.equals(one.dataKey)).toBe(false);
  expect(await dataKeys.recover('c', one.wrapped)).toEqual({ ok: false, reason: 'unknown_key' });
  for (const wrapped of [one.wrapped.subarray(1), Buffer.concat([one.wrapped, Buffer.alloc(1)]), Buffer.alloc(0)]) {
    expect(await dataKeys.recover('a', wrapped)).toEqual({ ok: false, reason: 'corrupt' });
  }
});

test('a ring says which of its keys is in use, and whether there are older ones', () => {
  const said = (...ids: string[]) => {
    const { activeId, hasOlder } = localDataKeys(keyringOf(ringText(...ids)));
    return [activeId, hasOlder];
  };
  expect([said('a'), said('b', 'a'), said('c', 'b', 'a')]).toEqual([
    ['a', false],
    ['b', true],
    ['c', true],
  ]);
});
