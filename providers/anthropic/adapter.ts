/** Anthropic's Messages, on users' own keys only. */
import { Anthropic, APIError } from '@anthropic-ai/sdk';
import { z } from 'zod';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../call/keyed-fetch.ts';
import { type Dialect, makeCall, SDK_TIMEOUT_MS } from '../call/make-call.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { type ProviderError, refuseCredential } from '../call/verdict.ts';
import { ANTHROPIC_ERRORS, ANTHROPIC_STATUSES } from './errors.ts';
import { read } from './from-wire.ts';
import { ANTHROPIC } from './manifest.ts';
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

/** API version 2026-10-21 refuses sampling parameters; the older one takes them, and takes the key in a header of its own. */
const headersFor = (request: CompletionRequest) => (key: string) =>
  request.temperature === undefined && request.top_p === undefined && request.top_k === undefined
    ? { 'anthropic-version': '2026-10-21', authorization: `Bearer ${key}` }
    : { 'anthropic-version': '2023-06-01', 'x-api-key': key };

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

/** `baseUrl` has no path; null is the vendor's own. */
export const createAnthropicAdapter = ({ baseUrl }: { baseUrl: string | null }): ProviderAdapter => {
  const dispatcher = createProviderAgent();
  return {
    complete: async (call) => {
      const { request, userKey: key, traceparent } = call;
      if (key === null) return refuseCredential('platform');
      return makeCall(call, {
        credential: 'user',
        requestIdHeader: 'request-id',
        read,
        readError,
        readErrorInside,
        errors: ANTHROPIC_ERRORS,
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
            fetch: createKeyedFetch({ dispatcher, key, headersWith: headersFor(request), traceparent, exchange }),
          });
          // Not `messages.create`, which warns on the console about models that Anthropic has deprecated.
          return client.post('/v1/messages', { body: toBody(request), signal });
        },
      });
    },
    close: () => dispatcher.destroy(),
  };
};
