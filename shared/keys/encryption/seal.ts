/** Sealing: a user's key becomes a text that is safe to store, and that opens only for the job or batch it was sealed for, and only in time. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Provider } from '../../../providers/catalogue.ts';
import type { TenantId } from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import { Secret } from '../secret.ts';

/** What a sealed secret belongs to. None of it is stored in the seal: who opens it brings it from its own record, so a seal moved elsewhere does not open. */
export type Binding = {
  tenant: TenantId;
  /** The id of the job or batch. */
  subject: string;
  /** Null where the secret is no provider's. */
  provider: Provider | null;
  /** Unix time from which on the seal does not open; a whole number. */
  expiresAtMs: number;
};

/**
 * `unknown_key`: no key of that id is held. `refused`: the key service will not open it. `shredded`: the secret of its period is gone. `corrupt`: something else does not match.
 * `unavailable`: a key or a secret cannot be asked for now; the only one that heals by waiting.
 */
type RecoverFailure = 'unknown_key' | 'refused' | 'corrupt' | 'unavailable';
export type OpenFailure = RecoverFailure | 'shredded' | 'expired';

/** Nothing can be sealed now; it may be possible later. */
export class KeyServiceUnavailable extends Error {
  constructor() {
    super('the key service does not answer, or refuses');
    this.name = 'KeyServiceUnavailable';
  }
}

export type Sealer = {
  /** Printable ASCII, different at every call. Rejects with KeyServiceUnavailable, and with RangeError if the expiry is no whole number. */
  seal: (secret: Secret, binding: Binding) => Promise<string>;
  /** Whether a new seal would be under the same key. A seal that shall outlive a rotation is made anew where not. */
  isCurrent: (sealed: string) => boolean;
  /** Opens for the same binding before its expiry. */
  open: (
    sealed: string,
    binding: Binding,
    nowMs: number,
  ) => Promise<{ ok: true; secret: Secret } | { ok: false; reason: OpenFailure }>;
};

/** Where the keys of seals come from. `wrapped` is stored in the seal and gives the same data key back later. */
export type DataKeys = {
  /** The key that `issue` names. */
  activeId: string;
  /** Whether there are older ones, under which something may still be sealed. */
  hasOlder: boolean;
  /** Rejects with KeyServiceUnavailable. */
  issue: () => Promise<IssuedDataKey>;
  recover: (keyId: string, wrapped: Buffer) => Promise<RecoveredDataKey>;
};

/** `keyId` is of `[a-z0-9-]{1,16}`, `dataKey` of 32 bytes, `wrapped` not empty. */
export type IssuedDataKey = { keyId: string; wrapped: Buffer; dataKey: KeyObject };
export type RecoveredDataKey = { ok: true; dataKey: KeyObject } | { ok: false; reason: RecoverFailure };

/**
 * Secrets that exist nowhere but in memory, and only until the keys that were sealed with them have expired. Without its secret a seal opens for nobody,
 * whoever holds the encryption keys and an old copy of the seal.
 */
export type PeriodSecrets = {
  /** The secret for seals of this expiry, drawn where there is none yet. Rejects with KeyServiceUnavailable. */
  draw: (expiresAtMs: number) => Promise<Buffer>;
  find: (
    expiresAtMs: number,
  ) => Promise<{ ok: true; secret: Buffer } | { ok: false; reason: 'shredded' | 'unavailable' }>;
};

/** `strict`: new seals need the secret of their period; otherwise only older ones do. */
export type Shredding = { secrets: PeriodSecrets; strict: boolean };

/** The purpose under which users' keys are sealed. */
export const USER_KEY_PURPOSE = 'user-key';

/** `v2` needs the secret of its period besides the data key. */
type Version = 'v1' | 'v2';
const PERIOD_INFO = 'llm-gateway/period/v1';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
// Without it Node up to 24 opens a seal whose tag was cut to 4 bytes.
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES };

// <version>.<key id>.<wrapped data key>.<nonce, ciphertext, tag>
const SEALED = /^(v[12])\.([a-z0-9-]{1,16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

type Needs = {
  dataKeys: DataKeys;
  purpose: string /** Null: no seal needs a secret, and none that does opens. */;
  shredding: Shredding | null;
};

/** `purpose` is bound into each seal: what was sealed for one purpose does not open for another. */
export const createSealer = ({ dataKeys, purpose, shredding }: Needs): Sealer => {
  /** Canonical JSON (RFC 8785): names in alphabetical order, no space. */
  const additionalData = (
    version: Version,
    keyId: string,
    { tenant, subject, provider, expiresAtMs }: Binding,
  ): Buffer =>
    Buffer.from(
      JSON.stringify({
        expires_at_ms: expiresAtMs,
        key_id: keyId,
        provider,
        purpose,
        subject,
        tenant,
        version,
      }),
    );

  return {
    seal: async (secret, binding) => {
      // JSON writes NaN and Infinity as null: such an expiry would be bound to nothing.
      if (!Number.isSafeInteger(binding.expiresAtMs)) throw new RangeError('expiresAtMs must be a whole number');
      const { keyId, wrapped, dataKey } = await dataKeys.issue();
      const version = shredding?.strict ? 'v2' : 'v1';
      const key = shredding?.strict
        ? deriveKey(dataKey, PERIOD_INFO, await shredding.secrets.draw(binding.expiresAtMs))
        : dataKey;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, CIPHER_OPTIONS).setAAD(additionalData(version, keyId, binding));
      const ciphertext = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
      const body = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
      return `${version}.${keyId}.${wrapped.toString('base64url')}.${body.toString('base64url')}`;
    },

    isCurrent: (sealed) => parseSealed(sealed)?.keyId === dataKeys.activeId,

    open: async (sealed, binding, nowMs) => {
      // First, and so written that a NaN counts as expired.
      if (!(nowMs < binding.expiresAtMs)) return { ok: false, reason: 'expired' };

      const parts = parseSealed(sealed);
      if (parts === null) return { ok: false, reason: 'corrupt' };
      const recovered = await dataKeys.recover(parts.keyId, parts.wrapped);
      if (!recovered.ok) return recovered;
      let key = recovered.dataKey;
      if (parts.version === 'v2') {
        if (shredding === null) return { ok: false, reason: 'shredded' };
        const found = await shredding.secrets.find(binding.expiresAtMs);
        if (!found.ok) return found;
        key = deriveKey(key, PERIOD_INFO, found.secret);
      }

      const decipher = createDecipheriv(CIPHER, key, parts.nonce, CIPHER_OPTIONS)
        .setAAD(additionalData(parts.version, parts.keyId, binding))
        .setAuthTag(parts.tag);
      const opened = decipher.update(parts.ciphertext);
      try {
        // The only sign of a tag that does not fit is a throw. Until it has passed, `opened` is not to be trusted.
        decipher.final();
      } catch {
        opened.fill(0);
        return { ok: false, reason: 'corrupt' };
      }
      const secret = new Secret(opened.toString('utf8'));
      opened.fill(0);
      return { ok: true, secret };
    },
  };
};

type SealedParts = { version: Version; keyId: string; wrapped: Buffer; nonce: Buffer; ciphertext: Buffer; tag: Buffer };

const parseSealed = (sealed: string): SealedParts | null => {
  const [, version, keyId, wrappedText, bodyText] = SEALED.exec(sealed) ?? [];
  if (keyId === undefined || wrappedText === undefined || bodyText === undefined) return null;
  const wrapped = decodeStrictly(wrappedText);
  const body = decodeStrictly(bodyText);
  if (wrapped === null || body === null || body.length < NONCE_BYTES + TAG_BYTES) return null;
  return {
    version: version === 'v2' ? 'v2' : 'v1',
    keyId,
    wrapped,
    nonce: body.subarray(0, NONCE_BYTES),
    ciphertext: body.subarray(NONCE_BYTES, -TAG_BYTES),
    tag: body.subarray(-TAG_BYTES),
  };
};

/** Null for any text but the one that encoding makes: Node's decoder ignores stray last bits, so two texts could stand for one seal. */
const decodeStrictly = (text: string): Buffer | null => {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
};
