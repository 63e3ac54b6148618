/** From an answer of Messages to a neutral result and its usage. */
import { z } from 'zod';
import type { TokenUsage } from '../../shared/domain/completion.ts';
import { answerOf, type Block, finishOf } from '../call/answer.ts';
import { AS_IT_CAME, type Dialect } from '../call/make-call.ts';
import { isListed, partCount, partCounts, reportedUsage, sumOf, term, tokenCount } from '../call/reported-usage.ts';
import { FINISH_REASONS } from './finish-reasons.ts';

const answerForm = z
  .object({
    type: z.literal('message'),
    content: z.array(z.looseObject({ type: z.string() })).nullish(),
    stop_reason: z.string().nullish(),
  })
  .refine((message) => message.content ?? message.stop_reason);

/** Blocks of other types are of the provider's own tools, which no neutral request asks for. */
const blockForm = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z
    .object({ type: z.literal('thinking'), thinking: z.string(), signature: z.string().nullish() })
    .transform(({ thinking, signature }): Block => {
      const detail = { type: 'reasoning.text' as const, text: thinking, ...(signature && { signature }) };
      return { type: 'reasoning', detail };
    }),
  z
    .object({ type: z.literal('redacted_thinking'), data: z.string() })
    .transform(({ data }): Block => ({ type: 'reasoning', detail: { type: 'reasoning.encrypted', data } })),
  z
    .object({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.unknown() })
    .transform(({ id, name, input }): Block => {
      const called = { name, arguments: JSON.stringify(input ?? {}) };
      return { type: 'tool_call', call: { id, type: 'function', function: called } };
    }),
]);

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

export const read: Dialect['read'] = (answer) => {
  const usage = readUsage(answer);
  const message = answerForm.safeParse(answer).data;
  if (message === undefined) return { result: null, usage };
  const blocks = (message.content ?? []).flatMap((block) => blockForm.safeParse(block).data ?? []);
  return { result: { ...answerOf(blocks), ...finishOf(message.stop_reason, FINISH_REASONS) }, usage };
};

/** An answer as it came: what was used is read, and nothing else. */
export const readPassed: Dialect['read'] = (answer) => ({
  result: answerForm.safeParse(answer).success ? AS_IT_CAME : null,
  usage: readUsage(answer),
});
