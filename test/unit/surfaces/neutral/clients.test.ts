/** Bodies as clients send them by themselves, recorded from openai 7.57, ai 6 and LangChain 1, the second turn of a dialogue with a tool. */
import { expect, test } from 'vitest';
import { fromMessages } from '../../../../api/surfaces/anthropic/neutral/from-messages.ts';
import { fromChat } from '../../../../api/surfaces/openai/neutral/from-chat.ts';
import { translated } from './translated.ts';

const SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const HELLO = { role: 'user', content: 'Hello' };
const CALL = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } };
const FUNCTION = { type: 'function', function: { name: 'weather', description: 'w', parameters: SCHEMA } };
const TOOL = { name: 'weather', description: 'w', input_schema: SCHEMA };
const THINKING = { type: 'thinking', thinking: 'Hm', signature: 's' };
const USE = { type: 'tool_use', id: 'c1', name: 'weather', input: { city: 'Rome' }, caller: { type: 'direct' } };
const FORM = { type: 'json_schema', json_schema: { name: 'x', strict: true, schema: SCHEMA } };

const called = (content: string | null) => [HELLO, { role: 'assistant', content, tool_calls: [CALL] }];
const RESULT = { role: 'tool', tool_call_id: 'c1', content: 'sunny' };
const DIALOGUE = [...called(null), RESULT];
const thought = {
  role: 'assistant',
  content: null,
  reasoning_details: [{ type: 'reasoning.text', text: 'Hm', signature: 's' }],
  tool_calls: [CALL],
};

test.each<[string, object, object[]]>([
  ['ai', { messages: DIALOGUE, tools: [FUNCTION], tool_choice: 'auto' }, DIALOGUE],
  ['openai’s runTools', { messages: DIALOGUE, tools: [FUNCTION], tool_choice: 'auto', stream: false }, DIALOGUE],
  [
    'LangChain',
    { stream: false, tools: [FUNCTION], messages: [...called(''), { ...RESULT, name: 'weather' }] },
    [...called(''), RESULT],
  ],
  [
    'openai’s parse',
    {
      messages: [HELLO, { role: 'assistant', content: '{}', refusal: null, parsed: { city: 'Rome' } }, HELLO],
      response_format: FORM,
    },
    [HELLO, { role: 'assistant', content: '{}' }, HELLO],
  ],
])('Chat Completions of %s', (_, sent, messages) => {
  const { refusal, request } = translated(fromChat, { model: 'm', ...sent });
  expect(refusal).toBeNull();
  expect(request?.messages).toEqual(messages);
});

test.each<[string, object]>([
  [
    'ai',
    {
      max_tokens: 64_000,
      thinking: { type: 'enabled', budget_tokens: 1_024 },
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
        { role: 'assistant', content: [THINKING, USE] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'sunny' }] },
      ],
      tools: [TOOL],
      tool_choice: { type: 'auto' },
    },
  ],
  [
    'LangChain',
    {
      stream: false,
      max_tokens: 16_384,
      tools: [TOOL],
      messages: [
        HELLO,
        { role: 'assistant', content: [THINKING, USE] },
        { role: 'user', content: [{ type: 'tool_result', content: 'sunny', tool_use_id: 'c1' }] },
      ],
    },
  ],
])('Messages of %s', (_, sent) => {
  const { refusal, request } = translated(fromMessages, { model: 'm', ...sent });
  expect(refusal).toBeNull();
  expect(request?.messages.slice(1)).toEqual([thought, RESULT]);
});
