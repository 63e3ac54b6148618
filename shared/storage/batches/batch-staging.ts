/** Staging: a batch's lines come to Redis in pieces, unseen, until all of them are published in one step. */

import type { Provider } from '../../../providers/catalogue.ts';
import { type BatchView, MODELS_A_BATCH } from '../../domain/batches/batch.ts';
import type { CompletionRequest, CredentialKind } from '../../domain/completion.ts';
import type { LineError } from '../../domain/errors.ts';
import { type BatchId, MAX_LINES, stemOf, type TenantId } from '../../domain/ids.ts';
import type { Warning } from '../../domain/jobs/schema.ts';
import { needsOf } from '../../domain/needs.ts';
import type { IntakeLimit, LimitsInForce } from '../../domain/tenants/limits.ts';
import type { StopReason } from '../../domain/tenants/stops.ts';
import type { Traceparent } from '../../domain/traceparent.ts';
import { type Webhook, webhookText } from '../../domain/webhooks/webhook.ts';
import type { BatchIds } from '../../keys/digests/genuine-ids.ts';
import { publish, stage } from '../commands/batches/commands.ts';
import type { RunCommand } from '../commands/command.ts';
import type { Handoff } from '../queue/queues.ts';
import { IDEMPOTENCY_MS, upstreamOf } from '../records/names.ts';
import { shardTag } from '../redis/names.ts';
import { parseBatchView } from './batch-view.ts';

/** Staging that nothing was added to for this long is taken for abandoned. */
export const LEASE_MS = 60_000;
/** Lines that stand together in one key; so many characters of a line's number count them. */
const LINES_A_PART = 32;
/** A piece is sent when it is this long; so much may be under way at once. */
const PIECE_BYTES = 256 * 1_024;
const BYTES_UNDER_WAY = 256 * 1_024;
const HANDOFFS_A_PUBLISH = 64;

export type NewBatch = {
  id: BatchId;
  tenant: TenantId;
  provider: Provider;
  credential: CredentialKind;
  /** The public id of the platform key that asks for it, or the name of one of the configuration. */
  platformKey: string;
  /** Of the user's key; null on the platform's account. */
  fingerprint: string | null;
  /** Of the request; null where it came without one. */
  traceparent: Traceparent | null;
  /** The batch whose lines this one repeats. */
  parent: BatchId | null;
  sandbox: boolean;
  /** A batch is one request; `max_queued` counts lines. */
  limits: Pick<LimitsInForce, IntakeLimit>;
};

export type Line = {
  customId: string;
  request: CompletionRequest;
  metadata: Record<string, string>;
  timeoutMs: number;
  /** What of the request was left out; absent if nothing was. */
  warnings?: readonly Warning[];
};

export type NewLine = Line & {
  /** What a call of it will likely use, and cost at most in nano-dollars; null where no budget applies. */
  tokens: number;
  estimateNano: number | null;
};

/** What may be known only when the whole request was read. */
export type BatchDetails = {
  /** Unix milliseconds. */
  deadlineMs: number;
  /** Sealed for the batch's id; null on the platform's account. */
  sealedKey: string | null;
  metadata: Record<string, string>;
  /** Who is told of its end; null: nobody. */
  webhook: Webhook | null;
  /** Of the lines that were left out: the first of them, and how many there were. */
  errors: readonly LineError[];
  skipped: number;
};

/** The lease was over before the batch was published: what was staged is gone. */
export class StagingLost extends Error {
  constructor() {
    super('The lines came too slowly: their staging was given up');
    this.name = 'StagingLost';
  }
}

/** The lines do not fit beside what the tenant stores. */
export class StorageFull extends Error {
  /** Bytes that the tenant stores besides this batch. */
  readonly stored: number;
  /** Bytes of this batch so far, with the lines that did not fit. */
  readonly own: number;

  constructor({ stored, own }: { stored: number; own: number }) {
    super(`The lines do not fit: ${stored} bytes are stored, and the batch has ${own}`);
    this.name = 'StorageFull';
    this.stored = stored;
    this.own = own;
  }
}

/** A line says something that the schema which is recorded has no place for. */
export class SchemaBehind extends Error {
  constructor() {
    super('A line needs a schema that is not recorded yet');
    this.name = 'SchemaBehind';
  }
}

/** The operator stopped the tenant's or the key's work before the batch was published. */
export class StagingStopped extends Error {
  readonly reason: StopReason;
  constructor(reason: StopReason) {
    super('The batch was stopped while its lines came');
    this.name = 'StagingStopped';
    this.reason = reason;
  }
}

export type PublishAnswer =
  | { kind: 'published'; view: BatchView; handoffs: Handoff[]; shard: number }
  /** So many lines of the tenant wait already. */
  | { kind: 'too_many_queued'; queued: number };

export type Staging = {
  /** Takes lines in their order; waits while too much is under way. Rejects with StagingLost, StagingStopped, StorageFull, SchemaBehind or RedisUnavailable. */
  add: (lines: readonly NewLine[]) => Promise<void>;
  /** Lines added so far. */
  count: () => number;
  /** Makes what was staged a batch that runs. `digest` stands for the whole request. When it rejects with RedisUnavailable it may have happened. */
  publish: (details: BatchDetails, digest: string) => Promise<PublishAnswer>;
  /** Deletes what was staged and frees the idempotency key; safe at any time, and to call twice. Where nobody calls it, upkeep does, a minute after the last line. */
  discard: () => Promise<void>;
};

/** What only some lines say, as `Lines.read_staged` reads it: words, in which JSON has its blanks escaped. */
const moreWords = ({ request, warnings }: NewLine): string =>
  [
    ...needsOf(request).map((need) => ` needs=${need}`),
    ...(warnings ? [` warnings=${JSON.stringify(warnings).replaceAll(' ', '\\u0020')}`] : []),
  ].join('');

export const createStaging = (
  { run, ids, shard }: { run: RunCommand; ids: BatchIds; shard: number },
  batch: NewBatch,
): Omit<Staging, 'discard'> => {
  const tag = shardTag(shard);
  const { id, tenant } = batch;
  const stem = stemOf(id);
  const lanes = new Map<string, { number: number; lines: number }>();
  let lines = 0;
  let piece = { args: [] as string[], bytes: 0 };
  let underWay: { sent: Promise<void>; bytes: number }[] = [];
  let bytesUnderWay = 0;
  let failure: { error: unknown } | null = null;

  const send = async (args: readonly string[]): Promise<void> => {
    const { max_stored_bytes } = batch.limits;
    const reply = await run(stage, tag, {
      stem,
      leaseMs: LEASE_MS,
      tenant,
      maxStoredBytes: max_stored_bytes,
      lines: args,
    });
    switch (reply[0]) {
      case 'staged':
        return;
      case 'stopped':
        throw new StagingStopped(reply[1]);
      case 'lost':
        throw new StagingLost();
      case 'behind':
        throw new SchemaBehind();
      case 'too_many_stored_bytes':
        throw new StorageFull({ stored: reply[1], own: reply[2] });
    }
  };
  const flush = (): void => {
    if (piece.args.length === 0) return;
    const { args, bytes } = piece;
    piece = { args: [], bytes: 0 };
    // Told to whoever adds or publishes next.
    const sent = send(args).catch((error: unknown) => {
      failure ??= { error };
    });
    underWay.push({ sent, bytes });
    bytesUnderWay += bytes;
  };
  const settleUnderWay = async (limitBytes: number): Promise<void> => {
    while (underWay.length > 0 && (bytesUnderWay > limitBytes || failure !== null)) {
      const [oldest, ...others] = underWay;
      underWay = others;
      bytesUnderWay -= oldest?.bytes ?? 0;
      await oldest?.sent;
    }
    if (failure !== null) throw failure.error;
  };

  const laneOf = (model: string) => {
    const known = lanes.get(model);
    if (known) return known;
    if (lanes.size === MODELS_A_BATCH) throw new RangeError(`a batch takes at most ${MODELS_A_BATCH} models`);
    const lane = { number: lanes.size, lines: 0 };
    lanes.set(model, lane);
    return lane;
  };
  const enter = (line: NewLine): void => {
    const { customId, request, metadata, timeoutMs, tokens, estimateNano } = line;
    if (lines === MAX_LINES) throw new RangeError(`a batch takes at most ${MAX_LINES} lines`);
    lines += 1;
    const lane = laneOf(request.model);
    lane.lines += 1;
    const suffix = ids.line(tenant, id, lines).slice('job_'.length + stem.length);
    const contents = [
      `${suffix.slice(-8)} ${lane.number} ${lane.lines} ${timeoutMs} ${tokens} ${estimateNano ?? '-'}${moreWords(line)}`,
      JSON.stringify(customId),
      Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : '',
      JSON.stringify(request),
    ].join('\n');
    piece.args.push(suffix, String(lane.number), contents);
    piece.bytes += contents.length;
    if (lines % LINES_A_PART === LINES_A_PART - 1 || piece.bytes >= PIECE_BYTES) flush();
  };

  return {
    add: async (more) => {
      for (const line of more) {
        enter(line);
        if (bytesUnderWay > BYTES_UNDER_WAY) await settleUnderWay(BYTES_UNDER_WAY);
      }
      if (failure !== null) throw failure.error;
    },

    count: () => lines,

    publish: async (details, digest) => {
      if (lines === 0) throw new RangeError('a batch takes at least one line');
      flush();
      await settleUnderWay(0);
      const reply = await run(publish, tag, {
        stem,
        tenant,
        deadlineMs: details.deadlineMs,
        sealedKey: details.sealedKey ?? null,
        metadata: Object.keys(details.metadata).length > 0 ? JSON.stringify(details.metadata) : '',
        webhook: details.webhook ? webhookText(tenant, details.webhook) : '',
        errors: details.errors.length > 0 ? JSON.stringify(details.errors) : '',
        skipped: details.skipped,
        digest,
        idempotencyMs: IDEMPOTENCY_MS,
        maxQueued: batch.limits.max_queued,
        maxHandoffs: HANDOFFS_A_PUBLISH,
        lanes: [...[...lanes.keys()].flatMap((model) => [model, upstreamOf(batch, model)])],
      });
      switch (reply[0]) {
        case 'lost':
          throw new StagingLost();
        case 'stopped':
          throw new StagingStopped(reply[1]);
        case 'too_many_queued':
          return { kind: reply[0], queued: reply[1] };
        case 'published': {
          const view = parseBatchView(reply[1]);
          // Its retention would have to be over by now.
          if (view === null) throw new StagingLost();
          return { kind: reply[0], view, handoffs: reply[2], shard };
        }
      }
    },
  };
};
