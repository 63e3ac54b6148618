/** Anthropic's Messages, on users' own keys only. */
import { Anthropic, APIError } from '@anthropic-ai/sdk';
import { z } from 'zod';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import type { ForwardedHeaders } from '../../shared/domain/formats.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { secretsIn } from '../call/body-secrets.ts';
import type { EventReader, EventReading } from '../call/events/read-events.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../call/keyed-fetch.ts';
import { type Dialect, makeCall, SDK_TIMEOUT_MS } from '../call/make-call.ts';
import type { BoundedCall, ProviderAdapter } from '../call/provider.ts';
import { type ProviderError, refuseCall } from '../call/verdict.ts';
import type { ForeignFormat } from '../manifest.ts';
import { ANTHROPIC_ERRORS, ANTHROPIC_STATUSES } from './errors.ts';
import { read, readCount, readPassed } from './from-wire.ts';
import { ANTHROPIC } from './manifest.ts';
import { messageEvents } from './message-events.ts';
import { toBody } from './to-wire.ts';

const said = z.string().nullish().catch(null);

/** The second is how its edge refuses a place: https://github.com/enricoros/big-AGI/issues/485 */
const errorForm = z.union([
  z.object({
    type: z.literal('error'),
    error: z.object({ type: said, message: said, details: z.object({ error_code: said }).nullish().catch(null) }),
  }),
  z.object({
    error: z.object({ type: z.literal('forbidden'), message: z.string(), details: z.undefined().optional() }),
  }),
]);

/** It takes the key in a header of its own, and sampling parameters, which version 2026-10-21 refuses. */
const OLDER_VERSION = '2023-06-01';

const versionFor = ({ temperature, top_p, top_k }: CompletionRequest): string =>
  temperature === undefined && top_p === undefined && top_k === undefined ? '2026-10-21' : OLDER_VERSION;

const headersWith = (forwarded: ForwardedHeaders) => (key: string) => {
  const version = forwarded['anthropic-version'] ?? OLDER_VERSION;
  return {
    ...forwarded,
    'anthropic-version': version,
    ...(version === OLDER_VERSION ? { 'x-api-key': key } : { authorization: `Bearer ${key}` }),
  };
};

const toError = (body: unknown): ProviderError | null => {
  const error = errorForm.safeParse(body).data?.error;
  return error
    ? { code: error.details?.error_code ?? null, type: error.type ?? null, text: error.message ?? '' }
    : null;
};

const readError: Dialect['readError'] = (thrown) => (thrown instanceof APIError ? toError(thrown.error) : null);

const readErrorInside: Dialect['readErrorInside'] = (answer) => {
  const error = toError(answer);
  return error && { ...error, status: ANTHROPIC_STATUSES.get(error.type ?? '') ?? 500 };
};

/** How a body of a format is sent as it came: the path of the call, and what is read of its answer. */
type PassedFormat = {
  path: string;
  read: Dialect['read'];
  /** Null if it has no streams. */
  events: (() => EventReader) | null;
};
const MESSAGES = '/v1/messages';
const PASSED: Readonly<Partial<Record<ForeignFormat, PassedFormat>>> = {
  'anthropic.messages': { path: MESSAGES, read: readPassed, events: messageEvents },
  'anthropic.count_tokens': { path: '/v1/messages/count_tokens', read: readCount, events: null },
};

type Sent = Pick<PassedFormat, 'path' | 'read'> &
  Pick<Dialect, 'secrets'> & { body: unknown; headers: ForwardedHeaders; events: EventReading | null };

/** `baseUrl` has no path; null is the vendor's own. */
export const createAnthropicAdapter = ({ baseUrl }: { baseUrl: string | null }): ProviderAdapter => {
  const dispatcher = createProviderAgent();

  const send = (
    call: BoundedCall,
    { path, read: readAnswer, body, headers, secrets, events }: Sent,
  ): Promise<Outcome> | Outcome => {
    const { userKey: key, traceparent } = call;
    if (key === null) return refuseCall('platform');
    return makeCall(call, {
      credential: 'user',
      requestIdHeader: 'request-id',
      read: readAnswer,
      readError,
      readErrorInside,
      errors: ANTHROPIC_ERRORS,
      secrets,
      send: async (exchange, signal) => {
        // Everything that the SDK would otherwise look up in the environment is said here.
        const client = new Anthropic({
          apiKey: DUMMY_KEY,
          authToken: null,
          webhookKey: null,
          baseURL: baseUrl ?? ANTHROPIC.baseUrl,
          logLevel: 'off',
          openTelemetry: false,
          maxRetries: 0,
          timeout: SDK_TIMEOUT_MS,
          fetch: createKeyedFetch({
            dispatcher,
            key,
            headersWith: headersWith(headers),
            traceparent,
            exchange,
            events,
          }),
        });
        // Not `messages.create`, which warns on the console about models that Anthropic has deprecated.
        return client.post(path, { body, signal });
      },
    });
  };

  return {
    complete: async (call) => {
      const { request } = call;
      return send(call, {
        path: MESSAGES,
        read,
        body: toBody(request),
        headers: { 'anthropic-version': versionFor(request) },
        secrets: () => [],
        events: null,
      });
    },
    pass: async (call) => {
      const { format, body, headers } = call.request;
      const known = PASSED[format];
      if (known === undefined) return refuseCall('user');
      const { path, read: readAnswer } = known;
      const events = call.events && known.events && { reader: known.events(), sink: call.events };
      return send(call, { path, read: readAnswer, body, headers, secrets: () => secretsIn(body), events });
    },
    close: () => dispatcher.destroy(),
  };
};
