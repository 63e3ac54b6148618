/** Anthropic's Messages, on users' own keys only. */
import { Anthropic, APIError } from '@anthropic-ai/sdk';
import { z } from 'zod';
import {
  type CompletionRequest,
  DEFAULT_MAX_TOKENS,
  type FinishReason,
  type TokenUsage,
} from '../../shared/domain/completion.ts';
import type { ForwardedHeaders } from '../../shared/domain/formats.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { secretsIn } from '../call/body-secrets.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../call/keyed-fetch.ts';
import { AS_IT_CAME, type Dialect, makeCall, SDK_TIMEOUT_MS } from '../call/make-call.ts';
import { placeMessages } from '../call/place-messages.ts';
import type { BoundedCall, ProviderAdapter } from '../call/provider.ts';
import { isListed, partCount, partCounts, reportedUsage, sumOf, term, tokenCount } from '../call/reported-usage.ts';
import { type ProviderError, refuseCall } from '../call/verdict.ts';
import { ANTHROPIC_ERRORS, ANTHROPIC_STATUSES } from './errors.ts';
import { ANTHROPIC } from './manifest.ts';

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content_filter'],
]);

/**
 * Models that take a system message between others, from Opus 4.8 on (not Sonnet 5); all others refuse it.
 * https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
 */
const TAKES_SYSTEM_IN_PLACE = /^claude-(?:opus-(?:4-(?:[89]|[1-9]\d)|[5-9])(?!\d)|fable-)/;

const answerForm = z
  .object({
    type: z.literal('message'),
    content: z.array(z.looseObject({ type: z.string() })).nullish(),
    stop_reason: z.string().nullish(),
  })
  .refine((message) => message.content ?? message.stop_reason);
const textBlock = z.object({ type: z.literal('text'), text: z.string() });

const usageForm = z.object({
  usage: z.object({
    input_tokens: tokenCount,
    output_tokens: tokenCount,
    cache_creation_input_tokens: partCount,
    cache_read_input_tokens: partCount,
    cache_creation: partCounts,
    server_tool_use: z.record(z.string(), partCount).nullish().catch({ unknown: null }),
    service_tier: term,
    inference_geo: term,
    speed: term,
  }),
});

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

const versionFor = ({ temperature, top_p }: CompletionRequest): string =>
  temperature === undefined && top_p === undefined ? '2026-10-21' : OLDER_VERSION;

const headersWith = (forwarded: ForwardedHeaders) => (key: string) => {
  const version = forwarded['anthropic-version'] ?? OLDER_VERSION;
  return {
    ...forwarded,
    'anthropic-version': version,
    ...(version === OLDER_VERSION ? { 'x-api-key': key } : { authorization: `Bearer ${key}` }),
  };
};

const toBody = ({ model, messages, max_tokens, temperature, top_p, stop }: CompletionRequest) => {
  const { system, turns } = placeMessages(messages, TAKES_SYSTEM_IN_PLACE.test(model));
  return {
    model,
    max_tokens: max_tokens ?? DEFAULT_MAX_TOKENS,
    messages: turns,
    ...(system.length > 0 && { system: system.map((text) => ({ type: 'text', text })) }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(stop !== undefined && { stop_sequences: stop }),
  };
};

const readUsage = (answer: unknown): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data?.usage;
  if (reported === undefined) return null;
  const { cache_read_input_tokens: cachedInputTokens, cache_creation_input_tokens: cacheWriteTokens } = reported;
  // A page that is fetched costs its tokens only.
  const { web_search_requests = 0, web_fetch_requests: _fetched, ...otherTools } = reported.server_tool_use ?? {};
  return reportedUsage({
    inputTokens: sumOf(reported.input_tokens, cacheWriteTokens, cachedInputTokens),
    outputTokens: reported.output_tokens,
    cachedInputTokens,
    cacheWriteTokens,
    hourCacheWriteTokens: reported.cache_creation.of('ephemeral_1h_input_tokens'),
    webSearches: web_search_requests,
    listed:
      isListed(reported.service_tier, 'standard') &&
      // Models before Opus 4.6 have no choice of place.
      isListed(reported.inference_geo, 'global', 'not_available') &&
      isListed(reported.speed, 'standard') &&
      reported.cache_creation.hasOnly('ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens') &&
      Object.values(otherTools).every((uses) => uses === 0),
  });
};

const read: Dialect['read'] = (answer) => {
  const usage = readUsage(answer);
  const message = answerForm.safeParse(answer).data;
  if (message === undefined) return { result: null, usage };
  return {
    result: {
      role: 'assistant',
      content: (message.content ?? []).map((block) => textBlock.safeParse(block).data?.text ?? '').join(''),
      finish_reason: FINISH_REASONS.get(message.stop_reason ?? '') ?? 'other',
    },
    usage,
  };
};

/** An answer as it came: what was used is read, and nothing else. */
const readPassed: Dialect['read'] = (answer) => ({
  result: answerForm.safeParse(answer).success ? AS_IT_CAME : null,
  usage: readUsage(answer),
});

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

type Sent = Pick<Dialect, 'read' | 'secrets'> & { body: unknown; headers: ForwardedHeaders };

/** `baseUrl` has no path; null is the vendor's own. */
export const createAnthropicAdapter = ({ baseUrl }: { baseUrl: string | null }): ProviderAdapter => {
  const dispatcher = createProviderAgent();

  const send = (call: BoundedCall, { read: readAnswer, body, headers, secrets }: Sent): Promise<Outcome> | Outcome => {
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
          fetch: createKeyedFetch({ dispatcher, key, headersWith: headersWith(headers), traceparent, exchange }),
        });
        // Not `messages.create`, which warns on the console about models that Anthropic has deprecated.
        return client.post('/v1/messages', { body, signal });
      },
    });
  };

  return {
    complete: async (call) => {
      const { request } = call;
      return send(call, {
        read,
        body: toBody(request),
        headers: { 'anthropic-version': versionFor(request) },
        secrets: () => [],
      });
    },
    pass: async (call) => {
      const { format, body, headers } = call.request;
      return format === 'anthropic.messages'
        ? send(call, { read: readPassed, body, headers, secrets: () => secretsIn(body) })
        : refuseCall('user');
    },
    close: () => dispatcher.destroy(),
  };
};
