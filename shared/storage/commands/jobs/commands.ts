/** Jobs: accepted, claimed, settled, read, ended. */
import type { Provider } from '../../../../providers/catalogue.ts';
import type { CredentialKind } from '../../../domain/completion.ts';
import type { Format } from '../../../domain/formats.ts';
import type { BatchId, JobId, TenantId } from '../../../domain/ids.ts';
import type { FinalStatus, WaitReason } from '../../../domain/jobs/states.ts';
import type { StopReason } from '../../../domain/tenants/stops.ts';
import type { Traceparent } from '../../../domain/traceparent.ts';
import type { Handoff } from '../../queue/queues.ts';
import { command } from '../command.ts';

/** How much of the requests per minute is left, and when all of it is. */
export type RateReply = [remaining: number, resetMs: number];

/** A job as `Views.job` answers it; empty if its tenant has no such job. */
export type JobReply = [] | [record: string[], reason: string, position: number, result: string];

/** What speaks against a job before anything of it is stored. */
export type IntakeRefusal =
  | ['too_many_queued' | 'behind', RateReply]
  | ['rate_limited', RateReply, waitMs: number]
  | ['stopped', RateReply, StopReason]
  | ['too_many_stored_bytes', RateReply, stored: number, own: number];

type SubmitReply =
  | IntakeRefusal
  | ['mismatch' | 'refused' | 'body_lost', RateReply]
  | ['over_budget', RateReply, usedNano: number, reservedNano: number]
  | ['replayed' | 'joined', RateReply, JobId, JobReply]
  | ['accepted', RateReply, JobId, acceptedMs: number, WaitReason, position: number, Handoff[]];

export type ClaimedReply = [
  'claimed',
  attempt: number,
  tenant: TenantId,
  provider: Provider,
  model: string,
  credential: CredentialKind,
  deadline: string,
  timeout: string,
  failures: number,
  throttles: number,
  apart: number,
  strikes: number,
  request: string,
  sealedKey: string,
  traceparent: Traceparent | '',
  batch: BatchId | '',
  format: Format,
  forwarded: string,
  streamed: '1' | '',
];
type ClaimReply =
  | ['refused', 'stale' | 'crashed' | 'cancelled' | 'expired' | 'over_budget' | 'lacking', Handoff[]]
  | ClaimedReply;

export const submitJob = command('jobs/submit', {
  id: 'text',
  tenant: 'text',
  lane: 'text',
  class: 'text',
  upstream: 'text',
  provider: 'text',
  model: 'text',
  credential: 'text',
  deadlineMs: 'whole',
  timeoutMs: 'whole',
  request: 'text',
  requestPieces: 'whole',
  requestBytes: 'whole',
  format: 'text',
  forwarded: 'text',
  sealedKey: 'text',
  metadata: 'text',
  sandbox: 'flag',
  watcher: 'text',
  maxHandoffs: 'whole',
  idempotencyEntry: 'text',
  digests: 'text',
  idempotencyMs: 'whole',
  platformKey: 'text',
  fingerprint: 'text',
  webhook: 'text',
  requestsPerMinute: 'whole',
  maxQueued: 'whole',
  traceparent: 'text',
  tokens: 'whole',
  estimateNano: 'text',
  budgetNano: 'text',
  refused: 'flag',
  retentionMs: 'whole',
  maxStoredBytes: 'whole',
  needs: 'text',
  warnings: 'text',
  streamed: 'flag',
  waiter: 'text',
  holdMs: 'whole',
  ifLeft: 'text',
  awaited: 'text',
  repeats: 'flag',
}).answers<SubmitReply>();

/** Before the pieces of a long request are written. */
export const stageBody = command('jobs/stage-body', {
  id: 'text',
  tenant: 'text',
  platformKey: 'text',
  class: 'text',
  bytes: 'whole',
  needs: 'text',
  requestsPerMinute: 'whole',
  maxQueued: 'whole',
  maxStoredBytes: 'whole',
  idempotencyEntry: 'text',
  awaited: 'text',
  repeats: 'flag',
  lifeMs: 'whole',
}).answers<['staged', RateReply] | ['known', RateReply] | IntakeRefusal>();

export const dropBody = command('jobs/drop-body', { id: 'text', tenant: 'text' }, 'allow-oom').answers<
  'dropped' | 'kept'
>();

export const claimJob = command('jobs/claim', {
  id: 'text',
  handoff: 'text',
  claim: 'text',
  maxCrashes: 'whole',
  retentionMs: 'whole',
  maxAttempts: 'whole',
  abilities: 'text',
}).answers<ClaimReply>();

export const settleJob = command('jobs/settle', {
  id: 'text',
  attempt: 'text',
  claim: 'text',
  outcome: 'text',
  providerRequestId: 'text',
  next: 'text',
  waitMs: 'whole',
  error: 'text',
  providerStatus: 'text',
  detail: 'text',
  result: 'text',
  mediaType: 'text',
  answerPieces: 'whole',
  resultBytes: 'whole',
  events: 'text',
  reported: 'flag',
  inputTokens: 'text',
  outputTokens: 'text',
  cachedInputTokens: 'text',
  costNano: 'text',
  priceVersion: 'text',
  countsAsFailure: 'flag',
  retentionMs: 'whole',
  maxHandoffs: 'whole',
  billable: 'flag',
  parkMs: 'whole',
}).answers<[became: FinalStatus | 'queued' | 'superseded' | 'late' | 'repeated' | 'gone' | 'answer_lost', Handoff[]]>();

/** What has come of answers that are streamed. */
export const appendEvents = command('jobs/append-events', { lifeMs: 'whole', entries: 'list' }).answers<'appended'>();

export const cancelJob = command(
  'jobs/cancel',
  { id: 'text', tenant: 'text', retentionMs: 'whole' },
  'allow-oom',
).answers<['gone' | 'final' | 'cancelled' | 'requested', Handoff[]]>();

export const eraseJob = command('jobs/erase', { id: 'text', tenant: 'text', stubMs: 'whole' }, 'allow-oom').answers<
  'gone' | 'conflict' | 'erased'
>();

export const viewJobs = command(
  'jobs/view',
  { tenant: 'text', watcher: 'text', withResult: 'flag', ids: 'list' },
  'allow-oom',
).answers<JobReply[]>();

/** By the call that waits for the job. */
export const attendJob = command(
  'jobs/attend',
  { id: 'text', tenant: 'text', platformKey: 'text', watcher: 'text', waiter: 'text', holdMs: 'whole' },
  'allow-oom',
).answers<JobReply>();

export const leaveJob = command('jobs/leave', { id: 'text', waiter: 'text' }, 'allow-oom').answers<'left'>();

export const endLeft = command('jobs/end-left', { leftMs: 'whole', retentionMs: 'whole' }, 'allow-oom').answers<
  [looked: number, cancelled: number, Handoff[]]
>();

export const sweepJobs = command('jobs/sweep', { graceMs: 'whole', retentionMs: 'whole' }, 'allow-oom').answers<
  [expired: number, Handoff[]]
>();

export const trimJobs = command(
  'jobs/trim-jobs',
  { tenant: 'text', from: 'text', retentionMs: 'whole' },
  'allow-oom',
).answers<string>();

export const takeRequest = command('jobs/take-request', { tenant: 'text', requestsPerMinute: 'whole' }).answers<
  ['taken', RateReply, undefined] | ['rate_limited', RateReply, waitMs: number]
>();
