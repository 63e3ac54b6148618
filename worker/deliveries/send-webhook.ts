/** One attempt to deliver one event: connected through the egress guard, signed, bounded in time and bytes. */
import type { Socket } from 'node:net';
import { Client, errors } from 'undici';
import { describeError, type Log } from '../../shared/domain/log.ts';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import { retryAfterMs } from '../../shared/domain/waits/retry-after.ts';
import type { DeliveryFailure, DeliveryOutcome } from '../../shared/domain/webhooks/delivery-outcome.ts';
import { signWebhook, type WebhookSecret } from '../../shared/keys/signing/sign.ts';
import { createEgressGuard } from './egress-guard.ts';
import type { Network } from './network.ts';
import { limitTime } from './time-limit.ts';

export const DELIVERY_LIMITS = {
  /** Resolving, connecting and TLS together. */
  connectMs: 5_000,
  /** All of it, from resolving to the last byte read. */
  exchangeMs: 15_000,
  /** Of everything that the endpoint sends after TLS is up: status, headers and body. */
  answerBytes: 64 * 1024,
};

type Delivery = {
  url: string;
  /** The same at every attempt; `[A-Za-z0-9_-]+`. */
  id: string;
  /** Of this attempt. */
  timestampSeconds: number;
  /** JSON. */
  body: string;
  secrets: readonly [WebhookSecret, ...WebhookSecret[]];
  /** Null where there is no trace. */
  traceparent: Traceparent | null;
  signal: AbortSignal;
};

/**
 * Never rejects. 2xx is success, and decides at once: whatever becomes of the body after it, the endpoint has taken the event.
 * The body is still read for a while, because some servers cancel what they were doing when the caller hangs up.
 */
export type SendWebhook = (delivery: Delivery) => Promise<DeliveryOutcome>;

type SendWebhookNeeds = {
  allowPrivate: boolean;
  network: Network;
  now: () => number;
  log: Log;
  limits?: typeof DELIVERY_LIMITS;
};

export const createSendWebhook = ({
  allowPrivate,
  network,
  now,
  log,
  limits = DELIVERY_LIMITS,
}: SendWebhookNeeds): SendWebhook => {
  const connect = createEgressGuard({ allowPrivate, network, connectLimitMs: limits.connectMs, log });

  const attempt = async (delivery: Delivery, signal: AbortSignal): Promise<Answer> => {
    const { id, timestampSeconds, body, secrets, traceparent } = delivery;
    const signature = signWebhook({ id, timestampSeconds, body }, secrets);
    const connected = await connect(delivery.url, signal);
    if (!connected.ok) return { kind: 'none', code: connected.code };
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'llm-gateway',
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signature,
      ...(traceparent && { traceparent }),
    };
    return exchange({ ...connected, headers, body, signal, limits });
  };

  return async (delivery) => {
    const startedAt = performance.now();
    const limit = limitTime(limits.exchangeMs, delivery.signal);
    // A mistake of ours must not look like the endpoint's, and must not stop the deliveries behind it.
    const answer = await attempt(delivery, limit.signal).catch((error: unknown): Answer => {
      log.error('delivery_broke', describeError(error));
      return { kind: 'none', code: 'internal_error' };
    });
    limit.end();
    const ms = Math.round(performance.now() - startedAt);

    if (answer.kind === 'status' && answer.status < 300) return { kind: 'delivered', status: answer.status, ms };
    if (delivery.signal.aborted) return { kind: 'aborted', ms };
    const failed = { kind: 'failed', retryAfterMs: null, status: null, gone: false, ms } as const;
    if (answer.kind === 'none') return { ...failed, code: answer.code };
    const { status, retryAfter } = answer;
    return {
      ...failed,
      code: status < 400 ? 'redirect' : 'status',
      status,
      retryAfterMs: retryAfterMs((name) => (name === 'retry-after' ? retryAfter : null), now()),
      gone: status === 410,
    };
  };
};

type Answer = { kind: 'status'; status: number; retryAfter: string | null } | { kind: 'none'; code: DeliveryFailure };

type Exchange = {
  url: URL;
  socket: Socket;
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
  limits: typeof DELIVERY_LIMITS;
};

/** One request on one connection, which is closed after it: a kept one may be broken by the time of the next event, and one endpoint's trouble must stay its own. */
const exchange = ({ url, socket, headers, body, signal, limits }: Exchange): Promise<Answer> =>
  new Promise((resolve) => {
    /** What stands when the exchange ends for a reason of ours; a status from 200 on is final. */
    let answer: Answer = { kind: 'none', code: 'bad_response' };
    const finish = (result: Answer) => {
      resolve(result);
      // Ends the socket as well, and whatever was still to be read.
      void client.destroy();
      socket.destroy();
    };
    const onTimeOver = () => finish(answer.kind === 'status' ? answer : { kind: 'none', code: 'timeout' });

    let isTaken = false;
    const client = new Client(url.origin, {
      connect: (_options, callback) => {
        // undici connects anew, without end, while connections break before the request is sent; there is only this one that was judged.
        if (isTaken) return finish({ kind: 'none', code: 'reset' });
        isTaken = true;
        // Later, because undici does not notice a connection that is there at once.
        queueMicrotask(() => callback(null, socket));
      },
      // The whole exchange is bounded by the signal.
      headersTimeout: 0,
      bodyTimeout: 0,
    });

    // Counted on the socket: interim answers, chunk extensions and trailers are no body, and may be endless as well.
    const bytesBefore = socket.bytesRead;
    socket.on('readable', () => {
      if (socket.bytesRead - bytesBefore > limits.answerBytes) finish(answer);
    });
    signal.addEventListener('abort', onTimeOver, { once: true });
    if (signal.aborted) return onTimeOver();

    const { pathname, search } = url;
    client.dispatch(
      { path: `${pathname}${search}`, method: 'POST', headers, body, reset: true },
      {
        // undici wants them all.
        onRequestStart: () => {},
        onResponseData: () => {},
        onResponseStart: (_controller, status, { 'retry-after': retryAfter }) => {
          if (status < 200) return;
          answer = { kind: 'status', status, retryAfter: typeof retryAfter === 'string' ? retryAfter : null };
          if (status >= 300) finish(answer);
        },
        onResponseEnd: () => finish(answer),
        onResponseError: (_controller, error) =>
          finish(answer.kind === 'status' ? answer : { kind: 'none', code: codeOf(error) }),
      },
    );
  });

/** What ended an exchange before its status came. */
const codeOf = (error: Error): DeliveryFailure => {
  if (error instanceof errors.InvalidArgumentError) return 'internal_error';
  if (
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError
  )
    return 'bad_response';
  // undici's words for an answer that breaks the rules of HTTP; the same class also says that the other side closed.
  if (error instanceof errors.SocketError && error.message.startsWith('bad ')) return 'bad_response';
  return 'reset';
};
