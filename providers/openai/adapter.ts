/** OpenAI's own Chat Completions. */

import { type ChatDialect, createChatCompletionsAdapter, readChatError } from '../call/chat/chat-completions.ts';
import { EMBEDDINGS } from '../call/chat/embeddings.ts';
import { chatBody } from '../call/chat/to-wire.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { isListed, reportedUsage } from '../call/reported-usage.ts';
import { OPENAI_ERRORS, OPENAI_STATUSES } from './errors.ts';
import { OPENAI } from './manifest.ts';
import { RESPONSES } from './responses.ts';

const dialect: ChatDialect = {
  toBody: (request) =>
    chatBody(request, {
      // `max_tokens` is deprecated, and reasoning models refuse it.
      maxTokens: 'max_completion_tokens',
      seed: 'seed',
      developer: 'developer',
      serviceTiers: {},
      takesEmptyAnswers: true,
    }),
  readUsage: ({ usage, service_tier }, searched) => {
    const { prompt_tokens_details: ofInput, completion_tokens_details: ofOutput } = usage;
    return reportedUsage({
      inputTokens: usage.prompt_tokens,
      outputTokens: usage.completion_tokens,
      cachedInputTokens: ofInput.of('cached_tokens'),
      cacheWriteTokens: ofInput.of('cache_write_tokens'),
      hourCacheWriteTokens: 0,
      webSearches: 0,
      listed:
        isListed(service_tier, 'default') &&
        ofInput.of('audio_tokens') === 0 &&
        ofOutput.of('audio_tokens') === 0 &&
        !searched,
    });
  },
  finishReasons: new Map(),
  readError: (body) => readChatError(body, OPENAI_STATUSES),
  errors: OPENAI_ERRORS,
  // https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create (stream_options)
  streamedUsage: 'if_asked',
};

/** `baseUrl` ends in `/v1`; null is the vendor's own. */
export const createOpenAIAdapter = ({ baseUrl }: { baseUrl: string | null }): ProviderAdapter =>
  createChatCompletionsAdapter(baseUrl ?? OPENAI.baseUrl, dialect, {
    'openai.responses': RESPONSES,
    'openai.embeddings': EMBEDDINGS,
  });
