/** The scheduler without processes: the real stores on a real Redis, driven step by step by a test that plays API and workers. */
import { Redis } from 'ioredis';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import type { BatchId, JobId, TenantId } from '../../../shared/domain/ids.ts';
import { ABILITIES } from '../../../shared/domain/needs.ts';
import { createBatchIds, createJobIds } from '../../../shared/keys/digests/genuine-ids.ts';
import { localDataKeys, parseKeyring, parsePeppers } from '../../../shared/keys/encryption/keyring.ts';
import type { DataKeys } from '../../../shared/keys/encryption/seal.ts';
import { createBodySealer } from '../../../shared/keys/encryption/seal-body.ts';
import type { BatchDetails, NewBatch, NewLine, Staging } from '../../../shared/storage/batches/batch-staging.ts';
import { type BatchStore, createBatchStore } from '../../../shared/storage/batches/batch-store.ts';
import { type BodyStore, createBodyStore } from '../../../shared/storage/bodies/body-store.ts';
import { isSealed } from '../../../shared/storage/bodies/stored-body.ts';
import type { Command, InputOf, Inputs } from '../../../shared/storage/commands/command.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { createAcceptJob, type NewJob, type SubmitAnswer } from '../../../shared/storage/jobs/accept-job.ts';
import {
  type Claim,
  createAttemptStore,
  type SettleAnswer,
  type Settlement,
} from '../../../shared/storage/jobs/attempt-store.ts';
import { createJobStore, type JobStore } from '../../../shared/storage/jobs/job-store.ts';
import { createSchedulerStore, type SchedulerStore } from '../../../shared/storage/jobs/scheduler-store.ts';
import { type Handoff, parseHandoff } from '../../../shared/storage/queue/queues.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { storeAnswer } from '../../../worker/attempts/store-answer.ts';
import { NO_LIMITS } from './no-limits.ts';

export const TAG = shardTag(0);

export type Running = { id: JobId; mark: string; claim: Claim };

/** What a running job asks for, in the neutral form and stored as JSON. */
export const askedBy = ({ claim }: Running): CompletionRequest => JSON.parse(claim.request) as CompletionRequest;

export type Engine = {
  url: string;
  redis: Redis;
  jobs: JobStore;
  bodies: BodyStore;
  scheduler: SchedulerStore;
  batches: BatchStore;
  /** Hand-offs that scripts gave out and no worker has taken yet, oldest first. */
  handoffs: Handoff[];
  /** Offers a job, which may be refused. */
  offer: (tenant: string, job?: Partial<NewJob> & { model?: string }) => Promise<SubmitAnswer & { id: JobId }>;
  submit: (tenant: string, job?: Partial<NewJob> & { model?: string }) => Promise<JobId>;
  /** Opens a batch; fails where it is not one to be staged. */
  begin: (
    tenant: string,
    batch?: Partial<NewBatch>,
    idempotencyKey?: string,
  ) => Promise<{ id: BatchId; staging: Staging }>;
  /** Publishes what was staged. */
  publish: (staging: Staging, details?: Partial<BatchDetails>, digest?: string) => Promise<BatchId>;
  /** A published batch of so many lines, or of these. */
  batch: (tenant: string, lines: number | NewLine[], options?: Partial<NewBatch & BatchDetails>) => Promise<BatchId>;
  /** Claims the oldest hand-off; null where there is none or it is refused. */
  start: () => Promise<Running | null>;
  /** Settles a running job; `heldMs` pretends that it held its slot for that long. */
  end: (running: Running, settlement?: Partial<Settlement>, heldMs?: number) => Promise<SettleAnswer['became']>;
  tick: () => Promise<void>;
  /** Claims every hand-off there is. */
  startAll: () => Promise<Running[]>;
  /** The slots of a worker that lives for ever. */
  setSlots: (count: number) => Promise<void>;
  /** Forgets everything. */
  empty: () => Promise<void>;
  /** As when so much time has passed that the records of all jobs have ended, which must be final. */
  letRecordsEnd: () => Promise<void>;
  /** Runs a script of the shard. */
  run: <In extends Inputs, Out>(command: Command<In, Out>, input: InputOf<In>) => Promise<Out>;
  stop: () => void;
};

/** Lines of one model, `c-1` and so on, with a user's message of that name. */
export const linesOf = (count: number, { model = 'model-a', first = 1 } = {}): NewLine[] =>
  Array.from({ length: count }, (_, index) => ({
    customId: `c-${first + index}`,
    request: { model, messages: [{ role: 'user' as const, content: `line ${first + index}` }] },
    metadata: {},
    timeoutMs: 60_000,
    tokens: 100,
    estimateNano: null,
  }));

const peppers = parsePeppers(`test:${Buffer.alloc(32, 7).toString('base64')}`, 'test');

const keyring = parseKeyring(`test:${Buffer.alloc(32, 9).toString('base64')}`, 'test');

/** Of tests: what one seals, another opens. */
export const testDataKeys = (): DataKeys => {
  if (!keyring.ok) throw new Error('no keys');
  return localDataKeys(keyring.keys);
};

export const createEngine = (
  url: string,
  { abilities = ABILITIES }: { abilities?: readonly string[] } = {},
): Engine => {
  if (!peppers.ok) throw new Error('no keys');
  const ids = createJobIds({ peppers: peppers.keys });
  const batchIds = createBatchIds({ peppers: peppers.keys });
  const redis = new Redis(url);
  const run = createCommands(redis);
  const bodies = createBodyStore({ redis, sealer: createBodySealer(testDataKeys()), shards: 1 });
  const jobs = createJobStore({ redis, run, shards: 1, retentionMs: 3_600_000, bodies });
  const acceptJob = createAcceptJob({ run, bodies, shards: 1, retentionMs: 3_600_000 });
  const attempts = createAttemptStore({ run, retentionMs: 3_600_000, abilities });
  const scheduler = createSchedulerStore({ redis, run, retentionMs: 3_600_000, defaultLimits: NO_LIMITS });
  const batches = createBatchStore({ redis, run, shards: 1, retentionMs: 3_600_000, ids: batchIds });
  const handoffs: Handoff[] = [];
  let marks = 0;
  const begin: Engine['begin'] = async (name, batch = {}, idempotencyKey) => {
    const tenant = name as TenantId;
    const id = batchIds.next(tenant);
    const answer = await batches.begin(
      {
        id,
        tenant,
        provider: 'bedrock',
        credential: 'platform',
        platformKey: 'test',
        fingerprint: null,
        parent: null,
        traceparent: null,
        sandbox: false,
        limits: { requests_per_minute: 1_000_000, max_queued: 1_000_000, max_stored_bytes: 1_000_000_000 },
        ...batch,
      },
      idempotencyKey === undefined ? null : { key: idempotencyKey, route: 'POST /v1/batches' },
    );
    if (answer.kind !== 'staging') throw new Error(`not to be staged: ${answer.kind}`);
    return { id, staging: answer.staging };
  };
  const publish: Engine['publish'] = async (staging, details = {}, digest = 'digest') => {
    const answer = await staging.publish(
      {
        deadlineMs: Date.now() + 3_600_000,
        sealedKey: null,
        metadata: {},
        webhook: null,
        errors: [],
        skipped: 0,
        ...details,
      },
      digest,
    );
    if (answer.kind !== 'published') throw new Error(`not published: ${answer.kind}`);
    handoffs.push(...answer.handoffs);
    return answer.view.id;
  };
  const engine: Engine = {
    begin,
    publish,
    batch: async (tenant, lines, options = {}) => {
      const { staging } = await begin(tenant, options);
      await staging.add(typeof lines === 'number' ? linesOf(lines) : lines);
      return publish(staging, options);
    },
    batches,
    url,
    redis,
    run: (command, input) => run(command, TAG, input),
    jobs,
    bodies,
    scheduler,
    handoffs,
    offer: async (name, { model = 'model-a', ...job } = {}) => {
      // Tests name tenants in the form that the type stands for.
      const tenant = name as TenantId;
      const id = ids.next(tenant);
      const answer = await acceptJob(
        {
          id,
          tenant,
          class: 'interactive',
          provider: 'bedrock',
          credential: 'platform',
          platformKey: 'test',
          fingerprint: null,
          deadlineMs: Date.now() + 3_600_000,
          timeoutMs: 60_000,
          model,
          asked: { format: 'neutral', request: { model, messages: [{ role: 'user', content: 'hello' }] } },
          needs: [],
          streamed: false,
          sealBody: false,
          isRaised: false,
          sealedKey: null,
          metadata: {},
          webhook: null,
          traceparent: null,
          sandbox: false,
          tokens: 100,
          cost: null,
          limits: { requests_per_minute: 1_000_000, max_queued: 1_000_000, max_stored_bytes: 1_000_000_000 },
          idempotency: null,
          waiting: null,
          refusal: null,
          ...job,
        },
        { watcher: null },
      );
      if (answer.kind === 'accepted') handoffs.push(...answer.handoffs);
      return { ...answer, id };
    },
    submit: async (tenant, job) => {
      const { kind, id } = await engine.offer(tenant, job);
      if (kind !== 'accepted') throw new Error(`not accepted: ${kind}`);
      return id;
    },
    start: async () => {
      const parsed = parseHandoff(handoffs.shift() ?? '');
      if (!parsed) return null;
      const mark = `worker.${++marks}`;
      const answer = await attempts.claim(0, { id: parsed.id, handoff: parsed.number, mark });
      if (answer.kind === 'claimed') return { id: parsed.id, mark, claim: answer.claim };
      handoffs.push(...answer.handoffs);
      return null;
    },
    end: async ({ id, mark, claim }, settlement = {}, heldMs) => {
      if (heldMs !== undefined) await redis.hset(key(TAG, 'JOB', id), 'slot_since', Date.now() - heldMs);
      const ended = {
        id,
        attempt: claim.attempt,
        mark,
        outcome: 'completed',
        billable: (settlement.outcome ?? 'completed') === 'completed',
        providerRequestId: null,
        usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 2, costNano: 1_000, priceVersion: 'test' },
        next: { kind: 'completed', result: { role: 'assistant', content: 'hi', finish_reason: 'stop' } },
        ...settlement,
      } satisfies Omit<Settlement, 'answer'>;
      const { attempt, tenant, batch, request } = claim;
      const answer =
        ended.next.kind === 'completed'
          ? await storeAnswer(bodies, ended.next.result, { id, tenant, attempt, batch, sealed: isSealed(request) })
          : null;
      const { became, handoffs: next } = await attempts.settle(0, { answer, ...ended });
      handoffs.push(...next);
      return became;
    },
    tick: async () => {
      const { handoffs: next } = await scheduler.tick(0, 'test');
      handoffs.push(...next);
    },
    startAll: async () => {
      const started: Running[] = [];
      while (handoffs.length > 0) {
        const running = await engine.start();
        if (running) started.push(running);
      }
      return started;
    },
    setSlots: async (count) => {
      await redis.hset(key(TAG, 'WORKERS'), 'worker', `${count}:${Date.now() + 3_600_000}`);
      // When a worker leaves, the scheduler counts anew.
      await scheduler.heartbeat(0, 'leaving', 0);
    },
    empty: async () => {
      await redis.flushdb();
      handoffs.length = 0;
    },
    letRecordsEnd: async () => {
      const names = (['JOB', 'RESULT'] as const).map((name) => key(TAG, name, 'job_*'));
      const records = await Promise.all(names.map((name) => redis.keys(name)));
      await redis.del(...records.flat());
      const parts = await redis.zrange(key(TAG, 'STORED_UNTIL'), '0', '-1');
      for (const part of parts) await redis.zadd(key(TAG, 'STORED_UNTIL'), 'XX', 1, part);
      await engine.tick();
    },
    stop: () => redis.disconnect(),
  };
  return engine;
};
