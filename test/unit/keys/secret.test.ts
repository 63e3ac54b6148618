import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../../shared/keys/secret.ts';

const secret = new Secret('sk-proj-Qz7Lk2');

test('only reveal gives it out', () => {
  expect(secret.reveal()).toBe('sk-proj-Qz7Lk2');
  // What a careless template makes of it.
  const inTemplate = `with ${String(secret)}`;
  const error = new Error(inTemplate, { cause: secret });
  for (const printed of [
    String(secret),
    inTemplate,
    JSON.stringify({ secret, list: [secret] }),
    inspect({ secret }, { depth: 9, showHidden: true, getters: true }),
    inspect(error, { depth: 9, showHidden: true }),
    Object.entries(secret).join(),
    Reflect.ownKeys(secret).map(String).join(),
  ]) {
    expect(printed).not.toMatch(/Qz7|Lk2/);
  }
  expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual(['[secret]', '"[secret]"', '[secret]']);
});

describe('a part of it', () => {
  test('is six characters in a row, from its first to its last, and no fewer', () => {
    const value = secret.reveal();
    for (let at = 0; at + 6 <= value.length; at++) {
      expect(secret.isPartlyIn(`before${value.slice(at, at + 6)}after`)).toBe(true);
    }
    for (let at = 0; at + 5 <= value.length; at++) expect(secret.isPartlyIn(value.slice(at, at + 5))).toBe(false);
    expect(secret.isPartlyIn('')).toBe(false);
  });

  test('is found wherever it stands, and what shares nothing with it is left alone', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(8), (before, after, at) => {
        expect(secret.isPartlyIn(before + secret.reveal().slice(at, at + 6) + after)).toBe(true);
      }),
    );
    fc.assert(fc.property(fc.stringMatching(/^[^sk]*$/), (text) => !secret.isPartlyIn(text)));
  });

  test('is eight letters and digits too, whatever stands between them and in whichever case', () => {
    for (const text of ['p-r-o-j-q-z-7-l', 'P R O J\nQ,Z,7,L', 'ｐｒｏｊＱｚ７Ｌ', 'xprojQz 7Lx'])
      expect(secret.isPartlyIn(text)).toBe(true);
    expect(secret.isPartlyIn('p-r-o-j-q-z-7')).toBe(false);
  });

  test('a value shorter than six characters has none', () => {
    expect(new Secret('short').isPartlyIn('short and long')).toBe(false);
    expect(new Secret('').isPartlyIn('')).toBe(false);
  });
});

test('a forgotten one is given out no more, and stands in no text', () => {
  const forgotten = new Secret('sk-proj-Qz7Lk2');
  forgotten.forget();
  forgotten.forget();
  expect(() => forgotten.reveal()).toThrow('forgotten');
  expect(forgotten.isPartlyIn('sk-proj-Qz7Lk2')).toBe(false);
  expect(String(forgotten)).toBe('[secret]');
});
