/** OpenAI's Responses, as far as they are passed on: what an answer used, and whether it is one. https://developers.openai.com/api/reference/resources/responses */
import { z } from 'zod';
import type { TokenUsage } from '../../shared/domain/completion.ts';
import type { PassedFormat } from '../call/chat/chat-completions.ts';
import { AS_IT_CAME } from '../call/make-call.ts';
import { isListed, partCounts, reportedUsage, term, tokenCount } from '../call/reported-usage.ts';
import { responseEvents } from './response-events.ts';

/** One that failed has its error at the place where every error of OpenAI's stands. */
const answerForm = z.object({ object: z.literal('response'), error: z.null().optional() });

const usageForm = z.object({
  usage: z.object({
    input_tokens: tokenCount,
    output_tokens: tokenCount,
    input_tokens_details: partCounts,
  }),
  service_tier: term,
  output: z.array(z.looseObject({ type: z.string() })).catch([{ type: 'unknown' }]),
});

/** What the model itself writes, at the price of its tokens. All else is done by tools of the provider's, at prices of their own. */
const WRITTEN: ReadonlySet<string> = new Set([
  'message',
  'reasoning',
  'function_call',
  'custom_tool_call',
  'compaction',
]);

const readUsage = (answer: unknown): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data;
  if (reported === undefined) return null;
  const { usage, service_tier, output } = reported;
  return reportedUsage({
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cachedInputTokens: usage.input_tokens_details.of('cached_tokens'),
    cacheWriteTokens: usage.input_tokens_details.of('cache_write_tokens'),
    hourCacheWriteTokens: 0,
    webSearches: 0,
    listed: isListed(service_tier, 'default') && output.every(({ type }) => WRITTEN.has(type)),
  });
};

export const RESPONSES: PassedFormat = {
  path: '/responses',
  read: (answer) => ({
    result: answerForm.safeParse(answer).success ? AS_IT_CAME : null,
    usage: readUsage(answer),
  }),
  streamed: (body) => ({ body, reader: responseEvents() }),
};
