/** The business step behind a new batch: admit, stage its lines as they come, seal, publish, hand off. What is not published leaves nothing behind. */
import { hash } from 'node:crypto';
import type { BatchView } from '../../../shared/domain/batches/batch.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { BatchId } from '../../../shared/domain/ids.ts';
import type { Caller } from '../../../shared/domain/tenants/caller.ts';
import type { LimitRefusal, LimitsInForce } from '../../../shared/domain/tenants/limits.ts';
import type { Traceparent } from '../../../shared/domain/traceparent.ts';
import type { BatchIds } from '../../../shared/keys/digests/genuine-ids.ts';
import type { RequestDigests } from '../../../shared/keys/digests/request-digest.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import {
  type BatchDetails,
  type NewBatch,
  type NewLine,
  SchemaBehind,
  type Staging,
  StagingLost,
  StagingStopped,
  StorageFull,
} from '../../../shared/storage/batches/batch-staging.ts';
import type { BatchStore } from '../../../shared/storage/batches/batch-store.ts';
import type { RateState } from '../../../shared/storage/jobs/accept-job.ts';
import type { Queues } from '../../../shared/storage/queue/queues.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';
import type { Admission } from '../admission.ts';
import type { ResolvedAccount } from '../resolve-account.ts';
import { stoppedRequest } from '../stopped.ts';
import { storageFull } from '../stored-bytes.ts';
import { upgradeUnfinished } from '../upgrade-unfinished.ts';
import type { BatchOptions } from './batch-form.ts';
import type { RequestTexts } from './upload-meaning.ts';

export type BatchContents = Omit<BatchOptions, 'onInvalid'> & Pick<BatchDetails, 'errors' | 'skipped'>;

export type BatchOffer = {
  caller: Pick<Caller, 'tenant' | 'platformKey' | 'limits'>;
  /** Called as soon as the queue has answered, whether it takes the batch or not. */
  tellRate: (rate: RateState) => void;
  /** That its lines' calls run on. */
  account: ResolvedAccount;
  traceparent: Traceparent | null;
  /** The batch whose lines this one repeats. */
  parent: BatchId | null;
  /** The client's `Idempotency-Key`, and the call that it came with. */
  idempotency: { key: string; route: string } | null;
  /** Checks and brings the lines. */
  fill: (add: (lines: readonly NewLine[]) => Promise<void>) => Promise<BatchContents>;
  /** All that makes two requests the same, but for provider and key; reads what `fill` has not read. Called once. */
  request: () => Promise<RequestTexts>;
};

export type AcceptedBatch = { view: BatchView; replayed: boolean };

export type AcceptBatch = (offer: BatchOffer) => Promise<AcceptedBatch>;

type Needs = {
  admission: Admission;
  batches: BatchStore;
  batchIds: BatchIds;
  queues: Queues;
  requestDigests: RequestDigests;
  config: Pick<Config, 'sandbox' | 'batches'>;
  now: () => number;
};

const IN_PROGRESS_SECONDS = 2;
const QUEUE_FULL_SECONDS = 5;

export const createAcceptBatch = ({
  admission,
  batches,
  batchIds,
  queues,
  requestDigests,
  config,
  now,
}: Needs): AcceptBatch => {
  const publish = async (
    staging: Staging,
    { id }: NewBatch,
    { account, fill }: BatchOffer,
    digest: () => Promise<string>,
  ): Promise<AcceptedBatch> => {
    const { durationMs, ...contents } = await fill(async (lines) => {
      // An upload may take minutes.
      admission.admit();
      await staging.add(lines);
    });
    const deadlineMs = now() + durationMs;
    const sealedKey = await account.sealFor(id, deadlineMs);
    const answer = await staging
      .publish({ ...contents, deadlineMs, sealedKey }, await digest())
      .catch((error: unknown) => Promise.reject(uncertain(error, id)));
    if (answer.kind === 'too_many_queued') throw tooManyQueued(answer.queued, staging.count());
    queues.handOff(answer.shard, answer.handoffs);
    return { view: answer.view, replayed: false };
  };

  const tooManyQueued = (queued: number, more: number): RequestError =>
    new RequestError('too_many_queued', {
      retryAfterSeconds: QUEUE_FULL_SECONDS,
      message: `This tenant may have ${config.batches.maxQueued} lines of batches waiting; ${queued} do, and ${more} more are too many. Try again when some of them have run.`,
    });

  const atLimit = {
    rate_limited: tooManyRequests,
    too_many_queued: (_, queued) => tooManyQueued(queued, 1),
    too_many_stored_bytes: (limits, stored) => storageFull(limits, { stored, own: 0 }),
  } satisfies Record<LimitRefusal, (limits: LimitsInForce, figure: number) => RequestError>;

  const accept = async (offer: BatchOffer): Promise<AcceptedBatch> => {
    admission.admit();
    const { caller, tellRate, account, traceparent, parent, idempotency, request } = offer;
    const { tenant, platformKey, limits } = caller;
    const { provider, credential, fingerprint, fingerprints } = account;
    const digests = async (): Promise<[string, ...string[]]> => {
      const { meaning, former } = await request();
      return [
        ...requestDigests((pepper) => [JSON.stringify([meaning, provider, fingerprints[pepper] ?? null])]),
        ...fingerprints.map((mark) =>
          hash('sha256', JSON.stringify([former, provider, mark]), 'base64url').slice(0, 22),
        ),
      ];
    };
    const batch: NewBatch = {
      id: batchIds.next(tenant),
      tenant,
      provider,
      credential,
      platformKey,
      fingerprint,
      traceparent,
      parent,
      sandbox: config.sandbox,
      limits: { ...limits, max_queued: config.batches.maxQueued },
    };
    const answer = await batches.begin(batch, idempotency);
    tellRate(answer.rate);
    switch (answer.kind) {
      case 'stopped':
        throw stoppedRequest(answer.reason);
      case 'in_progress':
        throw new RequestError('idempotency_in_progress', {
          param: 'Idempotency-Key',
          retryAfterSeconds: IN_PROGRESS_SECONDS,
        });
      case 'known': {
        const found = await answer.compare(await digests());
        if (found.kind === 'mismatch') throw new RequestError('idempotency_mismatch', { param: 'Idempotency-Key' });
        if (found.view === null) throw batchGone();
        return { view: found.view, replayed: true };
      }
      case 'staging':
        try {
          return await publish(answer.staging, batch, offer, async () => (await digests())[0]);
        } catch (error) {
          // What cannot be deleted now, a worker's upkeep deletes.
          await answer.staging.discard().catch(() => {});
          if (error instanceof SchemaBehind) throw upgradeUnfinished();
          if (error instanceof StagingLost) throw new RequestError('request_timeout');
          if (error instanceof StagingStopped) throw stoppedRequest(error.reason);
          throw error instanceof StorageFull ? storageFull(limits, error) : error;
        }
      default:
        throw atLimit[answer.kind](limits, answer.figure);
    }
  };
  return (offer) => accept(offer).finally(offer.account.forgetKey);
};

const tooManyRequests = ({ requests_per_minute }: Caller['limits'], waitMs: number): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: Math.ceil(waitMs / 1_000),
    message: `This tenant may send ${requests_per_minute} requests a minute, and a batch is one; try again after the time in Retry-After.`,
  });

/** `param` is where the id stands, if not in the path. */
export const noBatch = (param?: string): RequestError =>
  new RequestError('not_found', { ...(param && { param }), message: 'No batch of this tenant has this id.' });

export const batchGone = (): RequestError =>
  new RequestError('result_expired', {
    message: 'This batch is no longer stored: it was deleted, or its retention has ended.',
  });

/** Redis did not answer: the batch may have been accepted. */
const uncertain = (error: unknown, id: BatchId): unknown =>
  error instanceof RedisUnavailable
    ? new RequestError('queue_unavailable', {
        batchId: id,
        retryAfterSeconds: 1,
        message:
          'The queue did not answer, so the batch may or may not have been accepted: ask for batch_id before you send it again.',
      })
    : error;
