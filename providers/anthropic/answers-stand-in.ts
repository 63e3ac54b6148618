/** Messages, whole and as the events of a stream: https://platform.claude.com/docs/en/build-with-claude/streaming */
import { shardsOf, wordsOf } from '../stand-in/pieces.ts';
import type { Answer, SentEvent, Streaming } from '../stand-in/wire.ts';

const STOP_REASONS = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  content_filter: 'refusal',
  tool_calls: 'tool_use',
  other: 'unheard_of',
} as const;

export const messageOf = ({ id, model, text, reasoning, calls, finish, stopSequence, tokens }: Answer) => ({
  id: `msg_${id}`,
  type: 'message' as const,
  role: 'assistant' as const,
  model,
  content: [
    ...(reasoning ? [{ type: 'thinking' as const, thinking: reasoning.text, signature: reasoning.signature }] : []),
    ...(text === '' && calls.length > 0 ? [] : [{ type: 'text' as const, text }]),
    ...calls.map((call) => ({ type: 'tool_use' as const, id: call.id, name: call.name, input: call.arguments })),
  ],
  stop_reason: STOP_REASONS[finish],
  stop_sequence: stopSequence,
  usage: {
    input_tokens: tokens.input,
    cache_creation_input_tokens: tokens.cacheWritten,
    cache_read_input_tokens: tokens.cached,
    output_tokens: tokens.output,
    service_tier: 'standard',
  },
});

type Block = ReturnType<typeof messageOf>['content'][number];

/** A block before anything is in it, and what comes into it. */
const piecesOf = (block: Block): { empty: object; deltas: object[] } => {
  switch (block.type) {
    case 'text':
      return {
        empty: { ...block, text: '' },
        deltas: wordsOf(block.text).map((text) => ({ type: 'text_delta', text })),
      };
    case 'thinking': {
      const thoughts = wordsOf(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking }));
      return {
        empty: { ...block, thinking: '', signature: '' },
        deltas: [...thoughts, { type: 'signature_delta', signature: block.signature }],
      };
    }
    case 'tool_use': {
      const shards = shardsOf(JSON.stringify(block.input));
      return {
        empty: { ...block, input: {} },
        deltas: shards.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      };
    }
  }
};

const event = (type: string, more: object = {}): SentEvent => ({ name: type, data: { type, ...more } });

export const messageStreaming: Streaming = {
  events: (answer) => {
    const { content, stop_reason, stop_sequence, usage, ...rest } = messageOf(answer);
    const begun = {
      ...rest,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usage, output_tokens: 1 },
    };
    return [
      event('message_start', { message: begun }),
      event('ping'),
      ...content.flatMap((block, index) => {
        const { empty, deltas } = piecesOf(block);
        return [
          event('content_block_start', { index, content_block: empty }),
          ...deltas.map((delta) => event('content_block_delta', { index, delta })),
          event('content_block_stop', { index }),
        ];
      }),
      event('message_delta', {
        delta: { stop_reason, stop_sequence },
        usage: { output_tokens: usage.output_tokens },
      }),
      event('message_stop'),
    ];
  },
  failure: (body) => ({ name: 'error', data: body }),
};
