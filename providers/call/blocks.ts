/** An assistant's message as the blocks that it stands for, in the order in which its provider gave them. */
import { type TextPart, textsOf } from '../../shared/domain/conversation/content.ts';
import type { AssistantMessage } from '../../shared/domain/conversation/messages.ts';
import type { Block } from './answer.ts';

export type SentBlock = Exclude<Block, { type: 'text' }> | TextPart;

const isBlank = (text: string): boolean => text.trim() === '';

const textBlocks = ({ content, refusal }: AssistantMessage): TextPart[] => {
  const said = content ?? refusal ?? '';
  return typeof said === 'string' ? [{ type: 'text', text: said }] : said;
};

/** Without blank texts, which Anthropic and Bedrock refuse. */
export const blocksOf = (message: AssistantMessage): SentBlock[] => {
  const { parts, tool_calls = [], reasoning_details = [] } = message;
  const calls = new Map(tool_calls.map((call) => [call.id, call]));
  const all = parts
    ? parts.flatMap((part): SentBlock[] => {
        if (part.type === 'text') return [part];
        if (part.type === 'reasoning') {
          const detail = reasoning_details[part.index];
          return detail ? [{ type: 'reasoning', detail }] : [];
        }
        const call = calls.get(part.id);
        return call ? [{ type: 'tool_call', call }] : [];
      })
    : [
        ...reasoning_details.map((detail) => ({ type: 'reasoning' as const, detail })),
        ...textBlocks(message),
        ...tool_calls.map((call) => ({ type: 'tool_call' as const, call })),
      ];
  return all.filter((block) => block.type !== 'text' || !isBlank(block.text));
};

/** Whether an answer said nothing, and so is no turn of a conversation for most providers. */
export const isEmptyAnswer = ({ content, refusal, tool_calls, reasoning_details }: AssistantMessage): boolean =>
  !tool_calls && !reasoning_details && !refusal && textsOf(content).every(isBlank);

/** What a call's arguments say. */
export const argumentsOf = (text: string): Record<string, unknown> =>
  // A cast because they were checked to be an object.
  JSON.parse(text) as Record<string, unknown>;
