/** How a job's neutral result is told in the words of other interfaces, and that it comes back as it was. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromMessages } from '../../../../api/surfaces/anthropic/neutral/from-messages.ts';
import { toMessage } from '../../../../api/surfaces/anthropic/neutral/to-message.ts';
import { fromChat } from '../../../../api/surfaces/openai/neutral/from-chat.ts';
import { toChatCompletion } from '../../../../api/surfaces/openai/neutral/to-chat.ts';
import { answerOf, type Block } from '../../../../providers/call/answer.ts';
import { blocksOf } from '../../../../providers/call/blocks.ts';
import type { AssistantMessage } from '../../../../shared/domain/conversation/messages.ts';
import { type CompletionResult, FINISH_REASONS } from '../../../../shared/domain/conversation/result.ts';
import type { JobId } from '../../../../shared/domain/ids.ts';
import type { JobView } from '../../../../shared/domain/jobs/job.ts';
import { translated } from './translated.ts';

const ID = 'job_01j00000000000000000000000abcdefgh' as JobId;
const view = (used?: string): JobView => ({
  id: ID,
  record: { model: 'm', created: '1700000000999', ...(used !== undefined && { used }) },
  queue: null,
  result: null,
});
const answer = (more: Partial<CompletionResult> = {}): CompletionResult => ({
  role: 'assistant',
  content: 'Yes.',
  finish_reason: 'stop',
  ...more,
});
const chat = (result: CompletionResult, used?: string) => JSON.parse(toChatCompletion(view(used), result));
const message = (result: CompletionResult, used?: string) => JSON.parse(toMessage(view(used), result));
const call = (id: string, text: string) => ({
  id,
  type: 'function' as const,
  function: { name: 'f', arguments: text },
});

test('a completion has the job’s id, time and model', () => {
  expect(chat(answer(), '5|2|3|')).toEqual({
    id: 'chatcmpl-01j00000000000000000000000abcdefgh',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Yes.', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: 5,
      completion_tokens: 2,
      total_tokens: 7,
      prompt_tokens_details: { cached_tokens: 3 },
    },
  });
});

test('a completion leaves out figures that are unknown, and says none that is wrong', () => {
  expect(chat(answer(), '5|2||').usage).toEqual({ prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 });
  for (const used of [undefined, '5|||', '|2||']) expect(chat(answer(), used)).not.toHaveProperty('usage');
});

test('a message has the job’s id and model, and input that a cache gave apart', () => {
  expect(message(answer(), '5|2|3|')).toEqual({
    id: 'msg_01j00000000000000000000000abcdefgh',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text: 'Yes.', citations: [] }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: {
      input_tokens: 2,
      output_tokens: 2,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: null,
      cache_creation: null,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: null,
      inference_geo: null,
      speed: null,
    },
  });
});

test('a message has numbers where its form wants them, and null where it can, if a figure is unknown', () => {
  for (const used of [undefined, '|||']) {
    expect(message(answer(), used).usage).toMatchObject({
      input_tokens: 0,
      output_tokens: 0,
      cache_read_input_tokens: null,
    });
  }
});

test.each([
  ['stop', undefined, 'stop', 'end_turn'],
  ['stop', 'stop_sequence', 'stop', 'stop_sequence'],
  ['length', undefined, 'length', 'max_tokens'],
  ['length', 'model_context_window_exceeded', 'length', 'model_context_window_exceeded'],
  ['content_filter', 'guardrail_intervened', 'content_filter', 'refusal'],
  ['tool_calls', undefined, 'tool_calls', 'tool_use'],
  ['pause', undefined, 'length', 'pause_turn'],
  ['other', 'malformed_tool_use', 'stop', 'end_turn'],
] as const)('an end by %s, said as %s, is %s and %s', (finish_reason, word, finish, stop) => {
  const result = answer({ finish_reason, ...(word && { provider_finish_reason: word }) });
  expect(chat(result).choices[0].finish_reason).toBe(finish);
  expect(message(result).stop_reason).toBe(stop);
});

test('a completion has every answer, its probabilities and what the next request must bring back', () => {
  const logprobs = { content: [{ token: 'a', logprob: -1, top_logprobs: [{ token: 'b', logprob: -2 }] }] };
  const annotations = [{ type: 'url_citation', url_citation: { url: 'u', title: 't', start_index: 0, end_index: 1 } }];
  const result = answer({
    content: '',
    refusal: 'No.',
    logprobs,
    annotations,
    tool_calls: [{ ...call('a', '{"n": 1.0}'), signature: 's' }],
    reasoning_details: [{ type: 'reasoning.encrypted', data: 'ZGF0YQ==' }],
    choices: [answer({ content: 'No.' })],
  });
  expect(chat(result).choices).toEqual([
    {
      index: 0,
      message: {
        role: 'assistant',
        content: null,
        refusal: 'No.',
        annotations,
        tool_calls: [{ ...call('a', '{"n": 1.0}'), extra_content: { google: { thought_signature: 's' } } }],
        reasoning_details: [{ type: 'reasoning.encrypted', data: 'ZGF0YQ==' }],
      },
      logprobs: {
        content: [{ token: 'a', logprob: -1, bytes: null, top_logprobs: [{ token: 'b', logprob: -2, bytes: null }] }],
        refusal: null,
      },
      finish_reason: 'stop',
    },
    { index: 1, message: { role: 'assistant', content: 'No.', refusal: null }, logprobs: null, finish_reason: 'stop' },
  ]);
});

test('a message has the input of a call as the model wrote it, and a refusal as a text and with its reason', () => {
  const text = '{"2":1.0,"1":9007199254740993, "a":"\\u00e9"}';
  expect(toMessage(view(), answer({ tool_calls: [call('a', text)] }))).toContain(`"input":${text}}`);
  const refused = message(answer({ content: 'No.', refusal: 'No.', finish_reason: 'content_filter' }));
  expect(refused.content).toEqual([{ type: 'text', text: 'No.', citations: [] }]);
  expect(refused.stop_details).toEqual({ type: 'refusal', category: null, explanation: 'No.' });
});

const said = fc.string({ unit: 'grapheme', maxLength: 8 });
const input = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(said, fc.integer(), fc.boolean()), {
  maxKeys: 3,
});
const block = fc.oneof(
  said.map((text): Block => ({ type: 'text', text })),
  fc.record({ text: said, signature: said }).map(({ text, signature }): Block => {
    const detail = { type: 'reasoning.text' as const, text, ...(signature && { signature }) };
    return { type: 'reasoning', detail };
  }),
  fc.base64String({ minLength: 4, maxLength: 8 }).map((data): Block => {
    return { type: 'reasoning', detail: { type: 'reasoning.encrypted', data } };
  }),
  input.map((value): Block => ({ type: 'tool_call', call: call('', JSON.stringify(value)) })),
);
const result = fc
  .record({
    blocks: fc.array(block, { maxLength: 6 }),
    finish_reason: fc.constantFrom(...FINISH_REASONS),
    refusal: fc.option(
      said.filter((text) => text !== ''),
      { nil: undefined },
    ),
  })
  .map(({ blocks, finish_reason, refusal }): CompletionResult => {
    const named = blocks.map(
      (each, at): Block =>
        each.type === 'tool_call' ? { type: 'tool_call', call: { ...each.call, id: `call_${at}` } } : each,
    );
    const made = answerOf(named);
    const refused = refusal !== undefined && named.length === 0;
    return { ...made, finish_reason, ...(refused && { refusal, content: refusal }) };
  });

/** What models are sent of an answer. */
const sentOf = (asked: AssistantMessage) => JSON.parse(JSON.stringify(blocksOf(asked)));

test('every answer that is sent back is taken, and says to the model what it said', () => {
  fc.assert(
    fc.property(result, (given) => {
      const calls = given.tool_calls ?? [];
      const hello = { role: 'user', content: 'Hello.' };
      const bodies = [
        translated(fromChat, {
          model: 'm',
          tools: [{ type: 'function', function: { name: 'f' } }],
          messages: [
            hello,
            chat(given).choices[0].message,
            ...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'done' })),
            hello,
          ],
        }),
        translated(fromMessages, {
          model: 'm',
          max_tokens: 5,
          tools: [{ name: 'f', input_schema: { type: 'object' } }],
          messages: [
            hello,
            { role: 'assistant', content: message(given).content },
            {
              role: 'user',
              content: [
                ...calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'done' })),
                { type: 'text', text: 'Hello.' },
              ],
            },
          ],
        }),
      ];
      for (const { refusal, request } of bodies) {
        expect(refusal).toBeNull();
        // A cast because an answer was sent there.
        expect(sentOf(request?.messages[1] as AssistantMessage)).toEqual(sentOf(given));
      }
    }),
    { numRuns: 500 },
  );
});
