/** A gateway over HTTP, as any tenant’s program may use it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Batch } from '../../shared/domain/batches/schema.ts';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import type { WaitReason } from '../../shared/domain/jobs/states.ts';
import type { Refusal } from '../../shared/domain/refusal.ts';
import { pause } from '../../shared/domain/waits/pause.ts';
import { retryAfterMs } from '../../shared/domain/waits/retry-after.ts';
import { CommandError } from '../command/run-command.ts';

const TRIES = 6;
const FIRST_PAUSE_MS = 500;
/** A person looks on. Six tries are soon over, and then the gateway's own message is shown. */
const ASKED_LIMIT_MS = 60_000;
/** After so long without news the reason is asked for. */
const SILENCE_SECONDS = 2;
const LONG_WAIT_SECONDS = 20;
/** Answers after which the same request may succeed; what makes a batch carries an Idempotency-Key. */
const PASSING = [429, 502, 503, 504];

export type GatewayClient = ReturnType<typeof createGatewayClient>;

type Request = { method?: string; headers?: Record<string, string>; body?: Blob | string };

export const createGatewayClient = ({
  url,
  key,
  user,
}: {
  url: string;
  key: string;
  /** Headers of a user's own key; empty on the platform's account. */
  user: Record<string, string>;
}) => {
  /** Tries again where the gateway is away or asks for patience; throws CommandError with the gateway's own message. */
  const send = async (path: string, { headers, ...request }: Request = {}): Promise<Response> => {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(`${url}${path}`, {
        ...request,
        headers: { 'X-API-Key': key, ...headers },
        redirect: 'error',
      }).catch(() => null);
      if (response?.ok || response?.status === 304) return response;
      // Of conflicts only that with a request that is still being accepted passes, and only it says when.
      const isPassing = response === null || PASSING.includes(response.status) || response.headers.has('retry-after');
      if (!isPassing || attempt === TRIES) throw await problem(response);
      await response?.body?.cancel();
      const askedMs = response && retryAfterMs((name) => response.headers.get(name), Date.now());
      await delay(pause(FIRST_PAUSE_MS * 2 ** (attempt - 1), askedMs, ASKED_LIMIT_MS));
    }
  };
  const problem = async (response: Response | null): Promise<CommandError> => {
    if (response === null) return new CommandError(`No gateway answers at ${url}.`);
    const body = (await response.json().catch(() => null)) as Refusal | null;
    if (body === null) return new CommandError(`The gateway answered ${response.status}.`);
    const { message, errors = [] } = body.error;
    const lines = errors.map((error) => `  line ${error.line}: ${error.message}`);
    // Its options are those of the command here.
    return new CommandError([message.replace('on_invalid=skip', '--on-invalid skip'), ...lines].join('\n'));
  };
  // The casts: what the contract says of these answers.
  const batchIn = async (response: Response): Promise<Batch> => {
    const batch = (await response.json().catch(() => null)) as Batch | null;
    if (batch !== null) return batch;
    throw new CommandError(`The answer of ${url} broke off. Run the same command again.`);
  };

  const waitsFor = async (id: string): Promise<WaitReason | null> => {
    const response = await send(`/v1/jobs?batch_id=${id}&status=queued&limit=1`);
    const { data } = (await response.json()) as { data: Pick<Job, 'queue'>[] };
    return data[0]?.queue?.wait_reason ?? null;
  };

  return {
    /** Sends the file as it is read, never held in memory. Sent again with the same `idempotencyKey`, it is the same batch. */
    submit: async (file: Blob, query: URLSearchParams, idempotencyKey: string): Promise<Batch> =>
      batchIn(
        await send(`/v1/batches?${query.toString()}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-ndjson', 'Idempotency-Key': idempotencyKey, ...user },
          body: file,
        }),
      ),

    /** `only`: of which states; undefined leaves it to the gateway. */
    retry: async (id: string, only: readonly string[] | undefined, idempotencyKey: string): Promise<Batch> =>
      batchIn(
        await send(`/v1/batches/${id}/retry`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey, ...user },
          body: JSON.stringify({ only }),
        }),
      ),

    read: async (id: string): Promise<Batch> => batchIn(await send(`/v1/batches/${id}`)),

    /**
     * Calls `onChange` with the batch whenever lines have ended, and `onSilence` when none has for a while,
     * with what its next line waits for (null: nothing, lines run); answers the batch when it is final.
     */
    follow: async (
      id: string,
      { onChange, onSilence }: { onChange: (batch: Batch) => void; onSilence: (reason: WaitReason | null) => void },
    ): Promise<Batch> => {
      for (let tag = '', waitSeconds = SILENCE_SECONDS; ; ) {
        const response = await send(
          `/v1/batches/${id}${tag === '' ? '' : `?wait=${waitSeconds}`}`,
          tag === '' ? {} : { headers: { 'If-None-Match': tag } },
        );
        if (response.status === 304) {
          onSilence(await waitsFor(id));
          waitSeconds = LONG_WAIT_SECONDS;
          // A gateway without a seat for one more that waits answers at once.
          await delay(FIRST_PAUSE_MS);
          continue;
        }
        tag = response.headers.get('etag') ?? '';
        waitSeconds = SILENCE_SECONDS;
        const batch = await batchIn(response);
        onChange(batch);
        if (batch.finished_at !== null) return batch;
        // Each answer is news of one line at least: a million of them are not asked for one by one.
        await delay(FIRST_PAUSE_MS);
      }
    },

    cancel: async (id: string): Promise<Batch> => batchIn(await send(`/v1/batches/${id}/cancel`, { method: 'POST' })),

    /** What has ended behind the cursor, as NDJSON; null starts with the first. */
    results: async (id: string, after: string | null): Promise<ReadableStream<Uint8Array> | null> => {
      const query = after === null ? '' : `?after=${encodeURIComponent(after)}`;
      return (await send(`/v1/batches/${id}/results${query}`)).body;
    },
  };
};
