/** The course of every provider call: bounded in time, exactly one exchange, and an outcome whatever happens. */
import { z } from 'zod';
import type { CredentialKind, TokenUsage } from '../../shared/domain/completion.ts';
import type { CompletionResult } from '../../shared/domain/conversation/result.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { retryAfterMs } from '../../shared/domain/waits/retry-after.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import { isTooLong } from './answer-body.ts';
import { type Exchange, isBillable, isSuccess, newExchange } from './exchange.ts';
import type { BoundedCall } from './provider.ts';
import { besideText } from './reported-usage.ts';
import { scrubDetail } from './scrub-detail.ts';
import { type ErrorRow, judgeError, type ProviderError, toOutcome, type Verdict, verdictOfError } from './verdict.ts';

/** What a provider's own file knows of it. */
export type Dialect = {
  credential: CredentialKind;
  requestIdHeader: string;
  /** Makes the call through the SDK, without retries, and keeps `exchange` up to date. May throw anything. */
  send(exchange: Exchange, signal: AbortSignal): Promise<unknown>;
  /** The parts of a 200's body. A null result means that it holds no completion; its usage counts all the same. */
  read(answer: unknown): { result: CompletionResult | typeof AS_IT_CAME | null; usage: TokenUsage | null };
  /** What the SDK threw, if it is an error in the provider's own form or one that the SDK has of its own credentials; else null. Not yet scrubbed. */
  readError(error: unknown): ProviderError | null;
  /** An error in the provider's own form that came inside a 200, with the status that such an error has elsewhere; else null. */
  readErrorInside(answer: unknown): (ProviderError & { status: number }) | null;
  errors: readonly ErrorRow[];
  /** That the request itself holds; null if they are too many to be searched for. */
  secrets(): readonly Secret[] | null;
};

/** The result of a call whose answer is given back in its own bytes. */
export const AS_IT_CAME = 'as it came';

/** For the SDKs' own timers, longer than any call: `makeCall` bounds it, and a time-out of theirs would look like a broken answer. */
export const SDK_TIMEOUT_MS = 3_600_000;

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Ends the call at the first of its signal and its time. `ended` rejects then, because an SDK may not notice. */
const boundCall = ({ timeoutMs, signal }: BoundedCall) => {
  const controller = new AbortController();
  let cause: 'cancelled' | 'timed_out' | null = null;
  let rejectEnded: (reason: Error) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    rejectEnded = reject;
  });
  const end = (why: 'cancelled' | 'timed_out'): void => {
    cause ??= why;
    controller.abort();
    rejectEnded(new Error(why));
  };
  const cancel = (): void => end('cancelled');
  const startedMs = performance.now();
  // Node may fire a timer a few milliseconds early; a call that the job's deadline ends must not end before it.
  const endInTime = (): void => {
    const leftMs = startedMs + timeoutMs - performance.now();
    if (leftMs > 0) timer = setTimeout(endInTime, leftMs);
    else end('timed_out');
  };
  let timer = setTimeout(endInTime, timeoutMs);
  signal.addEventListener('abort', cancel, { once: true });
  return {
    signal: controller.signal,
    ended,
    cause: () => cause,
    release: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    },
  };
};

/** An error that came with a 200, where every provider has its message. */
const errorInside = z.object({ error: z.object({ message: z.string() }) });

/** What is JSON by its text though not by its Content-Type, which is what the SDKs go by. */
const parseText = (answer: unknown): unknown => {
  if (typeof answer !== 'string') return answer;
  try {
    return JSON.parse(answer);
  } catch {
    return answer;
  }
};

/** An answer's headers that say when, and whether, to ask again. */
const wishesOf = ({ response }: Exchange) => ({
  retryAfterMs: response && retryAfterMs(response.header, Date.now()),
  shouldRetry: response?.header('x-should-retry') ?? null,
});

const usedNothing = (usage: TokenUsage | null): boolean =>
  usage === null || (!usage.inputTokens && !usage.outputTokens);

const judge = (
  exchange: Exchange,
  thrown: unknown,
  error: ProviderError | null,
  rows: readonly ErrorRow[],
): Verdict => {
  const { sent, response } = exchange;
  if (!sent) return (error && verdictOfError(rows, error, null)) ?? 'not_sent';
  if (response === null) return 'unavailable';
  // An answer began: one that did not come to an end is asked for again, one that is too long would be so again.
  if (isSuccess(response.status)) return isTooLong(thrown) ? 'unusable_answer' : 'bad_response';
  return judgeError(rows, { status: response.status, error, ...wishesOf(exchange) });
};

/** Makes one call and never throws. The provider's messages and headers end here. */
export const makeCall = async (call: BoundedCall, dialect: Dialect): Promise<Outcome> => {
  const exchange = newExchange();
  const { credential } = dialect;

  const requestId = (): string | null => {
    const id = exchange.response?.header(dialect.requestIdHeader) ?? '';
    return REQUEST_ID.test(id) && !call.userKey?.isPartlyIn(id) ? id : null;
  };
  const shown = (message: string): string | null => {
    const secrets = dialect.secrets();
    return secrets && scrubDetail(message, [...(call.userKey ? [call.userKey] : []), ...secrets]);
  };
  const conclude = (
    verdict: Verdict,
    message: string | null,
    { usage = null, billable = isBillable(exchange) }: { usage?: TokenUsage | null; billable?: boolean } = {},
  ): Outcome =>
    toOutcome(verdict, {
      credential,
      usage,
      billable,
      providerRequestId: requestId(),
      providerStatus: exchange.response?.status ?? null,
      retryAfterMs: wishesOf(exchange).retryAfterMs,
      detail: message === null ? null : shown(message),
    });

  if (call.signal.aborted) return { kind: 'cancelled', usage: null, billable: false, providerRequestId: null };
  const bound = boundCall(call);
  try {
    const answer = await Promise.race([dialect.send(exchange, bound.signal), bound.ended]);
    const body = parseText(answer);
    const { result, usage } = dialect.read(body);
    if (result === null) {
      const error = dialect.readErrorInside(body);
      if (error !== null && usedNothing(usage)) {
        const verdict = judgeError(dialect.errors, { status: error.status, error, ...wishesOf(exchange) });
        // What was written before it may be billed.
        return conclude(verdict, error.text, { usage, billable: exchange.hasContent });
      }
      const explanation = errorInside.safeParse(body).data?.error.message ?? null;
      // What reports usage is whole and paid for; another try would be paid for again.
      return conclude(usage === null ? 'bad_response' : 'unusable_answer', explanation, { usage });
    }
    if (result === AS_IT_CAME) {
      const { received, response } = exchange;
      if (received === null) throw new TypeError('an answer of which no bytes were kept');
      return {
        kind: 'completed',
        result: { bytes: received, mediaType: response?.header('content-type') ?? 'application/json' },
        usage,
        billable: true,
        providerRequestId: requestId(),
      };
    }
    return {
      kind: 'completed',
      result,
      usage: besideText(usage, result.content),
      billable: true,
      providerRequestId: requestId(),
    };
  } catch (thrown) {
    const cause = bound.cause();
    if (cause === 'cancelled') {
      return { kind: 'cancelled', usage: null, billable: isBillable(exchange), providerRequestId: requestId() };
    }
    if (cause === 'timed_out') return conclude('timed_out', null);
    const error = dialect.readError(thrown);
    return conclude(judge(exchange, thrown, error, dialect.errors), error?.text ?? null);
  } finally {
    bound.release();
  }
};
