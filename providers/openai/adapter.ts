/** OpenAI's Chat Completions, on users' own keys only. */
import OpenAI, { APIError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { CompletionRequest, FinishReason, TokenUsage } from '../../shared/domain/completion.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../call/keyed-fetch.ts';
import { type Dialect, makeCall, SDK_TIMEOUT_MS } from '../call/make-call.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { isListed, partCounts, reportedUsage, term, tokenCount } from '../call/reported-usage.ts';
import { type ProviderError, refuseCredential } from '../call/verdict.ts';
import { OPENAI_ERRORS, OPENAI_STATUSES } from './errors.ts';
import { OPENAI } from './manifest.ts';

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'content_filter'],
]);

const message = z.object({
  // Left out by a filter that cut the answer off.
  content: z.string().nullish(),
  refusal: z.string().nullish(),
  /** Whether the web was searched, for all that can be read. Nothing says how often. */
  annotations: z
    .array(z.object({ type: z.string() }))
    .nullish()
    .transform((annotations) => annotations?.some(({ type }) => type === 'url_citation') ?? false)
    .catch(true),
});
const answerForm = z.object({
  error: z.null().optional(),
  choices: z.tuple(
    [
      z
        .object({ finish_reason: z.string().nullish(), message: message.nullish() })
        .refine((choice) => choice.message ?? choice.finish_reason),
    ],
    z.unknown(),
  ),
});

const usageForm = z.object({
  usage: z.object({
    prompt_tokens: tokenCount,
    completion_tokens: tokenCount,
    prompt_tokens_details: partCounts,
    completion_tokens_details: partCounts,
  }),
  service_tier: term,
});

/** OpenAI's own errors have a type or a code, if only null. A number alone is a status, by which somebody on the way speaks. */
const errorForm = z
  .object({
    message: z.string().nullable(),
    code: z.union([z.string(), z.number()]).nullish(),
    type: z.string().nullish(),
  })
  .refine(({ code, type }) => type !== undefined || (code !== undefined && typeof code !== 'number'));
const errorInsideForm = z.object({ error: errorForm });

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

const readUsage = (answer: unknown, searched: boolean): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data;
  if (reported === undefined) return null;
  const {
    prompt_tokens,
    completion_tokens,
    prompt_tokens_details: ofInput,
    completion_tokens_details: ofOutput,
  } = reported.usage;
  return reportedUsage({
    inputTokens: prompt_tokens,
    outputTokens: completion_tokens,
    cachedInputTokens: ofInput.of('cached_tokens'),
    cacheWriteTokens: ofInput.of('cache_write_tokens'),
    hourCacheWriteTokens: 0,
    webSearches: 0,
    listed:
      isListed(reported.service_tier, 'default') &&
      ofInput.of('audio_tokens') === 0 &&
      ofOutput.of('audio_tokens') === 0 &&
      !searched,
  });
};

const read: Dialect['read'] = (answer) => {
  const choice = answerForm.safeParse(answer).data?.choices[0];
  const usage = readUsage(answer, choice?.message?.annotations ?? false);
  if (choice === undefined) return { result: null, usage };
  const content = choice.message?.content || null;
  const refusal = choice.message?.refusal || null;
  const refused = content === null && refusal !== null;
  return {
    result: {
      role: 'assistant',
      content: content ?? refusal ?? '',
      finish_reason: refused ? 'content_filter' : (FINISH_REASONS.get(choice.finish_reason ?? '') ?? 'other'),
    },
    usage,
  };
};

const toError = ({ message, code, type }: z.infer<typeof errorForm>): ProviderError => ({
  code: typeof code === 'string' ? code : null,
  type: type ?? null,
  text: message ?? '',
});

const readError: Dialect['readError'] = (thrown) => {
  const said = thrown instanceof APIError ? errorForm.safeParse(thrown.error).data : undefined;
  return said ? toError(said) : null;
};

const readErrorInside: Dialect['readErrorInside'] = (answer) => {
  const said = errorInsideForm.safeParse(answer).data?.error;
  if (said === undefined) return null;
  const status = typeof said.code === 'number' ? said.code : OPENAI_STATUSES.get(said.type ?? '');
  return { ...toError(said), status: status ?? 500 };
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
        readError,
        readErrorInside,
        errors: OPENAI_ERRORS,
        send: async (exchange, signal) => {
          // Everything that the SDK would otherwise look up in the environment is said here.
          const client = new OpenAI({
            apiKey: DUMMY_KEY,
            adminAPIKey: null,
            organization: null,
            project: null,
            webhookSecret: null,
            baseURL: baseUrl ?? OPENAI.baseUrl,
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
