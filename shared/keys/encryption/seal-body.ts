/** Sealing of bodies: piece by piece, under a key that no other body has, so that a piece opens in its own place only. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { TenantId } from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import type { DataKeys, OpenFailure } from './seal.ts';

/** What a body belongs to. None of it is stored in the seal: who opens it brings it from its own record. */
export type BodyBinding = {
  tenant: TenantId;
  /** The id of the job; of events with that of the attempt behind it. */
  subject: string;
  part: 'request' | 'answer' | 'events';
};

/** A piece's place among all of its body; a total of 0 while nobody knows how many come. */
export type PiecePlace = { index: number; total: number };

export type BodySealer = {
  /** `seal` is of `[A-Za-z0-9._-]+`, and is needed to open the pieces. Rejects with KeyServiceUnavailable. */
  begin: (binding: BodyBinding) => Promise<{ seal: string; sealPiece: (piece: Buffer, place: PiecePlace) => Buffer }>;
  /** `openPiece` answers null for what is not this piece of this body. */
  open: (
    seal: string,
    binding: BodyBinding,
  ) => Promise<
    | { ok: true; openPiece: (sealed: Buffer, place: PiecePlace) => Buffer | null }
    | { ok: false; reason: Exclude<OpenFailure, 'expired' | 'shredded'> }
  >;
};

const CIPHER = 'aes-256-gcm';
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
// Without it Node up to 24 opens a seal whose tag was cut to 4 bytes.
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES };
const BODY_INFO = 'llm-gateway/body/v1';

// <key id>.<wrapped data key>.<salt>
const SEAL = /^([a-z0-9-]{1,16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})$/;

/** A data key may serve many bodies; with a salt of its own each has a key of its own. */
const keyOfBody = (dataKey: KeyObject, salt: Buffer): KeyObject => deriveKey(dataKey, BODY_INFO, salt);

/** A key seals one body, and each piece of it once: the piece's number is a nonce that never comes again. */
const nonceOf = ({ index }: PiecePlace): Buffer => {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(index, NONCE_BYTES - 4);
  return nonce;
};

/** Canonical JSON (RFC 8785): names in alphabetical order, no space. */
const additionalData = ({ tenant, subject, part }: BodyBinding, { index, total }: PiecePlace): Buffer =>
  Buffer.from(JSON.stringify({ index, part, purpose: 'body', subject, tenant, total, version: 'v1' }));

export const createBodySealer = (dataKeys: DataKeys): BodySealer => ({
  begin: async (binding) => {
    const { keyId, wrapped, dataKey } = await dataKeys.issue();
    const salt = randomBytes(SALT_BYTES);
    const key = keyOfBody(dataKey, salt);
    return {
      seal: `${keyId}.${wrapped.toString('base64url')}.${salt.toString('base64url')}`,
      sealPiece: (piece, place) => {
        const cipher = createCipheriv(CIPHER, key, nonceOf(place), CIPHER_OPTIONS);
        cipher.setAAD(additionalData(binding, place));
        return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
      },
    };
  },

  open: async (seal, binding) => {
    const [, keyId, wrapped, salt] = SEAL.exec(seal) ?? [];
    if (keyId === undefined || wrapped === undefined || salt === undefined) return { ok: false, reason: 'corrupt' };
    const recovered = await dataKeys.recover(keyId, Buffer.from(wrapped, 'base64url'));
    if (!recovered.ok) return recovered;
    const key = keyOfBody(recovered.dataKey, Buffer.from(salt, 'base64url'));
    return {
      ok: true,
      openPiece: (sealed, place) => {
        if (sealed.length < TAG_BYTES) return null;
        const decipher = createDecipheriv(CIPHER, key, nonceOf(place), CIPHER_OPTIONS)
          .setAAD(additionalData(binding, place))
          .setAuthTag(sealed.subarray(-TAG_BYTES));
        const opened = decipher.update(sealed.subarray(0, -TAG_BYTES));
        try {
          // The only sign of a tag that does not fit is a throw. Until it has passed, `opened` is not to be trusted.
          decipher.final();
        } catch {
          opened.fill(0);
          return null;
        }
        return opened;
      },
    };
  },
});
