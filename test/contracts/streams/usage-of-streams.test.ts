/** What a streamed answer used, and whether it is whole, is read of its events. */
import { describe, expect, test } from 'vitest';
import type { UserProvider } from '../../../providers/catalogue.ts';
import { EXAMPLES, written } from '../../support/network/stream-examples.ts';
import { BODY, pass, streams, textOf } from './pass-stream.ts';

describe('a chat’s usage', () => {
  const events = EXAMPLES['openai.chat'];
  const shown = textOf(events.filter(({ kind }) => kind !== 'hidden'));

  test.each<[UserProvider, string, string]>([
    ['openai', '{"model":"m","stream":true}', '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
    ['groq', ' {"stream":true }', ' {"stream":true,"stream_options":{"include_usage":true} }'],
    ['openai', '{"stream_options":null,"a":1}', '{"stream_options":{"include_usage":true},"a":1}'],
    ['openai', '{"stream_options": {} }', '{"stream_options": {"include_usage":true} }'],
    [
      'openai',
      '{"stream_options":{"include_obfuscation" : false, "x":1.0}}',
      '{"stream_options":{"include_obfuscation" : false, "x":1.0,"include_usage":true}}',
    ],
    [
      'openai',
      '{"stream_options":{ "include_usage": false, "é":"\\u00e9" }}',
      '{"stream_options":{ "include_usage": true, "é":"\\u00e9" }}',
    ],
    ['openai', '{"stream_options":{"incl\\u0075de_usage":null}}', '{"stream_options":{"incl\\u0075de_usage":true}}'],
  ])('is asked for at %s by %s, and not shown', async (provider, body, sent) => {
    const call = await pass('openai.chat', streams(textOf(events)), { provider, body });
    expect(call.sent).toBe(sent);
    expect(call.outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
    expect(call.bytes).toBe(shown);
    expect(call.given.map(({ text }) => text).join('')).toBe(shown);
  });

  test.each<[UserProvider, string]>([
    ['openai', BODY],
    ['openai', '{"stream_options": {"x":1, "include_usage" :true}}'],
    ['openai', '{"stream_options":"usage"}'],
    ['openai', '{"stream_options":{"include_usage":true,"include_usage":false}}'],
    ['mistral', '{"model":"m","stream":true}'],
    ['gemini', '{"model":"m","stream":true}'],
  ])('is as the client has it at %s for %s', async (provider, body) => {
    const call = await pass('openai.chat', streams(textOf(events)), { provider, body });
    expect(call.sent).toBe(body);
    expect(call.outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
    expect(call.bytes).toBe(textOf(events));
  });

  test('counts if it comes with the last choice, and that is shown', async () => {
    const last = {
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 3 },
    };
    for (const provider of ['openai', 'groq', 'mistral', 'gemini'] as const) {
      const stream = `${written({ data: last })}data: [DONE]\n\n`;
      const { outcome, bytes } = await pass('openai.chat', streams(stream), { provider, body: '{}' });
      expect(outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
      expect(bytes).toBe(stream);
    }
  });

  test('stays known if a later chunk has none', async () => {
    const { outcome } = await pass(
      'openai.chat',
      streams(textOf([...events.slice(0, 5), ...events.slice(0, 1), ...events.slice(5)])),
    );
    expect(outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
  });

  test('has no price of the list if the web was searched, or another tier served it', async () => {
    for (const more of [
      { choices: [{ index: 0, delta: { annotations: [{ type: 'file' }, { type: 'url_citation', url: 'u' }] } }] },
      { choices: [], service_tier: 'priority' },
    ]) {
      const stream = written({ data: more }) + textOf(events);
      expect((await pass('openai.chat', streams(stream))).outcome).toMatchObject({
        kind: 'completed',
        usage: { inputTokens: 9, offList: true },
      });
    }
    expect((await pass('openai.chat', streams(textOf(events)))).outcome.usage).not.toHaveProperty('offList');
  });
});

test('a chat without [DONE] is whole if each of its choices has its reason', async () => {
  const said = (index: number, finish_reason: string | null) =>
    written({ data: { choices: [{ index, delta: { content: 'x' }, finish_reason }] } });
  const kindOf = async (...parts: string[]) => (await pass('openai.chat', streams(...parts))).outcome.kind;
  expect(await kindOf(said(0, 'stop'))).toBe('completed');
  expect(await kindOf(said(0, null), said(1, 'stop'), said(0, 'length'))).toBe('completed');
  expect(await kindOf(said(0, null), said(1, 'stop'))).toBe('unavailable');
  expect(await kindOf(said(0, null), 'data: [DONE]\n\n')).toBe('completed');
  expect(await kindOf('data: [DONE]\n\n')).toBe('unavailable');
  expect(await kindOf(': hello\n\n')).toBe('unavailable');
});

test('a message’s usage is that of its beginning, and of its end what that says anew', async () => {
  const cache = { cache_creation_input_tokens: 4, cache_read_input_tokens: 5 };
  const start = { input_tokens: 9, output_tokens: 1, service_tier: 'standard', ...cache };
  const end = { output_tokens: 30, input_tokens: null, server_tool_use: { web_search_requests: 2 } };
  const stream = [
    { name: 'message_start', data: { type: 'message_start', message: { type: 'message', content: [], usage: start } } },
    {
      name: 'message_delta',
      data: { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } },
    },
    { name: 'message_delta', data: { type: 'message_delta', delta: {}, usage: end } },
    { name: 'message_stop', data: { type: 'message_stop' } },
  ].map((event) => written(event));
  expect((await pass('anthropic.messages', streams(...stream))).outcome).toMatchObject({
    kind: 'completed',
    usage: { inputTokens: 18, outputTokens: 30, cachedInputTokens: 5, cacheWriteTokens: 4, webSearches: 2 },
  });
});

test('a response that is incomplete is an answer; a tool of the provider’s makes its price unknown', async () => {
  const usage = { input_tokens: 9, output_tokens: 3 };
  const output = [{ type: 'web_search_call', id: 'w' }];
  const response = { object: 'response', status: 'incomplete', error: null, output, usage };
  const stream = written({ name: 'response.incomplete', data: { type: 'response.incomplete', response } });
  expect((await pass('openai.responses', streams(stream))).outcome).toMatchObject({
    kind: 'completed',
    usage: { inputTokens: 9, outputTokens: 3, offList: true },
  });
});
