/** What a result gives goes back to its provider exactly: the blocks that it answered are the blocks that it is sent. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderAdapter } from '../../../providers/call/provider.ts';
import { type CompletionRequest, completionRequest } from '../../../shared/domain/completion.ts';
import type { CompletionResult } from '../../../shared/domain/conversation/result.ts';
import { json, type RawServer, startRawServer } from '../raw-server.ts';
import { VENDORS } from '../vendors.ts';

let answer: unknown;
/** In the place of `answer`, letter by letter. */
let text: string | null = null;
let server: RawServer;
const adapters: ProviderAdapter[] = [];
beforeAll(async () => {
  server = await startRawServer((request, response) => {
    if (text === null) return json(200, answer)(request, response);
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  });
});
afterAll(async () => {
  await Promise.all(adapters.map((adapter) => adapter.close()));
  await server.close();
});

const openOf = (provider: string) => {
  const vendor = VENDORS.find((each) => each.provider === provider);
  if (vendor === undefined) throw new Error(`no ${provider}`);
  let adapter: ProviderAdapter | null = null;
  return async (messages: unknown[]): Promise<CompletionResult> => {
    if (adapter === null) {
      adapter = vendor.open(server.url + vendor.basePath);
      adapters.push(adapter);
    }
    const request = completionRequest.parse({ model: 'model-1', messages });
    const outcome = await adapter.complete({
      request: JSON.parse(JSON.stringify(request)) as CompletionRequest,
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    if (outcome.kind !== 'completed') throw new Error(JSON.stringify(outcome));
    // As it comes out of the queue.
    return JSON.parse(JSON.stringify(outcome.result)) as CompletionResult;
  };
};

const HELLO = { role: 'user', content: 'Hello.' };
/** The second message that the provider was sent, after its answer went back as it is. */
const sentBack = async (ask: (messages: unknown[]) => Promise<CompletionResult>) => {
  const result = await ask([HELLO]);
  const results = (result.tool_calls ?? []).map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'done' }));
  await ask([HELLO, result, ...results, { role: 'user', content: 'Go on.' }]);
  const body = JSON.parse(server.received.at(-1)?.body ?? '') as { messages: Record<string, unknown>[] };
  return { result, back: body.messages[1] };
};

const word = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
const said = word.filter((text) => text.trim() !== '');
const input = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
/** What JSON makes of −0. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('anthropic', () => {
  const ask = openOf('anthropic');
  const message = (content: object[], stop_reason = 'end_turn') => ({
    type: 'message',
    role: 'assistant',
    content,
    stop_reason,
    usage: { input_tokens: 1, output_tokens: 2 },
  });

  test('a thought that is only its signature, one that is hidden, texts and calls between them', async () => {
    const content = [
      { type: 'thinking', thinking: '', signature: 'sig/1+==' },
      { type: 'redacted_thinking', data: 'aGlkZGVu' },
      { type: 'text', text: 'First ' },
      { type: 'tool_use', id: 'toolu_1', name: 'a', input: { b: 1, a: [1.5, null] } },
      { type: 'thinking', thinking: 'Hm.\n', signature: 'sig/2' },
      { type: 'text', text: 'then.' },
      { type: 'tool_use', id: 'toolu_2', name: 'a', input: {} },
    ];
    answer = message(content, 'tool_use');
    const { result, back } = await sentBack(ask);
    expect(result).toEqual({
      role: 'assistant',
      content: 'First then.',
      parts: [
        { type: 'reasoning', index: 0 },
        { type: 'reasoning', index: 1 },
        { type: 'text', text: 'First ' },
        { type: 'tool_call', id: 'toolu_1' },
        { type: 'reasoning', index: 2 },
        { type: 'text', text: 'then.' },
        { type: 'tool_call', id: 'toolu_2' },
      ],
      tool_calls: [
        { id: 'toolu_1', type: 'function', function: { name: 'a', arguments: '{"b":1,"a":[1.5,null]}' } },
        { id: 'toolu_2', type: 'function', function: { name: 'a', arguments: '{}' } },
      ],
      reasoning_details: [
        { type: 'reasoning.text', text: '', signature: 'sig/1+==' },
        { type: 'reasoning.encrypted', data: 'aGlkZGVu' },
        { type: 'reasoning.text', text: 'Hm.\n', signature: 'sig/2' },
      ],
      finish_reason: 'tool_calls',
    });
    expect(JSON.stringify(back)).toBe(JSON.stringify({ role: 'assistant', content }));
  });

  const block = (index: number) =>
    fc.oneof(
      fc.record({ type: fc.constant('text'), text: said }),
      fc.record({ type: fc.constant('thinking'), thinking: fc.oneof(fc.constant(''), word), signature: word }),
      fc.record({ type: fc.constant('redacted_thinking'), data: word }),
      fc.record({ type: fc.constant('tool_use'), id: fc.constant(`toolu_${index}`), name: fc.constant('a'), input }),
    );
  test('whatever blocks it answers', async () => {
    const blocks = fc
      .tuple(...Array.from({ length: 6 }, (_, index) => block(index)))
      .chain((all) => fc.subarray(all, { minLength: 1 }).map(plain));
    await fc.assert(
      fc.asyncProperty(blocks, async (content) => {
        answer = message(content);
        const { back } = await sentBack(ask);
        const only = content.length === 1 ? content[0] : undefined;
        // A single text is the shorter form of itself.
        const same = only && 'text' in only ? only.text : content;
        expect(JSON.stringify(back)).toBe(JSON.stringify({ role: 'assistant', content: same }));
      }),
      { numRuns: 60 },
    );
  });

  test('a turn that the provider paused', async () => {
    answer = message([{ type: 'text', text: 'So far' }], 'pause_turn');
    expect(await ask([HELLO])).toEqual({ role: 'assistant', content: 'So far', finish_reason: 'pause' });
  });

  test.each([
    ['stop_sequence', 'stop'],
    ['model_context_window_exceeded', 'length'],
    ['a_new_reason', 'other'],
  ])('its own word %s, which the neutral %s does not say', async (stop_reason, finish_reason) => {
    answer = message([{ type: 'text', text: 'So' }], stop_reason);
    expect(await ask([HELLO])).toMatchObject({ finish_reason, provider_finish_reason: stop_reason });
  });
});

describe('bedrock', () => {
  const ask = openOf('bedrock');
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 9 }).map((each) => Buffer.from(each).toString('base64'));
  const block = (index: number) =>
    fc.oneof(
      fc.record({ text: said }),
      fc.record({ reasoningContent: fc.record({ reasoningText: fc.record({ text: word, signature: word }) }) }),
      fc.record({ reasoningContent: fc.record({ redactedContent: bytes }) }),
      fc.record({
        toolUse: fc.record({ toolUseId: fc.constant(`tooluse_${index}`), name: fc.constant('a'), input }),
      }),
    );
  test('whatever blocks it answers', async () => {
    const blocks = fc
      .tuple(...Array.from({ length: 6 }, (_, index) => block(index)))
      .chain((all) => fc.subarray(all, { minLength: 1 }).map(plain));
    await fc.assert(
      fc.asyncProperty(blocks, async (content) => {
        answer = {
          output: { message: { role: 'assistant', content } },
          stopReason: 'end_turn',
          usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
          metrics: { latencyMs: 1 },
        };
        const { back } = await sentBack(ask);
        expect(back).toEqual({ role: 'assistant', content });
      }),
      { numRuns: 60 },
    );
  });
});

test('bedrock’s arguments have numbers as the model wrote them, however long', async () => {
  const ask = openOf('bedrock');
  const input =
    '{"a":9007199254740993,"b":0.1000000000000000055511,"c":[1.50,1e400],"d":{"string":"1","type":"bigDecimal"}}';
  const toolUse = '{"toolUse":{"toolUseId":"t","name":"a","input":INPUT}}'.replace('INPUT', input);
  text = `{"output":{"message":{"role":"assistant","content":[${toolUse}]}},"stopReason":"tool_use"}`;
  const { tool_calls } = await ask([HELLO]);
  text = null;
  expect(tool_calls?.[0]?.function.arguments).toBe(
    input.replace('1.50', '1.5').replace('1e400', `1${'0'.repeat(400)}`),
  );
});

describe.each(['openai', 'gemini', 'mistral', 'groq'])('%s', (provider) => {
  const ask = openOf(provider);
  const choice = (message: object, finish_reason = 'stop', more: object = {}) => ({
    finish_reason,
    message: { role: 'assistant', ...message },
    ...more,
  });
  const of = (...choices: object[]) => ({
    choices,
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  });
  const call = { id: 'call_1', type: 'function', function: { name: 'a', arguments: '{"2":1,"1":9007199254740993}' } };

  test('calls, with their arguments letter by letter', async () => {
    const tool_calls = [call, { ...call, id: 'call_2', function: { name: 'a', arguments: '{ }' } }];
    answer = of(choice({ content: null, tool_calls }, 'tool_calls'));
    const { result, back } = await sentBack(ask);
    expect(result).toEqual({ role: 'assistant', content: '', tool_calls, finish_reason: 'tool_calls' });
    expect(back).toEqual({ role: 'assistant', content: null, tool_calls });
  });

  test('a text before a call', async () => {
    answer = of(choice({ content: 'I look.', tool_calls: [call] }, 'tool_calls'));
    const { back } = await sentBack(ask);
    expect(back).toEqual({ role: 'assistant', content: 'I look.', tool_calls: [call] });
  });

  test('a refusal, which is no content where it comes from', async () => {
    answer = of(choice({ content: null, refusal: 'I cannot.' }));
    const { result, back } = await sentBack(ask);
    expect(result).toEqual({
      role: 'assistant',
      content: 'I cannot.',
      refusal: 'I cannot.',
      finish_reason: 'content_filter',
    });
    expect(back).toEqual({ role: 'assistant', content: null, refusal: 'I cannot.' });
  });

  test('probabilities, notes and further choices, which go back to nobody', async () => {
    const logprobs = { content: [{ token: 'A', logprob: -0.5, bytes: [65], top_logprobs: [] }], refusal: null };
    const annotations = [{ type: 'url_citation', url_citation: { url: 'https://a.invalid', title: 'A' } }];
    answer = of(choice({ content: 'A', annotations }, 'stop', { logprobs }), choice({ content: 'B' }, 'length'));
    const { result, back } = await sentBack(ask);
    expect(result).toEqual({
      role: 'assistant',
      content: 'A',
      annotations,
      logprobs,
      finish_reason: 'stop',
      choices: [{ role: 'assistant', content: 'B', finish_reason: 'length' }],
    });
    expect(back).toEqual({ role: 'assistant', content: 'A' });
  });

  test('a call that says nothing of its arguments has none', async () => {
    answer = of(
      choice({ content: null, tool_calls: [{ ...call, function: { name: 'a', arguments: '' } }] }, 'tool_calls'),
    );
    expect((await ask([HELLO])).tool_calls).toEqual([{ ...call, function: { name: 'a', arguments: '{}' } }]);
  });
});

test('gemini’s mark of a call goes back with it', async () => {
  const ask = openOf('gemini');
  const extra_content = { google: { thought_signature: 'mark/1==' } };
  const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'a', arguments: '{}' }, extra_content }];
  answer = { choices: [{ finish_reason: 'tool_calls', message: { role: 'assistant', content: null, tool_calls } }] };
  const { result, back } = await sentBack(ask);
  expect(result.tool_calls?.[0]?.signature).toBe('mark/1==');
  expect(back).toEqual({ role: 'assistant', content: null, tool_calls });
});
