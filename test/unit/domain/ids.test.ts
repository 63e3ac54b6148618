import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deliveryOf,
  isBatchId,
  isDeliveryId,
  isJobId,
  isManagedTenantId,
  isPlatformKeyId,
  isRequestId,
  isTenantId,
  MAX_LINES,
  newDeliveryId,
  newPlatformKeyId,
  newRequestId,
  newTenantId,
  stemOf,
  toBase32,
} from '../../../shared/domain/ids.ts';
import { createBatchIds, createJobIds } from '../../../shared/keys/digests/genuine-ids.ts';
import { tenant } from '../../support/redis/tenants.ts';
import { FIXED_RING, peppersOf, ringText } from '../keys/rings.ts';

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
  // A key in the wrong header is not echoed, nor logged.
  for (const id of ['sk-proj-4dZq8Xw2Lk9TbN3v', 'sk-ant-api03-4dZq', 'gk_01m8']) expect(isRequestId(id)).toBe(false);
  for (const id of ['task-12', 'a.sk-1', 'sk', 'gk-1']) expect(isRequestId(id)).toBe(true);
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

  test('stay genuine while their pepper is in the list, and are made under the first', () => {
    const newer = ringText('b');
    const rotated = createBatchIds({ peppers: peppersOf(`${newer},${pepper}`) });
    const [before, after] = [batches.next(acme), rotated.next(acme)];
    expect([rotated.isGenuine(acme, before), rotated.isGenuine(acme, after)]).toEqual([true, true]);
    const dropped = createBatchIds({ peppers: peppersOf(newer) });
    expect([dropped.isGenuine(acme, before), dropped.isGenuine(acme, after)]).toEqual([false, true]);
    expect(batches.isGenuine(acme, after)).toBe(false);
  });

  test('stay genuine from one release to the next, and so do the ids of their lines', () => {
    const fixed = createBatchIds({ peppers: peppersOf(FIXED_RING) });
    const id = 'batch_01m83qaf90hmabhfxyvg5z0000y1x7aqr9';
    if (!fixed.isGenuine(acme, id)) throw new Error('not genuine');
    expect(fixed.line(acme, id, MAX_LINES)).toBe('job_01m83qaf90hmabhfxyvg5zygj0v8k5ssx0');
  });

  test('begin with a UUID of version 8, and other ids with one of version 7: no batch can have the stem of a job', () => {
    const versionOf = (text: string): bigint =>
      (text
        .slice(text.indexOf('_') + 1)
        .slice(0, 22)
        .split('')
        .reduce((sum, character) => sum * 32n + BigInt(BASE32.indexOf(character)), 0n) >>
        56n) &
      15n;
    for (let count = 0; count < 50; count++) {
      expect([versionOf(batches.next(acme)), versionOf(ids.next(acme))]).toEqual([8n, 7n]);
    }
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

describe('the form of an id is known whole, without a look at whose it is:', () => {
  const batches = createBatchIds({ peppers: peppersOf(pepper) });
  test.each([
    ['tenant', isManagedTenantId, newTenantId],
    ['platform key', isPlatformKeyId, newPlatformKeyId],
    ['job', isJobId, () => ids.next(acme)],
    ['batch', isBatchId, () => batches.next(acme)],
    ['delivery', isDeliveryId, newDeliveryId],
  ] as const)('that of a %s', (kind, is, next) => {
    const id = next();
    const prefix = id.slice(0, id.indexOf('_') + 1);
    expect([is(id), next() === id]).toEqual([true, false]);
    for (const text of [
      '',
      prefix,
      `x${id}`,
      `${id}!`,
      `${id}\n`,
      id.slice(prefix.length),
      id.replace(prefix, 'ids_'),
      id.toUpperCase(),
      id.slice(0, -1),
      `${id}${id.slice(prefix.length)}`,
    ]) {
      expect(is(text), text).toBe(false);
    }
    if (kind === 'delivery') return;
    // 26 characters hold 130 bits, and a UUID has 128; and base32 has no i, l, o, u.
    for (const first of '01234567') expect(is(prefix + first + id.slice(prefix.length + 1))).toBe(true);
    for (const first of '89az') expect(is(prefix + first + id.slice(prefix.length + 1))).toBe(false);
    for (const other of 'ilouA-_ é') expect(is(id.slice(0, -1) + other)).toBe(false);
    expect(is(`${id}0`)).toBe(false);
  });

  test('that of a delivery, which may be the one of a job’s end', () => {
    const job = ids.next(acme);
    expect(deliveryOf(job)).toBe(job.replace('job_', 'evt_'));
    expect(isDeliveryId(deliveryOf(job))).toBe(true);
    expect(isDeliveryId(`${deliveryOf(job)}0`)).toBe(false);
  });
});

test('base32 writes bytes as one number, with the first character filled up from the left', () => {
  const of = (...bytes: number[]): string => toBase32(Buffer.from(bytes));
  expect([of(), of(0), of(31), of(255), of(1, 0)]).toEqual(['', '00', '0z', '7z', '0080']);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (array) => {
      const text = toBase32(Buffer.from(array));
      const value = text.split('').reduce((sum, character) => sum * 32n + BigInt(BASE32.indexOf(character)), 0n);
      expect(text).toHaveLength(Math.ceil((array.length * 8) / 5));
      expect(value).toBe(BigInt(`0x0${Buffer.from(array).toString('hex')}`));
    }),
  );
});
