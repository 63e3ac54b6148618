/** Batches and their lines: staged, published, read, stopped, erased. */
import type { BatchId, JobId } from '../../../domain/ids.ts';
import type { FinalStatus } from '../../../domain/jobs/states.ts';
import { type LimitRefusal, perIntakeLimit } from '../../../domain/tenants/limits.ts';
import type { StopReason } from '../../../domain/tenants/stops.ts';
import type { Handoff } from '../../queue/queues.ts';
import { command } from '../command.ts';
import type { JobReply, RateReply } from '../jobs/commands.ts';

/** A batch as `Views.batch` answers it; empty if its tenant has no such batch. */
export type BatchReply = [] | [record: string[], ledger: string[]];

type BeginReply =
  | ['staging' | 'in_progress', RateReply]
  | ['known', RateReply, digest: string, BatchId]
  | [LimitRefusal, RateReply, figure: number]
  | ['stopped', RateReply, StopReason];

type OutcomeHead = [
  id: JobId,
  index: number,
  offset: number,
  customId: string,
  status: FinalStatus,
  used: string,
  priceVersion: string,
  error: string,
  providerStatus: string,
  detail: string,
];
export type ResultRow = [...OutcomeHead, result: string];
export type RequestRow = [...OutcomeHead, timeoutMs: string, metadata: string, warnings: string, request: string];

export const beginBatch = command('batches/begin-batch', {
  stem: 'text',
  id: 'text',
  tenant: 'text',
  provider: 'text',
  credential: 'text',
  parent: 'text',
  sandbox: 'flag',
  leaseMs: 'whole',
  idempotencyEntry: 'text',
  idempotencyMs: 'whole',
  platformKey: 'text',
  fingerprint: 'text',
  traceparent: 'text',
  ...perIntakeLimit(() => 'whole' as const),
}).answers<BeginReply>();

export const stage = command('batches/stage', {
  stem: 'text',
  leaseMs: 'whole',
  tenant: 'text',
  maxStoredBytes: 'whole',
  lines: 'list',
}).answers<
  ['staged' | 'lost' | 'behind'] | ['stopped', StopReason] | ['too_many_stored_bytes', stored: number, own: number]
>();

export const publish = command('batches/publish', {
  stem: 'text',
  tenant: 'text',
  deadlineMs: 'whole',
  sealedKey: 'text',
  metadata: 'text',
  webhook: 'text',
  errors: 'text',
  skipped: 'whole',
  digest: 'text',
  idempotencyMs: 'whole',
  maxQueued: 'whole',
  maxHandoffs: 'whole',
  lanes: 'list',
}).answers<
  ['published', BatchReply, Handoff[]] | ['too_many_queued', queued: number] | ['stopped', StopReason] | ['lost']
>();

export const viewBatches = command(
  'batches/view-batches',
  { tenant: 'text', watcher: 'text', stems: 'list' },
  'allow-oom',
).answers<BatchReply[]>();

export const viewLines = command(
  'batches/view-lines',
  { tenant: 'text', stem: 'text', first: 'whole', max: 'whole' },
  'allow-oom',
).answers<[total?: number, ...[line: number, JobId, JobReply][]]>();

export const readOutcomes = command(
  'batches/read-outcomes',
  {
    tenant: 'text',
    stem: 'text',
    index: 'whole',
    offset: 'whole',
    maxLines: 'whole',
    maxBytes: 'whole',
    contents: 'text',
  },
  'no-writes',
).answers<['gone'] | [] | [nextIndex: number, nextOffset: number, ...(ResultRow | RequestRow)[]]>();

export const cancelBatch = command(
  'batches/cancel-batch',
  { tenant: 'text', stem: 'text', retentionMs: 'whole' },
  'allow-oom',
).answers<['gone' | 'final' | 'requested', Handoff[]]>();

export const eraseBatch = command(
  'batches/erase-batch',
  { tenant: 'text', stem: 'text', being: 'text' },
  'allow-oom',
).answers<'gone' | 'conflict' | 'erased'>();

export const sweepBatch = command(
  'batches/sweep-batch',
  { graceMs: 'whole', retentionMs: 'whole', stubMs: 'whole', stem: 'text' },
  'allow-oom',
).answers<[stem: string, step: string, lines: number, Handoff[]]>();
