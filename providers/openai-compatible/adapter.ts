/** Chat Completions of the vendors in the table, each in its own way. */
import type { FinishReasons } from '../call/answer.ts';
import { type ChatDialect, createChatCompletionsAdapter } from '../call/chat/chat-completions.ts';
import { EMBEDDINGS } from '../call/chat/embeddings.ts';
import { chatBody } from '../call/chat/to-wire.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { isListed, reportedUsage } from '../call/reported-usage.ts';
import { ERROR_READERS, VENDOR_ERRORS } from './errors.ts';
import { type Vendor, vendorOf } from './vendors.ts';

/** Mistral's, for an answer that ends with the model's context: https://docs.mistral.ai/api */
const FINISH_REASONS: FinishReasons = new Map([['model_length', 'length']]);

/** Gemini leaves reasoning out of the one figure and has it in the total: https://github.com/Clarifai/clarifai-python/pull/978 */
const outputTokens = (completion: number | null, prompt: number | null, total: number | null | undefined) =>
  completion === null || prompt === null || total == null ? completion : Math.max(completion, total - prompt);

const dialectOf = (vendor: Vendor): ChatDialect => {
  const { formats, seed, serviceTiers, errors, listedTiers, streamedUsage } = vendorOf(vendor);
  return {
    toBody: (request) =>
      chatBody(request, {
        maxTokens: formats['openai.chat'].limit,
        seed,
        developer: 'system',
        serviceTiers,
        takesEmptyAnswers: false,
      }),
    readUsage: ({ usage, service_tier }, searched) => {
      const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details: ofInput } = usage;
      return reportedUsage({
        inputTokens: prompt_tokens,
        outputTokens: outputTokens(completion_tokens, prompt_tokens, total_tokens),
        cachedInputTokens: ofInput.of('cached_tokens'),
        cacheWriteTokens: ofInput.of('cache_write_tokens'),
        hourCacheWriteTokens: 0,
        webSearches: 0,
        listed: isListed(service_tier, ...listedTiers) && ofInput.of('audio_tokens') === 0 && !searched,
      });
    },
    finishReasons: FINISH_REASONS,
    readError: ERROR_READERS[errors],
    errors: VENDOR_ERRORS[vendor] ?? [],
    streamedUsage,
  };
};

/** `baseUrl` is all of the URL before `/chat/completions`; null is the vendor's own. */
export const createCompatibleAdapter = (vendor: Vendor, { baseUrl }: { baseUrl: string | null }): ProviderAdapter => {
  const { baseUrl: own, formats } = vendorOf(vendor);
  const others = formats['openai.embeddings'] ? { 'openai.embeddings': EMBEDDINGS } : {};
  return createChatCompletionsAdapter(baseUrl ?? own, dialectOf(vendor), others);
};
