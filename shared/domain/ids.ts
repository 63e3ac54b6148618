/** Every id this system makes or accepts. */
import { randomUUIDv7 } from 'node:crypto';

declare const brand: unique symbol;
/** A string that was checked, or made here, to be one kind of id. */
type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type TenantId = Id<'tenant'>;
export type JobId = Id<'job'>;
export type BatchId = Id<'batch'>;
export type PlatformKeyId = Id<'platform key'>;
/** The `webhook-id` of an event. */
export type DeliveryId = Id<'delivery'>;

export const isTenantId = (text: string): text is TenantId => /^[A-Za-z0-9_-]{1,64}$/.test(text);

/** Of tenants that were created while the gateway ran; others have whatever name the configuration gives them. */
export const isManagedTenantId = (text: string): text is TenantId => /^ten_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text);
// Casts, here and below, because this is where these ids come from.
export const newTenantId = (): TenantId => `ten_${sortableUnique()}` as TenantId;

export const isPlatformKeyId = (text: string): text is PlatformKeyId => /^key_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text);
export const newPlatformKeyId = (): PlatformKeyId => `key_${sortableUnique()}` as PlatformKeyId;

export const isDeliveryId = (text: string): text is DeliveryId => /^evt_[0-9a-z]{26,34}$/.test(text);
export const newDeliveryId = (): DeliveryId => `evt_${sortableUnique()}` as DeliveryId;
/** The one delivery of the event that a job ends with; `record_event` makes the same. */
export const deliveryOf = (job: JobId): DeliveryId => job.replace('job_', 'evt_') as DeliveryId;

/** Whether a client's own `X-Request-Id` can be taken over: fit for a header and a log line as it stands, and no key that was put into the wrong header. */
export const isRequestId = (text: string): boolean => /^(?!sk-|gk_)[A-Za-z0-9._-]{1,128}$/.test(text);

export const newRequestId = (): string => `req_${sortableUnique()}`;

// Crockford's base32 in lower case (https://www.crockford.com/base32.html): no i, l, o, u.
export const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const JOB_ID = /^job_[0-7][0-9a-hjkmnp-tv-z]{33}$/;
/** Whether it has the form of a job's id; `isGenuine` says whether it is one. */
export const isJobId = (text: string): text is JobId => JOB_ID.test(text);
const BATCH_ID = /^batch_[0-7][0-9a-hjkmnp-tv-z]{33}$/;
export const isBatchId = (text: string): text is BatchId => BATCH_ID.test(text);
/** Of an HMAC, at the end of the id of a job or a batch. */
export const MAC_CHARACTERS = 8;
export const LINE_CHARACTERS = 4;

/** As many as the characters of a line in its id can count; line 0 is the batch itself. */
export const MAX_LINES = 1_000_000;

/** The 22 characters that a batch's id shares with those of its lines: its name in Redis. */
export const stemOf = (batch: BatchId): string => batch.slice('batch_'.length, -(LINE_CHARACTERS + MAC_CHARACTERS));

/** 26 characters; sorts by the millisecond in which it was made. Of the UUID only the version is ours to choose. */
export const sortableUnique = (version: 7 | 8 = 7): string => {
  const bytes = Buffer.from(randomUUIDv7().replaceAll('-', ''), 'hex');
  bytes[6] = (version << 4) | ((bytes[6] ?? 0) & 0x0f);
  return toBase32(bytes);
};

/** The bytes as one big-endian number, filled up with zero bits in front to whole characters of 5 bits. */
export const toBase32 = (bytes: Buffer): string => {
  let text = '';
  // Bits read and not yet written; at first the filling. `carry` never holds more than 12 bits.
  let bits = (5 - ((bytes.length * 8) % 5)) % 5;
  let carry = 0;
  for (const byte of bytes) {
    carry = (carry << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt(carry >> bits);
      carry &= (1 << bits) - 1;
    }
  }
  return text;
};
