/** Ids of jobs and batches that prove themselves. */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import {
  ALPHABET,
  type BatchId,
  isBatchId,
  isJobId,
  type JobId,
  LINE_CHARACTERS,
  MAC_CHARACTERS,
  sortableUnique,
  stemOf,
  type TenantId,
  toBase32,
} from '../../domain/ids.ts';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';

const MAC_BYTES = 5;

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
    isGenuine: (tenant, id): id is JobId => isJobId(id) && proof.holds(tenant, id),
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

const lineText = (line: number): string => {
  let text = '';
  for (let rest = line, count = 0; count < LINE_CHARACTERS; count++, rest >>= 5)
    text = ALPHABET.charAt(rest & 31) + text;
  return text;
};

const macOf = (key: KeyObject, tenant: TenantId, body: string): string =>
  toBase32(createHmac('sha256', key).update(`${tenant}\0${body}`).digest().subarray(0, MAC_BYTES));
