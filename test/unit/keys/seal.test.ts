import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../../providers/catalogue.ts';
import { localDataKeys } from '../../../shared/keys/encryption/keyring.ts';
import {
  type Binding,
  createSealer,
  KeyServiceUnavailable,
  type PeriodSecrets,
  type Shredding,
  USER_KEY_PURPOSE,
} from '../../../shared/keys/encryption/seal.ts';
import { Secret } from '../../../shared/keys/secret.ts';
import { tenant } from '../../support/redis/tenants.ts';
import { FIXED_RING, keyringOf, ringText } from './rings.ts';

const sealerOf = (text: string, purpose = 'user_key', shredding: Shredding | null = null) =>
  createSealer({ dataKeys: localDataKeys(keyringOf(text)), purpose, shredding });

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

const refused = async (sealed: string, to: Binding = binding, by = sealer) => {
  const opened = await by.open(sealed, to, NOW);
  return opened.ok ? 'opened' : opened.reason;
};

test('a sealed secret opens for the same binding, and is never sealed the same way twice', async () => {
  await fc.assert(
    fc.asyncProperty(anySecret, anyBinding, async (text, bound) => {
      const sealed = await sealer.seal(new Secret(text), bound);
      const opened = await sealer.open(sealed, { ...bound }, NOW);
      expect(opened.ok && opened.secret.reveal()).toBe(text);
      expect(await sealer.seal(new Secret(text), bound)).not.toBe(sealed);
    }),
  );
});

test('a seal is printable, names version and key in front, and is under 200 characters for a usual key', async () => {
  const sealed = await sealer.seal(new Secret(`sk-proj-${'x'.repeat(60)}`), binding);
  expect(sealed).toMatch(/^v1\.new\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
  expect(sealed.length).toBeLessThan(200);
});

test('a seal does not open for another tenant, subject, provider or expiry', async () => {
  const field = fc.constantFrom('tenant', 'subject', 'provider', 'expiresAtMs');
  await fc.assert(
    fc.asyncProperty(anyBinding, anyBinding, field, async (bound, other, name) => {
      fc.pre(bound[name] !== other[name]);
      const sealed = await sealer.seal(new Secret(KEY), bound);
      expect(await refused(sealed, { ...bound, [name]: other[name] })).toBe('corrupt');
    }),
  );
});

test('a seal does not open with the values of two fields exchanged', async () => {
  const sealed = await sealer.seal(new Secret(KEY), { ...binding, tenant: tenant('one'), subject: 'two' });
  expect(await refused(sealed, { ...binding, tenant: tenant('two'), subject: 'one' })).toBe('corrupt');
});

test('a seal does not open for another purpose', async () => {
  const sealed = await sealer.seal(new Secret(KEY), binding);
  expect(await refused(sealed, binding, sealerOf(`${newKey},${oldKey}`, 'webhook_secret'))).toBe('corrupt');
});

describe('whoever can write the store cannot make a seal that opens:', () => {
  let sealed = '';
  beforeAll(async () => {
    sealed = await sealer.seal(new Secret(KEY), binding);
  });

  test('every change of any one character is refused', async () => {
    const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é';
    for (let at = 0; at < sealed.length; at++) {
      for (const character of characters) {
        if (character === sealed[at]) continue;
        const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
        expect(await refused(changed)).toMatch(/^(corrupt|unknown_key|shredded)$/);
      }
    }
  });

  test('every truncation is refused, from either end, of any field', async () => {
    for (let at = 0; at < sealed.length; at++) {
      expect(await refused(sealed.slice(0, at))).toBe('corrupt');
      if (at > 0) expect(await refused(sealed.slice(at))).toBe('corrupt');
    }
    const fields = sealed.split('.');
    for (const [index, field] of fields.entries()) {
      for (let length = 0; length < field.length; length++) {
        expect(await refused(fields.with(index, field.slice(0, length)).join('.'))).toMatch(
          /^(corrupt|unknown_key|shredded)$/,
        );
      }
      expect(await refused(fields.toSpliced(index, 1).join('.'))).toBe('corrupt');
    }
  });

  test('every extension is refused, at either end of any field', async () => {
    const fields = sealed.split('.');
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.string({ minLength: 1 }), fc.boolean(), async (index, extra, front) => {
        const field = fields[index] ?? '';
        const longer = fields.with(index, front ? extra + field : field + extra);
        expect(await refused(longer.join('.'))).toMatch(/^(corrupt|unknown_key|shredded)$/);
      }),
    );
    expect(await refused(`${sealed}\n`)).toBe('corrupt');
    expect(await refused(`${sealed}=`)).toBe('corrupt');
    expect(await refused(`${sealed}.`)).toBe('corrupt');
  });

  test('every exchange of fields between two seals is refused', async () => {
    const mine = sealed.split('.');
    const theirs = (await sealerOf(`${oldKey},${newKey}`).seal(new Secret(KEY), binding)).split('.');
    for (let choice = 1; choice < 2 ** 3 - 1; choice++) {
      const mixed = mine.map((field, index) =>
        index > 0 && (choice >> (index - 1)) & 1 ? (theirs[index] ?? '') : field,
      );
      expect(await refused(mixed.join('.'))).toBe('corrupt');
    }
  });

  test('any text is refused without a throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect(await refused(text)).toBe('corrupt');
        expect(await refused(`v1.new.${text}`)).toBe('corrupt');
      }),
    );
  });
});

test('a seal opens until the millisecond before its expiry, and not from it on', async () => {
  const sealed = await sealer.seal(new Secret(KEY), binding);
  expect(await sealer.open(sealed, binding, binding.expiresAtMs - 1)).toMatchObject({ ok: true });
  expect(await sealer.open(sealed, binding, binding.expiresAtMs)).toEqual({ ok: false, reason: 'expired' });
  expect(await sealer.open(sealed, binding, Number.NaN)).toEqual({ ok: false, reason: 'expired' });
});

test('expiry is judged before anything of the seal is looked at', async () => {
  expect(await sealer.open('nonsense', binding, binding.expiresAtMs)).toEqual({ ok: false, reason: 'expired' });
});

test('nothing is sealed without a definite expiry', async () => {
  for (const expiresAtMs of [Number.NaN, Number.POSITIVE_INFINITY, 0.5]) {
    await expect(sealer.seal(new Secret(KEY), { ...binding, expiresAtMs })).rejects.toThrow(
      new RangeError('expiresAtMs must be a whole number'),
    );
  }
});

test('rotation: a key that is only open still opens, and one that was retired is unknown', async () => {
  const sealed = await sealerOf(oldKey).seal(new Secret(KEY), binding);
  expect(await refused(sealed, binding, sealer)).toBe('opened');
  expect(await refused(sealed, binding, sealerOf(newKey))).toBe('unknown_key');
});

test('a seal does not open under another name of the same key', async () => {
  const renamed = FIXED_RING.replace('test:', 'renamed:');
  const sealed = await sealerOf(FIXED_RING).seal(new Secret(KEY), binding);
  expect(await refused(sealed.replace('.test.', '.renamed.'), binding, sealerOf(renamed))).toBe('corrupt');
});

describe('a seal made by an earlier release opens:', () => {
  test.each([
    [
      'one of another purpose',
      'user_key',
      'v1.test.iQjVmCWBKxKt6wBCwnDykg.VcYt2kvg2s5anfM71FW6JmZ8IMUx3Tr7mtmDYZY03mMKaPjAIVmxl7hckvCFi0eTCum2MQ',
    ],
    [
      'a user’s key',
      USER_KEY_PURPOSE,
      'v1.test.8YKF8PtcHb8hc2nPMuCl-g.LwmysWekpapR93KFKz6qVgMLX_VGDw1u_wnsWrj6xCQkk4ZPxQcsxGh_5bqmts8UfHloxw',
    ],
    [
      'a user’s key under strict shredding',
      USER_KEY_PURPOSE,
      'v2.test.ztBMoFvlKJmjcyABjMpr_Q.F9mKY35aPyPQ0zb9M_7wGb9XFIxqXg9eE2TO_ngnuQUzIefmwSh8_AspYvJ96eWk7o5jKw',
    ],
  ])('%s', async (_, purpose, stored) => {
    const secret = Buffer.from('tests only: the secret of an hour');
    const secrets: PeriodSecrets = { draw: async () => secret, find: async () => ({ ok: true, secret }) };
    const opened = await sealerOf(FIXED_RING, purpose, { secrets, strict: false }).open(stored, binding, NOW);
    expect(opened.ok && opened.secret.reveal()).toBe(KEY);
  });
});

test('an empty secret is one too: it opens as such, and what is shorter still is no seal', async () => {
  const sealed = await sealer.seal(new Secret(''), binding);
  const opened = await sealer.open(sealed, binding, NOW);
  expect(opened.ok && opened.secret.reveal()).toBe('');
  const [version, id, wrapped, body = ''] = sealed.split('.');
  const shorter = Buffer.from(body, 'base64url').subarray(1).toString('base64url');
  expect(await refused([version, id, wrapped, shorter].join('.'))).toBe('corrupt');
});

test('a seal names its key by 1 to 16 of a-z, 0-9 and "-"; another name is no key that was lost, but no seal', async () => {
  const sealed = await sealer.seal(new Secret(KEY), binding);
  const named = (id: string): string => sealed.replace('.new.', `.${id}.`);
  for (const id of ['a', '-', 'z9-'.padEnd(16, 'a')]) expect(await refused(named(id))).toBe('unknown_key');
  for (const id of ['', 'a'.repeat(17), 'New', 'n_w', 'n w', 'né']) expect(await refused(named(id))).toBe('corrupt');
});

test('a seal is current while a new one would be under the same key', async () => {
  const sealed = await sealerOf(oldKey).seal(new Secret(KEY), binding);
  expect(sealerOf(`${oldKey},${newKey}`).isCurrent(sealed)).toBe(true);
  expect(sealerOf(`${newKey},${oldKey}`).isCurrent(sealed)).toBe(false);
  for (const text of ['', 'old', sealed.slice(1), sealed.replace('v1', 'v3')]) {
    expect(sealerOf(oldKey).isCurrent(text)).toBe(false);
  }
});

test('no two seals share a data key or a nonce', async () => {
  const seals = await Promise.all(Array.from({ length: 100 }, () => sealer.seal(new Secret(KEY), binding)));
  const made = seals.map((sealed) => sealed.split('.'));
  expect(new Set(made.map(([, , wrapped]) => wrapped)).size).toBe(100);
  expect(new Set(made.map(([, , , body]) => body?.slice(0, 16))).size).toBe(100);
});

test('another key under the same id does not open', async () => {
  const sealed = await sealerOf(ringText('k')).seal(new Secret(KEY), binding);
  expect(await refused(sealed, binding, sealerOf(ringText('k')))).toBe('corrupt');
});

test('a seal holds nothing of the secret, in any encoding', async () => {
  const sealed = await sealer.seal(new Secret(KEY), binding);
  const bytes = Buffer.concat(sealed.split('.').map((field) => Buffer.from(field, 'base64url'))).toString('latin1');
  for (let at = 0; at + 6 <= KEY.length; at++) {
    const window = KEY.slice(at, at + 6);
    expect(sealed).not.toContain(window);
    expect(bytes).not.toContain(window);
    expect(sealed).not.toContain(Buffer.from(window).toString('base64url'));
  }
});

describe('under strict shredding', () => {
  /** Memory that a test can take away or lose. */
  const memory = () => {
    const held = new Map<number, Buffer>();
    let isAway = false;
    const secrets: PeriodSecrets = {
      draw: async (expiresAtMs) => {
        if (isAway) throw new KeyServiceUnavailable();
        const secret = held.get(expiresAtMs) ?? randomBytes(32);
        held.set(expiresAtMs, secret);
        return secret;
      },
      find: async (expiresAtMs) => {
        if (isAway) return { ok: false, reason: 'unavailable' };
        const secret = held.get(expiresAtMs);
        return secret ? { ok: true, secret } : { ok: false, reason: 'shredded' };
      },
    };
    const setAway = (away: boolean): void => {
      isAway = away;
    };
    return { held, setAway, strict: { secrets, strict: true }, off: { secrets, strict: false } };
  };
  const sealedIn = ({ strict }: ReturnType<typeof memory>) =>
    sealerOf(FIXED_RING, 'user_key', strict).seal(new Secret(KEY), binding);

  test('a seal opens in every process that has the encryption key and the secret', async () => {
    const storage = memory();
    const sealed = await sealedIn(storage);
    expect(sealed).toMatch(/^v2\.test\./);
    expect(await refused(sealed, binding, sealerOf(FIXED_RING, 'user_key', storage.strict))).toBe('opened');
  });

  test('the encryption key alone opens nothing, in whatever way it is told to', async () => {
    const storage = memory();
    const sealed = await sealedIn(storage);
    storage.held.clear();
    const asPlain = sealed.replace('v2.', 'v1.');
    for (const shredding of [null, storage.strict, storage.off]) {
      const opener = sealerOf(FIXED_RING, 'user_key', shredding);
      expect(await refused(sealed, binding, opener)).toBe('shredded');
      expect(await refused(asPlain, binding, opener)).toBe('corrupt');
    }
    // Somebody sealed again in the same period: that is another secret.
    await sealedIn(storage);
    expect(await refused(sealed, binding, sealerOf(FIXED_RING, 'user_key', storage.strict))).toBe('corrupt');
  });

  test('the secret alone opens nothing', async () => {
    const storage = memory();
    const sealed = await sealedIn(storage);
    const other = sealerOf(ringText('test'), 'user_key', storage.strict);
    expect(await refused(sealed, binding, other)).toBe('corrupt');
  });

  test('nothing is sealed while the storage is away, and opening waits for it', async () => {
    const storage = memory();
    const sealed = await sealedIn(storage);
    storage.setAway(true);
    await expect(sealedIn(storage)).rejects.toThrow(KeyServiceUnavailable);
    await expect(sealedIn(storage)).rejects.toMatchObject({
      name: 'KeyServiceUnavailable',
      message: 'the key service does not answer, or refuses',
    });
    const opener = sealerOf(FIXED_RING, 'user_key', storage.strict);
    expect(await refused(sealed, binding, opener)).toBe('unavailable');
    storage.setAway(false);
    expect(await refused(sealed, binding, opener)).toBe('opened');
  });

  test('turning it on or off leaves what was sealed before readable', async () => {
    const storage = memory();
    const before = await sealerOf(FIXED_RING).seal(new Secret(KEY), binding);
    expect(await refused(before, binding, sealerOf(FIXED_RING, 'user_key', storage.strict))).toBe('opened');
    const during = await sealedIn(storage);
    const off = sealerOf(FIXED_RING, 'user_key', storage.off);
    expect(await refused(during, binding, off)).toBe('opened');
    expect(await off.seal(new Secret(KEY), binding)).toMatch(/^v1\./);
  });
});
