/** From the neutral result of a job to Anthropic's `message`. https://platform.claude.com/docs/en/api/messages */
import type {
  Message,
  RedactedThinkingBlock,
  RefusalStopDetails,
  TextBlock,
  ThinkingBlock,
  ToolUseBlock,
  Usage,
} from '@anthropic-ai/sdk/resources/messages';
import { FINISH_REASONS } from '../../../../providers/anthropic/finish-reasons.ts';
import { wordFor } from '../../../../providers/call/answer.ts';
import { blocksOf, type SentBlock } from '../../../../providers/call/blocks.ts';
import type { ReasoningDetail } from '../../../../shared/domain/conversation/reasoning.ts';
import type { CompletionResult } from '../../../../shared/domain/conversation/result.ts';
import type { ToolCall } from '../../../../shared/domain/conversation/tools.ts';
import { deliveredUsage, type JobView } from '../../../../shared/domain/jobs/job.ts';
import { objectAsWritten } from '../../../../shared/domain/json/as-written.ts';

/** No list of citations is null: Vercel’s client takes none. */
export const textBlock = (text: string): TextBlock => ({ type: 'text', text, citations: [] });

export const thinkingBlock = (detail: ReasoningDetail): ThinkingBlock | RedactedThinkingBlock =>
  detail.type === 'reasoning.text'
    ? { type: 'thinking', thinking: detail.text, signature: detail.signature ?? '' }
    : { type: 'redacted_thinking', data: detail.data };

/** An object with one more member, whose JSON is written already. */
const withMember = (object: object, name: string, json: string): string =>
  `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:${json}}`;

export const callFrame = ({ id, function: { name } }: ToolCall): Omit<ToolUseBlock, 'input'> => ({
  type: 'tool_use',
  id,
  name,
  caller: { type: 'direct' },
});

/** The input stands there as the model wrote it: parsed it would have other numbers, and names in another order. */
export const inputText = ({ function: { arguments: text } }: ToolCall): string =>
  objectAsWritten(text) === null ? JSON.stringify(text) : text;

const callText = (call: ToolCall): string => withMember(callFrame(call), 'input', inputText(call));

const blockText = (block: SentBlock): string => {
  if (block.type === 'tool_call') return callText(block.call);
  return JSON.stringify(block.type === 'text' ? textBlock(block.text) : thinkingBlock(block.detail));
};

/**
 * A figure that is unknown is 0, for which Anthropic's form has no other word. Input that a cache
 * gave is apart, as Anthropic has it; what was written to one is known to no job, and stays within.
 */
const usageOf = ({ record }: JobView): Usage => {
  const { input_tokens, output_tokens, cached_input_tokens = null } = deliveredUsage(record) ?? {};
  return {
    input_tokens: Math.max(0, (input_tokens ?? 0) - (cached_input_tokens ?? 0)),
    output_tokens: output_tokens ?? 0,
    cache_read_input_tokens: cached_input_tokens,
    cache_creation_input_tokens: null,
    cache_creation: null,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: null,
    inference_geo: null,
    speed: null,
  };
};

const refusalOf = ({ refusal }: CompletionResult): RefusalStopDetails | null =>
  refusal === undefined ? null : { type: 'refusal', category: null, explanation: refusal };

export const messageFrame = (view: JobView, result: CompletionResult): Omit<Message, 'content'> => ({
  id: view.id.replace(/^job_/, 'msg_'),
  type: 'message',
  role: 'assistant',
  model: view.record.model ?? '',
  stop_reason: wordFor(result, FINISH_REASONS) ?? 'end_turn',
  stop_sequence: null,
  stop_details: refusalOf(result),
  container: null,
  diagnostics: null,
  usage: usageOf(view),
});

/** As JSON. Which stop sequence ended an answer is not known here. */
export const toMessage = (view: JobView, result: CompletionResult): string =>
  withMember(messageFrame(view, result), 'content', `[${blocksOf(result).map(blockText).join(',')}]`);
