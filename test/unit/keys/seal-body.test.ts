import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TenantId } from '../../../shared/domain/ids.ts';
import { localDataKeys, parseKeyring } from '../../../shared/keys/encryption/keyring.ts';
import { type BodyBinding, createBodySealer } from '../../../shared/keys/encryption/seal-body.ts';
import { FIXED_RING, keyringOf } from './rings.ts';

const ringOf = (...fills: number[]) => {
  const text = fills.map((fill) => `k${fill}:${Buffer.alloc(32, fill).toString('base64')}`).join(',');
  const ring = parseKeyring(text, 'test');
  if (!ring.ok) throw new Error('no keys');
  return createBodySealer(localDataKeys(ring.keys));
};
const sealer = ringOf(1);
const binding: BodyBinding = { tenant: 'acme' as TenantId, subject: 'job_1', part: 'request' };
const PLACE = { index: 2, total: 5 };

const sealOne = async (text: string) => {
  const { seal, sealPiece } = await sealer.begin(binding);
  return { seal, sealed: sealPiece(Buffer.from(text), PLACE) };
};
const open = async (seal: string, sealed: Buffer, at = PLACE, of = binding, by = sealer) => {
  const opened = await by.open(seal, of);
  return opened.ok ? (opened.openPiece(sealed, at)?.toString() ?? null) : opened.reason;
};

describe('a sealed piece', () => {
  test('opens in its place, whatever is in it, and holds nothing of it in clear', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const { seal, sealPiece } = await sealer.begin(binding);
        const sealed = sealPiece(Buffer.from(bytes), PLACE);
        const opened = await sealer.open(seal, binding);
        expect(opened.ok && opened.openPiece(sealed, PLACE)?.equals(bytes)).toBe(true);
        if (bytes.length > 8) expect(sealed.includes(Buffer.from(bytes.slice(0, 8)))).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test.each<[string, { at?: typeof PLACE; of?: Partial<BodyBinding> }]>([
    ['at another place', { at: { index: 3, total: 5 } }],
    ['among another number of pieces', { at: { index: 2, total: 6 } }],
    ['for another tenant', { of: { tenant: 'beta' as TenantId } }],
    ['for another job', { of: { subject: 'job_2' } }],
    ['as another part', { of: { part: 'answer' } }],
  ])('does not open %s', async (_, { at = PLACE, of = {} }) => {
    const { seal, sealed } = await sealOne('a secret');
    expect(await open(seal, sealed, at, { ...binding, ...of })).toBeNull();
    expect(await open(seal, sealed)).toBe('a secret');
  });

  test('does not open under the seal of another body, nor with any byte of it changed', async () => {
    const { seal, sealed } = await sealOne('a secret');
    expect(await open((await sealOne('a secret')).seal, sealed)).toBeNull();
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(sealed.readUInt8(at) ^ 1, at);
      expect(await open(seal, changed)).toBeNull();
    }
    for (const length of [0, 1, 15, sealed.length - 1]) expect(await open(seal, sealed.subarray(0, length))).toBeNull();
  });

  test('opens with an older key of the ring, and is unknown to a ring without it', async () => {
    const { seal, sealed } = await sealOne('a secret');
    expect(await open(seal, sealed, PLACE, binding, ringOf(2, 1))).toBe('a secret');
    expect(await open(seal, sealed, PLACE, binding, ringOf(2))).toBe('unknown_key');
    expect(await open('no seal', sealed)).toBe('corrupt');
    for (const other of [`${seal}x`, `+${seal}`]) expect(await open(other, sealed)).toBe('corrupt');
  });

  test('of an earlier release opens', async () => {
    const seal = 'test.zJdBGNZUWk1zyFB-Nech0g.g6P1S33csH9VXTz6IkWesw';
    const sealed = Buffer.from('MzFB8qOs049FdPAghc24ny5DXMuPJx2Q', 'base64url');
    const fixed = createBodySealer(localDataKeys(keyringOf(FIXED_RING)));
    expect(await open(seal, sealed, PLACE, binding, fixed)).toBe('a secret');
  });
});
