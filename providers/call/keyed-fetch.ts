/** The road of a user's key: from its `Secret` into the headers of one request, and nowhere else. */
import { buffer } from 'node:stream/consumers';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import { answerBody, READ_AS_IT_IS } from './answer-body.ts';
import { type EventReading, isEventStream, readEvents } from './events/read-events.ts';
import { type Exchange, isSuccess, noteConnectFailure, overNetwork } from './exchange.ts';

/** What an SDK is given for a key: it prints its own in many places, and falls back to the environment's where it has none. */
export const DUMMY_KEY = 'sk-set-by-keyed-fetch';

/** One pool of connections per provider, shared by all its calls. Each call is bounded as a whole by its own limit, hence no limits on headers and body here. */
export const createProviderAgent = (): Agent => {
  // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
  const connect = buildConnector({ timeout: 10_000, rejectUnauthorized: true });
  return new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options, callback) =>
      connect(options, (...[error, socket]) => {
        if (error === null) return callback(null, socket);
        noteConnectFailure(error);
        callback(error, null);
      }),
    keepAliveTimeout: 10_000,
    // With HTTP/2 one broken connection would take all its calls along, and a cancelled call would not close its socket.
    allowH2: false,
  });
};

type KeyedFetchNeeds = {
  dispatcher: Dispatcher;
  key: Secret;
  /** The provider's own headers, the key among them. */
  headersWith: (key: string) => Record<string, string>;
  traceparent: Traceparent | null;
  /** Written as the exchange goes on. */
  exchange: Exchange;
  /** What is done with an answer that comes as events; null if it is not to come so. */
  events: EventReading | null;
};

/** Statuses whose answers have no body (https://fetch.spec.whatwg.org/#null-body-status). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * A `fetch` for one SDK call, which puts the key into the request as it leaves.
 * The headers are made here from nothing: those that an SDK adds may come from the environment (`OPENAI_CUSTOM_HEADERS`).
 * Unlike a real `fetch` it makes one exchange whatever the answer is: no redirect is followed, no 407 hidden, no 421 sent again.
 * Of an answer in events the SDK gets what it came to, in one piece.
 */
export const createKeyedFetch =
  ({ dispatcher, key, headersWith, traceparent, exchange, events }: KeyedFetchNeeds): typeof fetch =>
  async (input, init) => {
    const { body, signal } = init ?? {};
    if (typeof input !== 'string' || (typeof body !== 'string' && !Buffer.isBuffer(body)))
      throw new TypeError('an unexpected form of request');
    const headers = {
      accept: 'application/json',
      ...READ_AS_IT_IS,
      'content-type': 'application/json',
      'user-agent': 'llm-gateway',
      ...(traceparent && { traceparent }),
      ...headersWith(key.reveal()),
    };
    const answer = await overNetwork(exchange, () =>
      request(input, { method: 'POST', body, signal: signal ?? null, headers, dispatcher }),
    );
    const status = answer.statusCode;
    const received = new Headers(
      Object.entries(answer.headers).flatMap(([name, value]) =>
        [value ?? []].flat().map((each): [string, string] => [name, each]),
      ),
    );
    exchange.response = { status, header: (name) => received.get(name) };
    const answered = answerBody(answer.body, received.get('content-encoding'));
    if (events !== null && isSuccess(status) && isEventStream(received.get('content-type'))) {
      const { whole, given, hasContent } = await readEvents(answered, events, signal ?? null);
      Object.assign(exchange, { received: given, hasContent });
      return Response.json(whole);
    }
    const content = await buffer(answered);
    exchange.received = content;
    return new Response(WITHOUT_BODY.has(status) ? null : content, { status, headers: received });
  };
