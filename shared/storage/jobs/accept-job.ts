/** Takes a job in, in one atomic step; a long request is written in pieces before that. */
import type { Provider } from '../../../providers/catalogue.ts';
import type { CredentialKind } from '../../domain/completion.ts';
import type { RequestError } from '../../domain/errors.ts';
import type { Asked } from '../../domain/formats.ts';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/jobs/job.ts';
import type { Warning } from '../../domain/jobs/schema.ts';
import { STORED_BODIES, STREAMS } from '../../domain/needs.ts';
import type { JobRecord } from '../../domain/records/job-record.ts';
import type { LimitsInForce } from '../../domain/tenants/limits.ts';
import type { StopReason } from '../../domain/tenants/stops.ts';
import type { Traceparent } from '../../domain/traceparent.ts';
import { type Webhook, webhookText } from '../../domain/webhooks/webhook.ts';
import { type BodyOf, type BodyStore, UNNAMED_PIECES_MS } from '../bodies/body-store.ts';
import { LONGEST_INLINE_BYTES, piecesOf, piecesText } from '../bodies/stored-body.ts';
import type { RunCommand } from '../commands/command.ts';
import { dropBody, type IntakeRefusal, type RateReply, stageBody, submitJob } from '../commands/jobs/commands.ts';
import type { Handoff } from '../queue/queues.ts';
import { digest, IDEMPOTENCY_MS, idempotencyEntry, upstreamOf, waitedEntry } from '../records/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { RedisUnavailable } from '../redis/unavailable.ts';
import { openView, parseView } from './job-view.ts';

/** What it made room for, and a little more, so that a window that grew fills up without waiting for the tick. */
const HANDOFFS_A_SUBMIT = 2;

export type NewJob = {
  id: JobId;
  tenant: TenantId;
  class: 'interactive' | 'batch';
  provider: Provider;
  credential: CredentialKind;
  /** The public id of the platform key that asks for it, or the name of one of the configuration. */
  platformKey: string;
  /** Of the user's key; null on the platform's account. */
  fingerprint: string | null;
  /** Unix milliseconds. */
  deadlineMs: number;
  timeoutMs: number;
  /** In the provider's own naming, as `asked` has it. */
  model: string;
  asked: Asked;
  /** What of it was left out; absent if nothing was. */
  warnings?: readonly Warning[];
  /** What its worker must be able to do, beside what its stored form needs. */
  needs: readonly string[];
  /** Whether its answer is given out as it comes. */
  streamed: boolean;
  /** Whether its request and answer are sealed. */
  sealBody: boolean;
  /** Whether every worker can read bodies in pieces; if not, even a long one is stored whole. */
  isRaised: boolean;
  /** The sealed user key; null on the platform's account. */
  sealedKey: string | null;
  metadata: Record<string, string>;
  /** Who is told of its end; null: nobody. */
  webhook: Webhook | null;
  /** Where in a trace it was accepted; null where there is none. */
  traceparent: Traceparent | null;
  sandbox: boolean;
  /** That one call will use, as far as it can be told beforehand. */
  tokens: number;
  /** The most that one call can cost, and the month's budget that covers it; null where there is no budget. */
  cost: { estimateNano: number; budgetNano: number } | null;
  limits: Pick<LimitsInForce, 'requests_per_minute' | 'max_queued' | 'max_stored_bytes'>;
  /** Why it is not accepted now; only a request that was accepted before is answered. Null where nothing speaks against it. */
  refusal: RequestError | null;
  idempotency: Idempotency | null;
  /** The call that waits for it; null if none does. */
  waiting: WaitingCall | null;
};

/** A call that stays open until its job ends, in hops. A job for which no such call comes back any more may be taken over, and is ended. */
export type WaitingCall = {
  /** `<API process>.<number>`. */
  waiter: string;
  /** How long it is held, until it says more. */
  holdMs: number;
  /** What becomes of the job if it goes; null ends the job unless it runs. */
  ifLeft: 'keep' | 'cancel' | null;
  /** What stands for the request, once for each pepper; none if its idempotency key does. */
  requests: readonly string[];
  /** Whether the same request was sent before: then it takes over a job of it that was left. */
  repeats: boolean;
};

/** A client's wish that the same request is accepted once, however often it is sent. */
export type Idempotency = {
  /** The client's key and the route it was sent to. */
  key: string;
  route: string;
  /** All that makes two requests the same, as text; once for each pepper where a user's key is in it. The first is stored, and any is recognised. */
  requests: readonly string[];
};

/** How much of the requests a minute is left, and how long until all of it is. */
export type RateState = { remaining: number; resetMs: number };

export type SubmitAnswer = { rate: RateState } & (
  | { kind: 'accepted'; view: JobView; handoffs: Handoff[]; shard: number }
  /** The same request was accepted before; `view` is null where that job is no longer stored. */
  | { kind: 'replayed'; view: JobView | null }
  /** Its job was left by the call that waited for it, and this call waits from now on. */
  | { kind: 'joined'; view: JobView | null }
  /** The idempotency key was used for another request. */
  | { kind: 'mismatch' }
  /** For the job's own reason. */
  | { kind: 'refused' }
  /** It needs what the workers of the release before cannot do, and the operator has not said yet that none is left. */
  | { kind: 'behind' }
  | { kind: 'rate_limited'; waitMs: number }
  | { kind: 'too_many_queued' }
  /** What the tenant stores already, and what this job would add. */
  | { kind: 'too_many_stored_bytes'; stored: number; own: number }
  /** Its tenant or its key was stopped, which the process that asks does not know yet. */
  | { kind: 'stopped'; reason: StopReason }
  /** In nano-dollars. */
  | { kind: 'over_budget'; usedNano: number; reservedNano: number }
);

/**
 * Accepts a job. With the same id again it changes nothing. `watcher`: an API process to be told of changes.
 * When it rejects, the job may or may not have been accepted.
 */
export type AcceptJob = (job: NewJob, options: { watcher: string | null }) => Promise<SubmitAnswer>;

type Needs = { run: RunCommand; bodies: Pick<BodyStore, 'put' | 'read'>; shards: number; retentionMs: number };

export const createAcceptJob = ({ run, bodies, shards, retentionMs }: Needs): AcceptJob => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);
  const entryOf = ({ tenant, idempotency }: NewJob): string =>
    idempotency ? idempotencyEntry(tenant, idempotency) : '';
  const waitOf = ({ tenant, platformKey, waiting }: NewJob) => ({
    awaited: (waiting?.requests ?? []).map((each) => waitedEntry(tenant, platformKey, each)).join(' '),
    repeats: waiting?.repeats ?? false,
  });

  const submit = async (job: NewJob, request: string, watcher: string | null): Promise<SubmitAnswer> => {
    const { tenant, idempotency, asked } = job;
    const { pieces, bytes } = piecesOf(request);
    const headers = asked.format === 'neutral' ? {} : asked.headers;
    const answer = await run(submitJob, tagOf(tenant), {
      id: job.id,
      tenant,
      lane: laneOf(job),
      class: job.class,
      upstream: upstreamOf(job, job.model),
      provider: job.provider,
      model: job.model,
      credential: job.credential,
      deadlineMs: job.deadlineMs,
      timeoutMs: job.timeoutMs,
      request,
      requestPieces: pieces,
      requestBytes: bytes,
      format: asked.format,
      forwarded: jsonUnlessEmpty(headers),
      sealedKey: job.sealedKey,
      metadata: jsonUnlessEmpty(job.metadata),
      sandbox: job.sandbox,
      watcher,
      maxHandoffs: HANDOFFS_A_SUBMIT,
      idempotencyEntry: entryOf(job),
      digests: idempotency ? idempotency.requests.map((each) => digest([each])).join(' ') : '',
      idempotencyMs: IDEMPOTENCY_MS,
      platformKey: job.platformKey,
      fingerprint: job.fingerprint,
      webhook: job.webhook ? webhookText(tenant, job.webhook) : '',
      requestsPerMinute: job.limits.requests_per_minute,
      maxQueued: job.limits.max_queued,
      traceparent: job.traceparent,
      tokens: job.tokens,
      estimateNano: job.cost?.estimateNano ?? null,
      budgetNano: job.cost?.budgetNano ?? null,
      refused: job.refusal !== null,
      retentionMs,
      maxStoredBytes: job.limits.max_stored_bytes,
      needs: needsOf(job, request).join(' '),
      warnings: job.warnings ? JSON.stringify(job.warnings) : '',
      streamed: job.streamed,
      waiter: job.waiting?.waiter ?? null,
      holdMs: job.waiting?.holdMs ?? 0,
      ifLeft: job.waiting?.ifLeft ?? null,
      ...waitOf(job),
    });
    const rate = rateOf(answer[1]);
    switch (answer[0]) {
      case 'mismatch':
      case 'refused':
        return { kind: answer[0], rate };
      case 'body_lost':
        // Its pieces came too slowly to Redis, which did not serve as it should.
        throw new RedisUnavailable();
      case 'over_budget':
        return { kind: 'over_budget', rate, usedNano: answer[2], reservedNano: answer[3] };
      case 'replayed':
      case 'joined':
        return { kind: answer[0], rate, view: await openView(bodies, tenant, parseView(answer[2], answer[3])) };
      case 'accepted': {
        const [kind, , , acceptedMs, reason, position, handoffs] = answer;
        const view = { id: job.id, record: newRecord(job, acceptedMs), queue: { reason, position }, result: null };
        return { kind, rate, view, handoffs, shard: shardOf(tenant, shards) };
      }
      default:
        return refusalOf(answer);
    }
  };

  /** Accepts a job whose long request is written in pieces, for which room is made before. */
  const submitLong = async (job: NewJob, body: Buffer, watcher: string | null): Promise<SubmitAnswer> => {
    const { tenant, id, limits } = job;
    const unwritten = piecesText(body.length);
    // Only what was accepted before is answered.
    if (job.refusal !== null) return submit(job, unwritten, watcher);
    const staged = await run(stageBody, tagOf(tenant), {
      id,
      tenant,
      platformKey: job.platformKey,
      class: job.class,
      bytes: body.length,
      needs: needsOf(job, unwritten).join(' '),
      maxQueued: limits.max_queued,
      requestsPerMinute: limits.requests_per_minute,
      maxStoredBytes: limits.max_stored_bytes,
      idempotencyEntry: entryOf(job),
      ...waitOf(job),
      lifeMs: UNNAMED_PIECES_MS,
    });
    if (staged[0] === 'known') return submit(job, unwritten, watcher);
    if (staged[0] !== 'staged') return refusalOf(staged);
    const drop = (): Promise<unknown> => run(dropBody, tagOf(tenant), { id, tenant }).catch(() => {});
    const request = await bodies.put(requestOf(job), body, { sealed: job.sealBody }).catch(async (error: unknown) => {
      await drop();
      throw error;
    });
    const answer = await submit(job, request, watcher);
    if (answer.kind !== 'accepted') await drop();
    return answer;
  };

  return async (job, { watcher }) => {
    const { asked, sealBody, isRaised } = job;
    const json = asked.format === 'neutral' ? JSON.stringify(asked.request) : null;
    if (json !== null && !sealBody && (json.length <= LONGEST_INLINE_BYTES || !isRaised)) {
      return submit(job, json, watcher);
    }
    const body = asked.format === 'neutral' ? Buffer.from(json ?? '') : asked.body;
    if (body.length > LONGEST_INLINE_BYTES) return submitLong(job, body, watcher);
    return submit(job, await bodies.put(requestOf(job), body, { sealed: sealBody }), watcher);
  };
};

const requestOf = ({ tenant, id }: NewJob): BodyOf => ({ tenant, id, part: 'request', attempt: null });

const rateOf = ([remaining, resetMs]: RateReply): RateState => ({ remaining, resetMs });

const refusalOf = (reply: IntakeRefusal): SubmitAnswer => {
  const rate = rateOf(reply[1]);
  switch (reply[0]) {
    case 'behind':
    case 'too_many_queued':
      return { kind: reply[0], rate };
    case 'rate_limited':
      return { kind: 'rate_limited', rate, waitMs: reply[2] };
    case 'stopped':
      return { kind: 'stopped', rate, reason: reply[2] };
    case 'too_many_stored_bytes':
      return { kind: 'too_many_stored_bytes', rate, stored: reply[2], own: reply[3] };
  }
};

/** The record as `submit` has just written it. */
const newRecord = (job: NewJob, acceptedMs: number): JobRecord => ({
  status: 'queued',
  provider: job.provider,
  model: job.model,
  credential: job.credential,
  created: String(acceptedMs),
  deadline: String(job.deadlineMs),
  ...(job.asked.format !== 'neutral' ? { format: job.asked.format } : {}),
  ...(Object.keys(job.metadata).length > 0 ? { metadata: JSON.stringify(job.metadata) } : {}),
  ...(job.sandbox ? { sandbox: '1' } : {}),
  ...(job.warnings ? { warnings: JSON.stringify(job.warnings) } : {}),
  ...(job.cost ? { estimate: String(job.cost.estimateNano) } : {}),
});

const jsonUnlessEmpty = (pairs: Readonly<Record<string, string>>): string =>
  Object.keys(pairs).length > 0 ? JSON.stringify(pairs) : '';

const needsOf = ({ asked, needs, streamed }: NewJob, stored: string): string[] => [
  ...needs,
  ...(streamed ? [STREAMS] : []),
  ...(stored.startsWith('{') ? [] : [STORED_BODIES]),
  ...(asked.format === 'neutral' ? [] : [asked.format]),
];

const laneOf = (job: NewJob): string => digest([job.tenant, job.class, upstreamOf(job, job.model)]);
