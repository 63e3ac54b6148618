/** From an answer of Converse, as the SDK reads it, to a neutral result and its usage. */
import { z } from 'zod';
import type { TokenUsage } from '../../shared/domain/completion.ts';
import { answerOf, type Block, type FinishReasons, finishOf } from '../call/answer.ts';
import type { Dialect } from '../call/make-call.ts';
import { isListed, partCount, reportedUsage, sumOf, term, tokenCount } from '../call/reported-usage.ts';
import { documentText } from './document-text.ts';

const FINISH_REASONS: FinishReasons = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['content_filtered', 'content_filter'],
  ['guardrail_intervened', 'content_filter'],
  ['tool_use', 'tool_calls'],
]);

const answerForm = z
  .object({
    output: z
      .object({ message: z.object({ content: z.array(z.looseObject({ text: z.string().optional() })) }) })
      .nullish(),
    stopReason: z.string().nullish(),
  })
  // Without its message when a filter or guardrail took all of it.
  .refine((answer) => answer.output ?? answer.stopReason);

const blockForm = z.union([
  z.object({ text: z.string() }).transform(({ text }): Block => ({ type: 'text', text })),
  z
    .object({ toolUse: z.object({ toolUseId: z.string(), name: z.string(), input: z.unknown() }) })
    .transform(({ toolUse: { toolUseId: id, name, input } }): Block => {
      const called = { name, arguments: documentText(input ?? {}) };
      return { type: 'tool_call', call: { id, type: 'function', function: called } };
    }),
  z
    .object({
      reasoningContent: z.object({ reasoningText: z.object({ text: z.string(), signature: z.string().nullish() }) }),
    })
    .transform(({ reasoningContent: { reasoningText } }): Block => {
      const { text, signature } = reasoningText;
      return { type: 'reasoning', detail: { type: 'reasoning.text', text, ...(signature && { signature }) } };
    }),
  z
    .object({ reasoningContent: z.object({ redactedContent: z.instanceof(Uint8Array) }) })
    .transform(({ reasoningContent: { redactedContent } }): Block => {
      const data = Buffer.from(redactedContent).toString('base64');
      return { type: 'reasoning', detail: { type: 'reasoning.encrypted', data } };
    }),
]);

const usageForm = z.object({
  usage: z.object({
    inputTokens: tokenCount,
    outputTokens: tokenCount,
    cacheReadInputTokens: partCount,
    cacheWriteInputTokens: partCount,
    cacheDetails: z
      .array(z.object({ ttl: z.string(), inputTokens: partCount }))
      .nullish()
      .catch([{ ttl: '1h', inputTokens: null }]),
  }),
  serviceTier: z.object({ type: term }).nullish().catch({ type: 'unknown' }),
  performanceConfig: z.object({ latency: term }).nullish().catch({ latency: 'unknown' }),
});

const readUsage = (answer: unknown): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data;
  if (reported === undefined) return null;
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens, cacheDetails } = reported.usage;
  const forAnHour = (cacheDetails ?? []).filter(({ ttl }) => ttl === '1h');
  const forAnotherTime = (cacheDetails ?? []).filter(({ ttl }) => ttl !== '1h' && ttl !== '5m');
  return reportedUsage({
    inputTokens: sumOf(inputTokens, cacheWriteInputTokens, cacheReadInputTokens),
    outputTokens,
    cachedInputTokens: cacheReadInputTokens,
    cacheWriteTokens: cacheWriteInputTokens,
    hourCacheWriteTokens: sumOf(0, ...forAnHour.map((written) => written.inputTokens)),
    webSearches: 0,
    listed:
      isListed(reported.serviceTier?.type, 'default') &&
      isListed(reported.performanceConfig?.latency, 'standard') &&
      forAnotherTime.every((written) => written.inputTokens === 0),
  });
};

export const read: Dialect['read'] = (answer) => {
  const usage = readUsage(answer);
  const parsed = answerForm.safeParse(answer).data;
  if (parsed === undefined) return { result: null, usage };
  const blocks = (parsed.output?.message.content ?? []).flatMap((block) => blockForm.safeParse(block).data ?? []);
  return { result: { ...answerOf(blocks), ...finishOf(parsed.stopReason, FINISH_REASONS) }, usage };
};
