/** A whole answer as the events of a stream of Messages. */
import type { RawContentBlockDelta, RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages';
import { blocksOf, type SentBlock } from '../../../../providers/call/blocks.ts';
import type { CompletionResult } from '../../../../shared/domain/conversation/result.ts';
import type { JobView } from '../../../../shared/domain/jobs/job.ts';
import { callFrame, inputText, messageFrame, textBlock, thinkingBlock } from './to-message.ts';

type Started = Extract<RawMessageStreamEvent, { type: 'content_block_start' }>['content_block'];

/** A block as it begins, and what it gets from then on. */
const growthOf = (block: SentBlock): { begun: Started; deltas: RawContentBlockDelta[] } => {
  if (block.type === 'text') {
    return { begun: textBlock(''), deltas: [{ type: 'text_delta', text: block.text }] };
  }
  if (block.type === 'tool_call') {
    const input: RawContentBlockDelta = { type: 'input_json_delta', partial_json: inputText(block.call) };
    return { begun: { ...callFrame(block.call), input: {} }, deltas: [input] };
  }
  const whole = thinkingBlock(block.detail);
  if (whole.type === 'redacted_thinking') return { begun: whole, deltas: [] };
  const { thinking, signature } = whole;
  return {
    begun: { ...whole, thinking: '', signature: '' },
    deltas: [
      { type: 'thinking_delta', thinking },
      { type: 'signature_delta', signature },
    ],
  };
};

const line = (event: RawMessageStreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

export const toEvents = (view: JobView, result: CompletionResult): string => {
  const { stop_reason, stop_sequence, stop_details, container, usage, ...frame } = messageFrame(view, result);
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = usage;
  const events: RawMessageStreamEvent[] = [
    {
      type: 'message_start',
      message: {
        ...frame,
        container,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: { ...usage, output_tokens: 0 },
      },
    },
    ...blocksOf(result).flatMap((block, index): RawMessageStreamEvent[] => {
      const { begun, deltas } = growthOf(block);
      return [
        { type: 'content_block_start', index, content_block: begun },
        ...deltas.map((delta) => ({ type: 'content_block_delta' as const, index, delta })),
        { type: 'content_block_stop', index },
      ];
    }),
    {
      type: 'message_delta',
      delta: { stop_reason, stop_sequence, stop_details, container },
      usage: {
        input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_input_tokens,
        cache_creation_input_tokens,
        output_tokens_details: null,
        server_tool_use: null,
      },
    },
    { type: 'message_stop' },
  ];
  return events.map(line).join('');
};
