/**
 * The platform keys we issue: `gk_<id>_<secret><crc>`, in Crockford's base32 in lower case.
 * The id is public, the secret has 200 random bits, and the CRC32 of what stands before it lets a mistyped key, or a guess, be refused without asking Redis.
 */
import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isPlatformKeyId, newPlatformKeyId, type PlatformKeyId, toBase32 } from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';
import { Secret } from '../secret.ts';

const SECRET_BYTES = 25;
const FORM = /^gk_([0-9a-z]{26})_[0-9a-hjkmnp-tv-z]{40}([0-9a-hjkmnp-tv-z]{7})$/;
const CRC_CHARACTERS = 7;
const ID_PREFIX = 'key_';

/** What is stored of a key: enough to recognise it, nothing to make it from. */
export type StoredDigest = {
  /** The id of the pepper under which the digest was made. */
  pepper: string;
  digest: string;
};

/** `text` is shown once, to whoever asked for the key. */
export type NewPlatformKey = StoredDigest & { id: PlatformKeyId; text: Secret };

export type PlatformKeySecrets = {
  /** A new key, under the first pepper. */
  issue: () => NewPlatformKey;
  /** Whether the text is the stored key. It takes the same time for null, a key that is not stored; false for a pepper that is no longer in the list. */
  matches: (text: string, stored: StoredDigest | null) => boolean;
};

/** Whether a text is said to be a key of ours: keys of the configuration never begin like this. */
export const isManagedKey = (text: string): boolean => text.startsWith('gk_');

/** The public id in a key; null for a text that cannot be one. Asks nobody. */
export const platformKeyIdOf = (text: string): PlatformKeyId | null => {
  const [, body = '', check] = FORM.exec(text) ?? [];
  const id = `${ID_PREFIX}${body}`;
  return isPlatformKeyId(id) && check === checkOf(text.slice(0, -CRC_CHARACTERS)) ? id : null;
};

const checkOf = (text: string): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return toBase32(bytes);
};

export const createPlatformKeySecrets = ({ keys }: Peppers): PlatformKeySecrets => {
  const hmacKeyOf = ({ key }: { key: KeyObject }) => deriveKey(key, 'llm-gateway/platform-key/v1');
  const [active] = keys;
  const activeKey = hmacKeyOf(active);
  const hmacKeys = new Map(keys.map((pepper) => [pepper.id, hmacKeyOf(pepper)]));
  const digestOf = (key: KeyObject, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const nobodys = randomBytes(32);

  return {
    issue: () => {
      const id = newPlatformKeyId();
      const open = `gk_${id.slice(ID_PREFIX.length)}_${toBase32(randomBytes(SECRET_BYTES))}`;
      const text = `${open}${checkOf(open)}`;
      return {
        id,
        text: new Secret(text),
        pepper: active.id,
        digest: digestOf(activeKey, text).toString('base64url'),
      };
    },
    matches: (text, stored) => {
      const hmacKey = stored && hmacKeys.get(stored.pepper);
      const wanted = hmacKey ? Buffer.from(stored.digest, 'base64url') : nobodys;
      const found = digestOf(hmacKey ?? activeKey, text);
      return wanted.length === found.length && timingSafeEqual(wanted, found);
    },
  };
};
