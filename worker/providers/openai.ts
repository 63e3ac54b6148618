/** OpenAI's Chat Completions, on users' own keys only. */
import OpenAI, { APIError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { CompletionRequest, FinishReason } from '../../shared/completion.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from './keyed-fetch.ts';
import { type Dialect, makeCall, SDK_TIMEOUT_MS } from './make-call.ts';
import type { ProviderAdapter } from './provider.ts';
import { tokenCount } from './token-count.ts';
import { refuseCredential, type Verdict } from './verdict.ts';

const DEFAULT_BASE_URL = 'https://api.openai.com/v1';

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'content_filter'],
]);

/** Refusals that only the account's owner can end, though some come as a 429 (https://platform.openai.com/docs/guides/error-codes). */
const VERDICT_BY_CODE: ReadonlyMap<string, Verdict> = new Map([
  ['insufficient_quota', 'quota_exhausted'],
  ['billing_hard_limit_reached', 'quota_exhausted'],
  ['billing_not_active', 'quota_exhausted'],
]);

const answerForm = z.object({
  error: z.null().optional(),
  choices: z.tuple(
    [
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullable(), refusal: z.string().nullish() }),
      }),
    ],
    z.unknown(),
  ),
});

const usageForm = z.object({
  usage: z.object({
    prompt_tokens: tokenCount,
    completion_tokens: tokenCount,
    prompt_tokens_details: z
      .object({ cached_tokens: tokenCount.nullish(), cache_write_tokens: tokenCount.nullish() })
      .nullish(),
  }),
});

const errorForm = z.object({
  message: z.string().nullable().catch(null),
  code: z.string().nullable().catch(null),
  type: z.string().nullable().catch(null),
});

const toBody = ({ model, messages, max_tokens, temperature, top_p, stop }: CompletionRequest) =>
  ({
    model,
    messages,
    // `max_tokens` is deprecated, and reasoning models refuse it.
    ...(max_tokens !== undefined && { max_completion_tokens: max_tokens }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(stop !== undefined && { stop }),
  }) satisfies ChatCompletionCreateParamsNonStreaming;

const read: Dialect['read'] = (answer) => {
  const reported = usageForm.safeParse(answer).data?.usage;
  const usage = reported
    ? {
        inputTokens: reported.prompt_tokens,
        outputTokens: reported.completion_tokens,
        cachedInputTokens: reported.prompt_tokens_details?.cached_tokens ?? 0,
        cacheWriteTokens: reported.prompt_tokens_details?.cache_write_tokens ?? 0,
      }
    : null;
  const choice = answerForm.safeParse(answer).data?.choices[0];
  if (choice === undefined) return { result: null, usage };
  const { content, refusal } = choice.message;
  const refused = content === null && typeof refusal === 'string';
  return {
    result: {
      role: 'assistant',
      content: content ?? refusal ?? '',
      finish_reason: refused ? 'content_filter' : (FINISH_REASONS.get(choice.finish_reason ?? '') ?? 'other'),
    },
    usage,
  };
};

const explain: Dialect['explain'] = (error) => {
  const said = error instanceof APIError ? errorForm.safeParse(error.error).data : undefined;
  if (said === undefined) return { verdict: null, message: null };
  return {
    verdict: VERDICT_BY_CODE.get(said.code ?? '') ?? VERDICT_BY_CODE.get(said.type ?? '') ?? null,
    message: said.message,
  };
};

/** `baseUrl` ends in `/v1`; null is the vendor's own. */
export const createOpenAIAdapter = ({ baseUrl }: { baseUrl: string | null }): ProviderAdapter => {
  const dispatcher = createProviderAgent();
  return {
    complete: async (call) => {
      const { request, userKey: key, traceparent } = call;
      if (key === null) return refuseCredential('platform');
      return makeCall(call, {
        credential: 'user',
        requestIdHeader: 'x-request-id',
        read,
        explain,
        send: async (exchange, signal) => {
          // Everything that the SDK would otherwise look up in the environment is said here.
          const client = new OpenAI({
            apiKey: DUMMY_KEY,
            adminAPIKey: null,
            organization: null,
            project: null,
            webhookSecret: null,
            baseURL: baseUrl ?? DEFAULT_BASE_URL,
            logLevel: 'off',
            maxRetries: 0,
            timeout: SDK_TIMEOUT_MS,
            fetch: createKeyedFetch({
              dispatcher,
              key,
              headersWith: (clear) => ({ authorization: `Bearer ${clear}` }),
              traceparent,
              exchange,
            }),
          });
          return client.chat.completions.create(toBody(request), { signal });
        },
      });
    },
    close: () => dispatcher.destroy(),
  };
};
