import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

const KEY_BYTES = 32;

/** A 32-byte key for one purpose, by HKDF-SHA256 (RFC 5869). `info` names the purpose; keys of different purposes tell nothing about each other. */
export const deriveKey = (from: KeyObject, info: string, salt: Uint8Array = new Uint8Array()): KeyObject => {
  const bytes = Buffer.from(hkdfSync('sha256', from, salt, info, KEY_BYTES));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
};
