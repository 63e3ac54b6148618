/** The attempts of a job, each opened before its call and settled after it: one call here is one atomic script. */
import type { Provider } from '../../../providers/catalogue.ts';
import type { CredentialKind, TokenUsage } from '../../domain/completion.ts';
import type { CompletionResult } from '../../domain/conversation/result.ts';
import type { JobErrorCode } from '../../domain/errors.ts';
import type { ForeignAnswer, Format, ForwardedHeaders } from '../../domain/formats.ts';
import type { BatchId, JobId, TenantId } from '../../domain/ids.ts';
import type { FinalStatus } from '../../domain/jobs/states.ts';
import type { AttemptOutcome } from '../../domain/outcome.ts';
import type { Price } from '../../domain/prices/pricing.ts';
import type { Traceparent } from '../../domain/traceparent.ts';
import { piecesOf } from '../bodies/stored-body.ts';
import type { RunCommand } from '../commands/command.ts';
import { type ClaimedReply, claimJob, settleJob } from '../commands/jobs/commands.ts';
import type { Handoff } from '../queue/queues.ts';
import { shardTag } from '../redis/names.ts';

/** An attempt found open this many times when another worker takes the job over ends it. */
const MAX_CRASHES = 5;
/** Of any outcome, those that count toward nothing else included. More than throttles, failures and waits for a key service in a day of deadline. */
const MAX_CLAIMS = 1_000;
/** What it made room for, and a little more, so that a window that grew fills up without waiting for the tick. */
const HANDOFFS_A_SETTLE = 4;

export type Claim = {
  attempt: number;
  tenant: TenantId;
  provider: Provider;
  model: string;
  credential: CredentialKind;
  deadlineMs: number;
  timeoutMs: number;
  /** Failed attempts and throttled ones so far. */
  failures: number;
  throttles: number;
  /** Of a throttle, if this attempt meets one, and of its upstream: see `lanes.lua`. */
  apart: number;
  strikes: number;
  /** Its words, and its request in them as it is stored. */
  format: Format;
  request: string;
  forwarded: ForwardedHeaders;
  /** Whether its answer is given out as it comes. */
  streamed: boolean;
  sealedKey: string | null;
  /** Of the request that it came with; null where there is no trace. */
  traceparent: Traceparent | null;
  /** That the job is a line of: its key was sealed for it. */
  batch: BatchId | null;
};

export type ClaimAnswer =
  | { kind: 'claimed'; claim: Claim }
  | {
      kind: 'refused';
      reason: 'stale' | 'crashed' | 'cancelled' | 'expired' | 'over_budget' | 'lacking';
      handoffs: Handoff[];
    };

/** What becomes of a job after an attempt. */
export type NextStep =
  | { kind: 'completed'; result: CompletionResult | ForeignAnswer }
  /** `parkMs`: how long its upstream is left alone, if a throttle ended the job. */
  | { kind: 'failed'; code: JobErrorCode; providerStatus: number | null; detail: string | null; parkMs?: number }
  | { kind: 'expired' }
  | { kind: 'cancelled' }
  /** Back after a pause, in which it holds no place. */
  | { kind: 'retry'; waitMs: number /** The attempt counts toward nothing: no call was made. */; unsent?: true }
  /** As `retry`, after a throttle, which holds for its upstream too unless the job stands apart. */
  | { kind: 'park'; waitMs: number; parkMs: number }
  /** Back to its place at once: the worker could not finish it, which is no fault of the job. */
  | { kind: 'hand_back' };

export type Settlement = {
  id: JobId;
  attempt: number;
  /** The one given to `claim`. */
  mark: string;
  outcome: AttemptOutcome;
  providerRequestId: string | null;
  usage: (Pick<TokenUsage, 'inputTokens' | 'outputTokens' | 'cachedInputTokens'> & Price) | null;
  /** Whether the provider may bill the call: without usage its estimate counts toward the budget. */
  billable: boolean;
  next: NextStep;
  /** Entries that the events of a streamed answer are in, if all of them are there. */
  events?: number;
  /** What a completed job is given, as it is stored; `mediaType` of an answer in foreign words. Null if it is not completed. */
  answer: { stored: string; mediaType: string } | null;
};

export type SettleAnswer = {
  /** `answer_lost`: nothing was done, because the answer's pieces are gone. */
  became: FinalStatus | 'queued' | 'superseded' | 'late' | 'repeated' | 'gone' | 'answer_lost';
  handoffs: Handoff[];
};

export type AttemptStore = ReturnType<typeof createAttemptStore>;

export const createAttemptStore = ({
  run,
  retentionMs,
  abilities,
}: {
  run: RunCommand;
  retentionMs: number;
  /** What this worker can do that a job may need. */
  abilities: readonly string[];
}) => ({
  // The casts in this file: the forms of answers are those in the scripts' headers.
  /** Opens an attempt. `mark` names this try: the same call sent again gets the same attempt. */
  claim: async (
    shard: number,
    { id, handoff, mark }: { id: JobId; handoff: string; mark: string },
  ): Promise<ClaimAnswer> => {
    const reply = await run(claimJob, shardTag(shard), {
      id,
      handoff,
      claim: mark,
      maxCrashes: MAX_CRASHES,
      retentionMs,
      maxAttempts: MAX_CLAIMS,
      abilities: abilities.join(' '),
    });
    if (reply[0] === 'refused') return { kind: 'refused', reason: reply[1], handoffs: reply[2] };
    return { kind: 'claimed', claim: parseClaim(reply) };
  },

  /** Ends an attempt: what it reported is accounted once, and the job is final or waits again. Safe to call twice. */
  settle: async (shard: number, settlement: Settlement): Promise<SettleAnswer> => {
    const { next, usage, answer } = settlement;
    const failed = next.kind === 'failed' ? next : null;
    const [became, handoffs] = await run(settleJob, shardTag(shard), {
      id: settlement.id,
      attempt: settlement.attempt,
      claim: settlement.mark,
      outcome: settlement.outcome,
      providerRequestId: settlement.providerRequestId ?? null,
      next: next.kind,
      waitMs: 'waitMs' in next ? next.waitMs : 0,
      error: next.kind === 'expired' ? ('deadline_exceeded' satisfies JobErrorCode) : (failed?.code ?? ''),
      providerStatus: failed?.providerStatus ?? null,
      detail: failed?.detail ?? null,
      result: answer?.stored ?? '',
      mediaType: answer?.mediaType ?? '',
      answerPieces: answer === null ? 0 : piecesOf(answer.stored).pieces,
      resultBytes: answer === null ? 0 : piecesOf(answer.stored).bytes,
      events: settlement.events ?? null,
      reported: usage !== null,
      inputTokens: usage?.inputTokens ?? null,
      outputTokens: usage?.outputTokens ?? null,
      cachedInputTokens: usage?.cachedInputTokens ?? null,
      costNano: usage?.costNano ?? null,
      priceVersion: usage?.priceVersion ?? null,
      countsAsFailure: next.kind === 'retry' && !next.unsent,
      retentionMs,
      maxHandoffs: HANDOFFS_A_SETTLE,
      billable: settlement.billable,
      parkMs: 'parkMs' in next ? (next.parkMs ?? 0) : 0,
    });
    return { became, handoffs };
  },
});

const parseClaim = ([
  ,
  attempt,
  tenant,
  provider,
  model,
  credential,
  deadline,
  timeout,
  failures,
  throttles,
  apart,
  strikes,
  request,
  sealedKey,
  traceparent,
  batch,
  format,
  forwarded,
  streamed,
]: ClaimedReply): Claim => ({
  attempt,
  tenant,
  provider,
  model,
  credential,
  deadlineMs: Number(deadline),
  timeoutMs: Number(timeout),
  failures,
  throttles,
  apart,
  strikes,
  format,
  request,
  // The cast: `submit` stores nothing else.
  forwarded: forwarded === '' ? {} : (JSON.parse(forwarded) as ForwardedHeaders),
  streamed: streamed === '1',
  sealedKey: sealedKey || null,
  traceparent: traceparent || null,
  batch: batch || null,
});
