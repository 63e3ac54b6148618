/** The road of a user's key: from its `Secret` into the headers of one request, and nowhere else. */
import { Agent, type Dispatcher, Headers, fetch as undiciFetch } from 'undici';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import { type Exchange, LONGEST_ANSWER_BYTES, overNetwork } from './exchange.ts';

/** What an SDK is given for a key: it prints its own in many places, and falls back to the environment's where it has none. */
export const DUMMY_KEY = 'sk-set-by-keyed-fetch';

/** One pool of connections per provider, shared by all its calls. Each call is bounded as a whole by its own limit, hence no limits on headers and body here. */
export const createProviderAgent = (): Agent =>
  new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
    connect: { timeout: 10_000, rejectUnauthorized: true },
    keepAliveTimeout: 10_000,
    // With HTTP/2 one broken connection would take all its calls along, and a cancelled call would not close its socket.
    allowH2: false,
    maxResponseSize: LONGEST_ANSWER_BYTES,
  });

type KeyedFetchNeeds = {
  dispatcher: Dispatcher;
  key: Secret;
  /** The provider's own headers, the key among them. */
  headersWith: (key: string) => Record<string, string>;
  traceparent: Traceparent | null;
  /** Written as the exchange goes on. */
  exchange: Exchange;
};

/**
 * A `fetch` for one SDK call, which puts the key into the request as it leaves.
 * The headers are made here from nothing: those that an SDK adds may come from the environment (`OPENAI_CUSTOM_HEADERS`).
 * A redirect is refused, because `fetch` keeps a key header across origins.
 */
export const createKeyedFetch =
  ({ dispatcher, key, headersWith, traceparent, exchange }: KeyedFetchNeeds): typeof fetch =>
  async (input, init) => {
    const headers = new Headers({
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'llm-gateway',
      ...(traceparent && { traceparent }),
      ...headersWith(key.reveal()),
    });
    if (typeof input !== 'string' || typeof init?.body !== 'string')
      throw new TypeError('an unexpected form of request');
    const request = {
      method: init.method ?? 'POST',
      body: init.body,
      signal: init.signal ?? null,
      headers,
      redirect: 'error',
      dispatcher,
    } as const;
    const response = await overNetwork(exchange, () => undiciFetch(input, request));
    exchange.response = { status: response.status, header: (name) => response.headers.get(name) };
    return response;
  };
