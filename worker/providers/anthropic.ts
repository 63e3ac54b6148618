/** Anthropic's Messages, on users' own keys only. */
import { Anthropic, APIError } from '@anthropic-ai/sdk';
import { z } from 'zod';
import {
  type CompletionRequest,
  DEFAULT_MAX_TOKENS,
  type FinishReason,
  messageTexts,
} from '../../shared/completion.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from './keyed-fetch.ts';
import { type Dialect, makeCall, SDK_TIMEOUT_MS } from './make-call.ts';
import type { ProviderAdapter } from './provider.ts';
import { tokenCount } from './token-count.ts';
import { refuseCredential, type Verdict } from './verdict.ts';

const DEFAULT_BASE_URL = 'https://api.anthropic.com';

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content_filter'],
]);

/** By `error.details.error_code` or `error.type`, as SDK 1.12 lists them. */
const VERDICT_BY_CODE: ReadonlyMap<string, Verdict> = new Map([
  ['billing_error', 'quota_exhausted'],
  ['contract_spend_limit_reached', 'quota_exhausted'],
  ['enforced_spend_limit_reached', 'quota_exhausted'],
  ['linked_organization_spend_limit_reached', 'quota_exhausted'],
  ['organization_on_hold', 'credential_refused'],
]);

/** An account without credit is answered with a plain 400 or 403 that only its text tells apart. */
const NO_CREDIT = /credit balance is too low/i;

const answerForm = z.object({
  type: z.literal('message'),
  content: z.array(z.looseObject({ type: z.string() })),
  stop_reason: z.string().nullish(),
});
const textBlock = z.object({ type: z.literal('text'), text: z.string() });

const usageForm = z.object({
  usage: z.object({
    input_tokens: tokenCount,
    output_tokens: tokenCount,
    cache_creation_input_tokens: tokenCount.nullish(),
    cache_read_input_tokens: tokenCount.nullish(),
  }),
});

/** API version 2026-10-21 refuses sampling parameters; the older one takes them, and takes the key in a header of its own. */
const headersFor = (request: CompletionRequest) => (key: string) =>
  request.temperature === undefined && request.top_p === undefined
    ? { 'anthropic-version': '2026-10-21', authorization: `Bearer ${key}` }
    : { 'anthropic-version': '2023-06-01', 'x-api-key': key };

const toBody = ({ model, messages, max_tokens, temperature, top_p, stop }: CompletionRequest) => {
  const system = messages.filter(({ role }) => role === 'system').flatMap(({ content }) => messageTexts(content));
  return {
    model,
    max_tokens: max_tokens ?? DEFAULT_MAX_TOKENS,
    messages: messages.filter(({ role }) => role !== 'system'),
    ...(system.length > 0 && { system: system.map((text) => ({ type: 'text', text })) }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(stop !== undefined && { stop_sequences: stop }),
  };
};

const read: Dialect['read'] = (answer) => {
  const reported = usageForm.safeParse(answer).data?.usage;
  const cachedInputTokens = reported?.cache_read_input_tokens ?? 0;
  const cacheWriteTokens = reported?.cache_creation_input_tokens ?? 0;
  const usage = reported
    ? {
        inputTokens: reported.input_tokens + cacheWriteTokens + cachedInputTokens,
        outputTokens: reported.output_tokens,
        cachedInputTokens,
        cacheWriteTokens,
      }
    : null;
  const message = answerForm.safeParse(answer).data;
  if (message === undefined) return { result: null, usage };
  return {
    result: {
      role: 'assistant',
      content: message.content.map((block) => textBlock.safeParse(block).data?.text ?? '').join(''),
      finish_reason: FINISH_REASONS.get(message.stop_reason ?? '') ?? 'other',
    },
    usage,
  };
};

const explain: Dialect['explain'] = (error) => {
  if (!(error instanceof APIError)) return { verdict: null, message: null };
  const { errorCode, type, apiMessage } = error;
  const message = typeof apiMessage === 'string' ? apiMessage : null;
  const noCredit = message !== null && NO_CREDIT.test(message);
  const verdict =
    VERDICT_BY_CODE.get(errorCode ?? '') ?? VERDICT_BY_CODE.get(type ?? '') ?? (noCredit ? 'quota_exhausted' : null);
  return { verdict, message };
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
        explain,
        send: async (exchange, signal) => {
          // Everything that the SDK would otherwise look up in the environment is said here.
          const client = new Anthropic({
            apiKey: DUMMY_KEY,
            authToken: null,
            webhookKey: null,
            baseURL: baseUrl ?? DEFAULT_BASE_URL,
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
