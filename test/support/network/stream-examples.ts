/** One whole stream of each format, event by event. Each used 9 tokens of input and 3 of output. */
import type { ForeignFormat } from '../../../providers/manifest.ts';

export type Example = {
  name?: string;
  data: object | string;
  /** Whether a second attempt may say it in its own words; `hidden` if only the gateway asked for it. */
  kind: 'prelude' | 'content' | 'hidden';
};

const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
  usage: null,
});
const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

const response = (more: object) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  error: null,
  incomplete_details: null,
  output: [],
  ...more,
});
const textPart = { type: 'output_text', text: 'Hélló.', annotations: [] };
const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [textPart] };
const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };

const typed =
  (kind: Example['kind']) =>
  (data: { type: string } & Record<string, unknown>): Example => ({ name: data.type, data, kind });
const prelude = typed('prelude');
const content = typed('content');

export const EXAMPLES: Readonly<Record<'openai.chat' | 'openai.responses' | 'anthropic.messages', readonly Example[]>> =
  {
    'openai.chat': [
      { data: chunk({ role: 'assistant', content: '', refusal: null }), kind: 'prelude' },
      { data: chunk({ content: 'Hél' }), kind: 'content' },
      { data: chunk({ content: 'ló.' }), kind: 'content' },
      { data: chunk({}, { finish_reason: 'stop' }), kind: 'content' },
      { data: { ...chunk({}), choices: [], usage }, kind: 'hidden' },
      { data: '[DONE]', kind: 'content' },
    ],
    'openai.responses': [
      prelude({ type: 'response.created', response: response({ status: 'in_progress' }), sequence_number: 0 }),
      prelude({ type: 'response.in_progress', response: response({ status: 'in_progress' }), sequence_number: 1 }),
      prelude({
        type: 'response.output_item.added',
        output_index: 0,
        item: { ...item, status: 'in_progress', content: [] },
        sequence_number: 2,
      }),
      prelude({
        type: 'response.content_part.added',
        ...at,
        part: { ...textPart, text: '' },
        sequence_number: 3,
      }),
      content({ type: 'response.output_text.delta', ...at, delta: 'Hél', logprobs: [], sequence_number: 4 }),
      content({ type: 'response.output_text.delta', ...at, delta: 'ló.', logprobs: [], sequence_number: 5 }),
      content({ type: 'response.output_text.done', ...at, text: 'Hélló.', logprobs: [], sequence_number: 6 }),
      content({ type: 'response.content_part.done', ...at, part: textPart, sequence_number: 7 }),
      content({ type: 'response.output_item.done', output_index: 0, item, sequence_number: 8 }),
      content({
        type: 'response.completed',
        response: response({
          status: 'completed',
          output: [item],
          usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
        }),
        sequence_number: 9,
      }),
    ],
    'anthropic.messages': [
      prelude({
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'm',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 9, output_tokens: 1 },
        },
      }),
      prelude({ type: 'ping' }),
      prelude({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      content({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hél' } }),
      content({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'ló.' } }),
      content({ type: 'content_block_stop', index: 0 }),
      content({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 3 },
      }),
      content({ type: 'message_stop' }),
    ],
  } satisfies Partial<Record<ForeignFormat, readonly Example[]>>;

export type StreamedFormat = keyof typeof EXAMPLES;
// A cast because Object.keys forgets which keys an object has.
export const STREAMED_FORMATS = Object.keys(EXAMPLES) as StreamedFormat[];

export const written = ({ name, data }: Pick<Example, 'name' | 'data'>, lineEnd = '\n'): string =>
  [
    ...(name === undefined ? [] : [`event: ${name}`]),
    `data: ${typeof data === 'string' ? data : JSON.stringify(data)}`,
    '',
    '',
  ].join(lineEnd);
