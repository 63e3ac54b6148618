import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createBatchIds,
  createJobIds,
  isDeliveryId,
  isPlatformKeyId,
  isRequestId,
  isTenantId,
  MAX_LINES,
  newDeliveryId,
  newPlatformKeyId,
  newRequestId,
  stemOf,
} from '../../shared/ids.ts';
import { FIXED_RING, peppersOf, ringText } from './crypto/rings.ts';
import { tenant } from './tenants.ts';

const pepper = ringText('a');
const ids = createJobIds({ peppers: peppersOf(pepper) });
const acme = tenant('acme');

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const millisecondOf = (id: string): number =>
  Number(
    id
      .slice(4, 30)
      .split('')
      .reduce((sum, character) => sum * 32n + BigInt(BASE32.indexOf(character)), 0n) >> 80n,
  );

describe('job ids', () => {
  test('are unique, of one form, genuine, and sort by the time they were made', () => {
    const before = Date.now();
    const made = Array.from({ length: 2_000 }, () => ids.next(acme));
    const times = made.map(millisecondOf);
    expect(new Set(made).size).toBe(made.length);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(times[0]).toBeGreaterThanOrEqual(before);
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now());
    for (const id of made) {
      expect(id).toMatch(/^job_[0-7][0-9a-hjkmnp-tv-z]{33}$/);
      expect(ids.isGenuine(acme, id)).toBe(true);
    }
  });

  test('are not genuine for another tenant', () => {
    const id = ids.next(acme);
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (other) => {
        fc.pre(other !== acme);
        expect(ids.isGenuine(tenant(other), id)).toBe(false);
      }),
    );
  });

  test('are not genuine with any one character changed, added or missing', () => {
    const id = ids.next(acme);
    for (let at = 0; at < id.length; at++) {
      for (const character of `${BASE32}iloU-_ \n`) {
        if (character === id[at]) continue;
        expect(ids.isGenuine(acme, id.slice(0, at) + character + id.slice(at + 1))).toBe(false);
      }
      expect(ids.isGenuine(acme, id.slice(0, at) + id.slice(at + 1))).toBe(false);
      expect(ids.isGenuine(acme, `${id.slice(0, at)}0${id.slice(at)}`)).toBe(false);
    }
    expect(ids.isGenuine(acme, `${id}\n`)).toBe(false);
    expect(ids.isGenuine(acme, id.toUpperCase())).toBe(false);
  });

  test('any text is judged without a throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !ids.isGenuine(acme, text)));
    fc.assert(fc.property(fc.stringMatching(/^job_[0-7][0-9a-hjkmnp-tv-z]{33}$/), (id) => !ids.isGenuine(acme, id)));
  });

  test('stay genuine while their pepper is in the list, and no longer', () => {
    const id = ids.next(acme);
    const newer = ringText('b');
    expect(createJobIds({ peppers: peppersOf(`${newer},${pepper}`) }).isGenuine(acme, id)).toBe(true);
    expect(createJobIds({ peppers: peppersOf(newer) }).isGenuine(acme, id)).toBe(false);
  });

  test('stay genuine from one release to the next', () => {
    const fixed = createJobIds({ peppers: peppersOf(FIXED_RING) });
    expect(fixed.isGenuine(acme, 'job_01m824zcbcf0wte99gmf7hf6zmgz2jana4')).toBe(true);
  });

  test('are made under the first pepper', () => {
    const rotated = createJobIds({ peppers: peppersOf(`${ringText('b')},${pepper}`) });
    expect(ids.isGenuine(acme, rotated.next(acme))).toBe(false);
  });
});

test('our own request ids are unique and pass our own rule for request ids', () => {
  const made = Array.from({ length: 1_000 }, newRequestId);
  expect(new Set(made).size).toBe(made.length);
  for (const id of made) {
    expect(id).toMatch(/^req_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(isRequestId(id)).toBe(true);
  }
});

test('a request id is taken over only if it is 1 to 128 safe characters', () => {
  for (const id of ['a', 'A.b_c-9', 'x'.repeat(128)]) expect(isRequestId(id)).toBe(true);
  for (const id of ['', 'x'.repeat(129), 'a b', 'a\n', 'a\0', 'é', 'a, b', '{}']) expect(isRequestId(id)).toBe(false);
});

test('a tenant id is 1 to 64 characters of A-Z, a-z, 0-9, _ and -', () => {
  for (const id of ['a', 'Ten_1-x', 'x'.repeat(64)]) expect(isTenantId(id)).toBe(true);
  for (const id of ['', 'x'.repeat(65), 'a:b', 'a{b}', 'a\n', 'a\0', 'é', '*']) expect(isTenantId(id)).toBe(false);
});

describe('batch ids', () => {
  const batches = createBatchIds({ peppers: peppersOf(pepper) });

  test('are unique, of one form, and genuine for their tenant alone', () => {
    const made = Array.from({ length: 200 }, () => batches.next(acme));
    expect(new Set(made.map(stemOf)).size).toBe(made.length);
    for (const id of made) {
      expect(id).toMatch(/^batch_[0-7][0-9a-hjkmnp-tv-z]{21}0000[0-9a-hjkmnp-tv-z]{8}$/);
      expect(stemOf(id)).toBe(id.slice(6, 28));
      expect(batches.isGenuine(acme, id)).toBe(true);
      expect(batches.isGenuine(tenant('beta'), id)).toBe(false);
      expect(ids.isGenuine(acme, id.replace('batch_', 'job_'))).toBe(false);
    }
  });

  test('are not genuine with any one character changed, nor is any other text', () => {
    const id = batches.next(acme);
    for (let at = 0; at < id.length; at++) {
      const other = id[at] === '1' ? '2' : '1';
      expect(batches.isGenuine(acme, id.slice(0, at) + other + id.slice(at + 1))).toBe(false);
    }
    for (const text of [`${id} `, ` ${id}`, `x${id}`, id.toUpperCase(), ids.next(acme)]) {
      expect(batches.isGenuine(acme, text)).toBe(false);
    }
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !batches.isGenuine(acme, text)));
  });

  test('give each line a genuine job id, with the number of the line after their stem', () => {
    const id = batches.next(acme);
    for (const [line, text] of [
      [1, '0001'],
      [31, '000z'],
      [32, '0010'],
      [MAX_LINES, 'ygj0'],
    ] as const) {
      const job = batches.line(acme, id, line);
      expect(job.slice(0, 30)).toBe(`job_${stemOf(id)}${text}`);
      expect(ids.isGenuine(acme, job)).toBe(true);
      expect(ids.isGenuine(tenant('beta'), job)).toBe(false);
    }
  });
});

test.each([
  ['delivery', isDeliveryId, newDeliveryId],
  ['platform key', isPlatformKeyId, newPlatformKeyId],
] as const)('the id of a %s is known by its whole form', (_, is, next) => {
  const id = next();
  expect(is(id)).toBe(true);
  for (const text of ['', `x${id}`, `${id}!`, id.toUpperCase(), id.slice(0, 8), `${id}${id}`, ids.next(acme)]) {
    expect(is(text)).toBe(false);
  }
});
