/** Whole answers of the providers, with what strict clients want of them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PlannedAnswer, RecordedCall } from '../../support/network/recording-provider.ts';

export const chatAnswer = (message: object = { content: 'Hello.' }, finish_reason = 'stop') => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'gpt-4o-mini-2024-07-18',
  choices: [{ index: 0, finish_reason, logprobs: null, message: { role: 'assistant', refusal: null, ...message } }],
  usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
});

export const responsesAnswer = (text = 'Hello.') => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1_700_000_000,
  status: 'completed',
  error: null,
  incomplete_details: null,
  model: 'gpt-4o-mini-2024-07-18',
  output: [
    {
      type: 'message',
      id: 'msg_1',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text, annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 9,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 12,
  },
});

export const messageAnswer = (content: object[] = [{ type: 'text', text: 'Hello.' }], usage: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-4-8',
  content,
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 3, ...usage },
});

/** [0.5, -0.25] as OpenAI packs it: 32-bit floats, the lowest byte first. */
const PACKED = Buffer.from(new Float32Array([0.5, -0.25]).buffer).toString('base64');

/** To a request for numbers, or for base64, which OpenAI's SDK asks for by itself. */
const embeddingAnswer = (body: Buffer) => ({
  object: 'list',
  model: 'text-embedding-3-small',
  data: [{ object: 'embedding', index: 0, embedding: String(body).includes('"base64"') ? PACKED : [0.5, -0.25] }],
  usage: { prompt_tokens: 2, total_tokens: 2 },
});

const ANSWERS: Record<string, (body: Buffer) => object> = {
  '/v1/chat/completions': () => chatAnswer(),
  '/v1/responses': () => responsesAnswer(),
  '/v1/embeddings': embeddingAnswer,
  '/v1/messages': () => messageAnswer(),
  '/v1/messages/count_tokens': () => ({ input_tokens: 14 }),
};

/** What a path is answered from the beginning. */
export const hello = ({ path, body }: Pick<RecordedCall, 'path' | 'body'>): PlannedAnswer => {
  const answer = ANSWERS[path.split('?')[0] ?? '']?.(body);
  return answer === undefined ? { status: 404, body: '{}' } : { body: JSON.stringify(answer) };
};

/** The same after so many milliseconds. */
export const helloAfter =
  (ms: number) =>
  async (call: RecordedCall): Promise<PlannedAnswer> => {
    await delay(ms);
    return hello(call);
  };
