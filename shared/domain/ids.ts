/** Every id this system makes or accepts. */
import { createHmac, type KeyObject, randomUUIDv7, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../keys/derive-key.ts';
import type { Peppers } from '../keys/encryption/keyring.ts';

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
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const JOB_ID = /^job_[0-7][0-9a-hjkmnp-tv-z]{33}$/;
/** Whether it has the form of a job's id; `isGenuine` says whether it is one. */
export const isJobId = (text: string): text is JobId => JOB_ID.test(text);
const BATCH_ID = /^batch_[0-7][0-9a-hjkmnp-tv-z]{33}$/;
export const isBatchId = (text: string): text is BatchId => BATCH_ID.test(text);
const MAC_BYTES = 5;
const MAC_CHARACTERS = 8;
const LINE_CHARACTERS = 4;

/** As many as the characters of a line in its id can count; line 0 is the batch itself. */
export const MAX_LINES = 1_000_000;

export type JobIds = {
  /** A new id; ids of later milliseconds sort after it. */
  next: (tenant: TenantId) => JobId;
  /** Whether this system made the id for this tenant, under any pepper still in the list. It says nothing of whether the job is still stored. */
  isGenuine: (tenant: TenantId, id: string) => id is JobId;
};

export type BatchIds = {
  next: (tenant: TenantId) => BatchId;
  isGenuine: (tenant: TenantId, id: string) => id is BatchId;
  /** The job id of a line of a batch, 1 to MAX_LINES; genuine for JobIds. */
  line: (tenant: TenantId, batch: BatchId, line: number) => JobId;
};

/** What makes ids of one kind, prefix included, prove themselves. */
const createProof = (peppers: Peppers, purpose: string) => {
  const macKeyOf = ({ key }: { key: KeyObject }) => deriveKey(key, purpose);
  const [newest, ...others] = peppers.keys;
  const active = macKeyOf(newest);
  const all = [active, ...others.map(macKeyOf)];
  return {
    complete: (tenant: TenantId, body: string): string => `${body}${macOf(active, tenant, body)}`,
    holds: (tenant: TenantId, id: string): boolean => {
      const body = id.slice(0, -MAC_CHARACTERS);
      const presented = Buffer.from(id.slice(-MAC_CHARACTERS));
      return all.some((key) => timingSafeEqual(presented, Buffer.from(macOf(key, tenant, body))));
    },
  };
};

const proofOfJobs = (peppers: Peppers) => createProof(peppers, 'llm-gateway/job-id/v1');

/**
 * Job ids that prove themselves: `job_`, 26 characters of a UUID version 7, and 8 characters of an HMAC over tenant and id.
 * So a job whose record is gone is told apart (410) from an id that never was or is another tenant's (404), without a tombstone.
 */
export const createJobIds = ({ peppers }: { peppers: Peppers }): JobIds => {
  const proof = proofOfJobs(peppers);
  return {
    // Casts, here and below, because this is where these ids come from.
    next: (tenant) => proof.complete(tenant, `job_${sortableUnique()}`) as JobId,
    isGenuine: (tenant, id): id is JobId => JOB_ID.test(id) && proof.holds(tenant, id),
  };
};

/**
 * Batch ids of the same form as job ids, but of a UUID version 8: its last 4 characters count the lines, and are 0 for the batch itself.
 * A line's job id is its batch's stem and its number, so the scripts find a line's batch by the id alone.
 */
export const createBatchIds = ({ peppers }: { peppers: Peppers }): BatchIds => {
  const proof = createProof(peppers, 'llm-gateway/batch-id/v1');
  const lines = proofOfJobs(peppers);
  return {
    next: (tenant) => {
      const stem = sortableUnique(8).slice(0, -LINE_CHARACTERS);
      return proof.complete(tenant, `batch_${stem}${lineText(0)}`) as BatchId;
    },
    isGenuine: (tenant, id): id is BatchId => isBatchId(id) && proof.holds(tenant, id),
    line: (tenant, batch, line) => lines.complete(tenant, `job_${stemOf(batch)}${lineText(line)}`) as JobId,
  };
};

/** The 22 characters that a batch's id shares with those of its lines: its name in Redis. */
export const stemOf = (batch: BatchId): string => batch.slice('batch_'.length, -(LINE_CHARACTERS + MAC_CHARACTERS));

const lineText = (line: number): string => {
  let text = '';
  for (let rest = line, count = 0; count < LINE_CHARACTERS; count++, rest >>= 5)
    text = ALPHABET.charAt(rest & 31) + text;
  return text;
};

const macOf = (key: KeyObject, tenant: TenantId, body: string): string =>
  toBase32(createHmac('sha256', key).update(`${tenant}\0${body}`).digest().subarray(0, MAC_BYTES));

/** 26 characters; sorts by the millisecond in which it was made. Of the UUID only the version is ours to choose. */
const sortableUnique = (version: 7 | 8 = 7): string => {
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
