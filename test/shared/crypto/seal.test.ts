import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../../shared/completion.ts';
import { localDataKeys } from '../../../shared/crypto/keyring.ts';
import { type Binding, createSealer } from '../../../shared/crypto/seal.ts';
import { Secret } from '../../../shared/crypto/secret.ts';
import { tenant } from '../tenants.ts';
import { FIXED_RING, keyringOf, ringText } from './rings.ts';

const sealerOf = (text: string, purpose = 'user_key') =>
  createSealer({ dataKeys: localDataKeys(keyringOf(text)), purpose });

const oldKey = ringText('old');
const newKey = ringText('new');
const sealer = sealerOf(`${newKey},${oldKey}`);

const NOW = 1_700_000_000_000;
const binding: Binding = { tenant: tenant('acme'), subject: 'job_1', provider: 'openai', expiresAtMs: NOW + 60_000 };
const KEY = 'sk-user-4dZq8Xw2Lk9TbN3v';

const anyTenant = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).map(tenant);
const anyBinding: fc.Arbitrary<Binding> = fc.record({
  tenant: anyTenant,
  subject: fc.string({ unit: 'binary' }),
  provider: fc.constantFrom(...PROVIDERS),
  expiresAtMs: fc.integer({ min: NOW + 1, max: Number.MAX_SAFE_INTEGER }),
});
const anySecret = fc.string({ unit: 'binary', maxLength: 500 });

const refused = (sealed: string, to: Binding = binding, by = sealer) => {
  const opened = by.open(sealed, to, NOW);
  return opened.ok ? 'opened' : opened.reason;
};

test('a sealed secret opens for the same binding, and is never sealed the same way twice', () => {
  fc.assert(
    fc.property(anySecret, anyBinding, (text, bound) => {
      const sealed = sealer.seal(new Secret(text), bound);
      const opened = sealer.open(sealed, { ...bound }, NOW);
      expect(opened.ok && opened.secret.reveal()).toBe(text);
      expect(sealer.seal(new Secret(text), bound)).not.toBe(sealed);
    }),
  );
});

test('a seal is printable, names version and key in front, and is under 200 characters for a usual key', () => {
  const sealed = sealer.seal(new Secret(`sk-proj-${'x'.repeat(60)}`), binding);
  expect(sealed).toMatch(/^v1\.new\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
  expect(sealed.length).toBeLessThan(200);
});

test('a seal does not open for another tenant, subject, provider or expiry', () => {
  const field = fc.constantFrom('tenant', 'subject', 'provider', 'expiresAtMs');
  fc.assert(
    fc.property(anyBinding, anyBinding, field, (bound, other, name) => {
      fc.pre(bound[name] !== other[name]);
      const sealed = sealer.seal(new Secret(KEY), bound);
      expect(refused(sealed, { ...bound, [name]: other[name] })).toBe('corrupt');
    }),
  );
});

test('a seal does not open with the values of two fields exchanged', () => {
  const sealed = sealer.seal(new Secret(KEY), { ...binding, tenant: tenant('one'), subject: 'two' });
  expect(refused(sealed, { ...binding, tenant: tenant('two'), subject: 'one' })).toBe('corrupt');
});

test('a seal does not open for another purpose', () => {
  const sealed = sealer.seal(new Secret(KEY), binding);
  expect(refused(sealed, binding, sealerOf(`${newKey},${oldKey}`, 'webhook_secret'))).toBe('corrupt');
});

describe('whoever can write the store cannot make a seal that opens:', () => {
  const sealed = sealer.seal(new Secret(KEY), binding);

  test('every change of any one character is refused', () => {
    const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é';
    for (let at = 0; at < sealed.length; at++) {
      for (const character of characters) {
        if (character === sealed[at]) continue;
        const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
        expect(refused(changed)).toMatch(/^(corrupt|unknown_key)$/);
      }
    }
  });

  test('every truncation is refused, from either end, of any field', () => {
    for (let at = 0; at < sealed.length; at++) {
      expect(refused(sealed.slice(0, at))).toBe('corrupt');
      if (at > 0) expect(refused(sealed.slice(at))).toBe('corrupt');
    }
    const fields = sealed.split('.');
    fields.forEach((field, index) => {
      for (let length = 0; length < field.length; length++) {
        expect(refused(fields.with(index, field.slice(0, length)).join('.'))).toMatch(/^(corrupt|unknown_key)$/);
      }
      expect(refused(fields.toSpliced(index, 1).join('.'))).toBe('corrupt');
    });
  });

  test('every extension is refused, at either end of any field', () => {
    const fields = sealed.split('.');
    fc.assert(
      fc.property(fc.nat(3), fc.string({ minLength: 1 }), fc.boolean(), (index, extra, front) => {
        const field = fields[index] ?? '';
        const longer = fields.with(index, front ? extra + field : field + extra);
        expect(refused(longer.join('.'))).toMatch(/^(corrupt|unknown_key)$/);
      }),
    );
    expect(refused(`${sealed}\n`)).toBe('corrupt');
    expect(refused(`${sealed}=`)).toBe('corrupt');
    expect(refused(`${sealed}.`)).toBe('corrupt');
  });

  test('every exchange of fields between two seals is refused', () => {
    const mine = sealed.split('.');
    const theirs = sealerOf(`${oldKey},${newKey}`).seal(new Secret(KEY), binding).split('.');
    for (let choice = 1; choice < 2 ** 3 - 1; choice++) {
      const mixed = mine.map((field, index) =>
        index > 0 && (choice >> (index - 1)) & 1 ? (theirs[index] ?? '') : field,
      );
      expect(refused(mixed.join('.'))).toBe('corrupt');
    }
  });

  test('any text is refused without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(refused(text)).toBe('corrupt');
        expect(refused(`v1.new.${text}`)).toBe('corrupt');
      }),
    );
  });
});

test('a seal opens until the millisecond before its expiry, and not from it on', () => {
  const sealed = sealer.seal(new Secret(KEY), binding);
  expect(sealer.open(sealed, binding, binding.expiresAtMs - 1).ok).toBe(true);
  expect(sealer.open(sealed, binding, binding.expiresAtMs)).toEqual({ ok: false, reason: 'expired' });
  expect(sealer.open(sealed, binding, Number.NaN)).toEqual({ ok: false, reason: 'expired' });
});

test('expiry is judged before anything of the seal is looked at', () => {
  expect(sealer.open('nonsense', binding, binding.expiresAtMs)).toEqual({ ok: false, reason: 'expired' });
});

test('nothing is sealed without a definite expiry', () => {
  for (const expiresAtMs of [Number.NaN, Number.POSITIVE_INFINITY, 0.5]) {
    expect(() => sealer.seal(new Secret(KEY), { ...binding, expiresAtMs })).toThrow(RangeError);
  }
});

test('rotation: a key that is only open still opens, and one that was retired is unknown', () => {
  const sealed = sealerOf(oldKey).seal(new Secret(KEY), binding);
  expect(refused(sealed, binding, sealer)).toBe('opened');
  expect(refused(sealed, binding, sealerOf(newKey))).toBe('unknown_key');
});

test('a seal does not open under another name of the same key', () => {
  const renamed = FIXED_RING.replace('test:', 'renamed:');
  const sealed = sealerOf(FIXED_RING).seal(new Secret(KEY), binding);
  expect(refused(sealed.replace('.test.', '.renamed.'), binding, sealerOf(renamed))).toBe('corrupt');
});

test('a seal made by an earlier release opens: this one was stored', () => {
  const stored =
    'v1.test.iQjVmCWBKxKt6wBCwnDykg.VcYt2kvg2s5anfM71FW6JmZ8IMUx3Tr7mtmDYZY03mMKaPjAIVmxl7hckvCFi0eTCum2MQ';
  const opened = sealerOf(FIXED_RING).open(stored, binding, NOW);
  expect(opened.ok && opened.secret.reveal()).toBe(KEY);
});

test('no two seals share a data key or a nonce', () => {
  const made = Array.from({ length: 100 }, () => sealer.seal(new Secret(KEY), binding).split('.'));
  expect(new Set(made.map(([, , wrapped]) => wrapped)).size).toBe(100);
  expect(new Set(made.map(([, , , body]) => body?.slice(0, 16))).size).toBe(100);
});

test('another key under the same id does not open', () => {
  const sealed = sealerOf(ringText('k')).seal(new Secret(KEY), binding);
  expect(refused(sealed, binding, sealerOf(ringText('k')))).toBe('corrupt');
});

test('a seal holds nothing of the secret, in any encoding', () => {
  const sealed = sealer.seal(new Secret(KEY), binding);
  const bytes = Buffer.concat(sealed.split('.').map((field) => Buffer.from(field, 'base64url'))).toString('latin1');
  for (let at = 0; at + 6 <= KEY.length; at++) {
    const window = KEY.slice(at, at + 6);
    expect(sealed).not.toContain(window);
    expect(bytes).not.toContain(window);
    expect(sealed).not.toContain(Buffer.from(window).toString('base64url'));
  }
});
