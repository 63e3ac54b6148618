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

const ANSWERS: Record<string, () => object> = {
  '/v1/chat/completions': chatAnswer,
  '/v1/responses': responsesAnswer,
  '/v1/messages': messageAnswer,
};

/** What a path is answered from the beginning. */
export const hello = ({ path }: Pick<RecordedCall, 'path'>): PlannedAnswer => {
  const answer = ANSWERS[path.split('?')[0] ?? '']?.();
  return answer === undefined ? { status: 404, body: '{}' } : { body: JSON.stringify(answer) };
};

/** The same after so many milliseconds. */
export const helloAfter =
  (ms: number) =>
  async (call: RecordedCall): Promise<PlannedAnswer> => {
    await delay(ms);
    return hello(call);
  };
