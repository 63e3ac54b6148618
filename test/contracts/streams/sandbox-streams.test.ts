/** The stand-ins' streams: the official SDKs put them together to the answer that the same request gets whole. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manifestOf, USER_PROVIDERS, type UserProvider } from '../../../providers/catalogue.ts';
import { createSandbox, type Sandbox } from '../../../sandbox/server.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await createSandbox({ delayMs: 0, acceptAnyKey: true });
});
afterAll(() => sandbox.close());

const SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const }, note: { type: 'string' as const, const: 'a long note “here” 👋' } },
};
/** What the SDKs' helpers add to an answer, and what differs between two calls. */
const APART: ReadonlySet<string> = new Set(['created', 'created_at', 'output_text', 'parsed', 'parsed_output']);
const alike = (answer: object): unknown =>
  JSON.parse(
    JSON.stringify(answer, (name, value: unknown) => (APART.has(name) ? undefined : value)).replace(
      /(req_sandbox_[0-9a-f]+)_\d+/g,
      '$1',
    ),
  );

const CHAT_PROVIDERS = USER_PROVIDERS.filter((provider) => 'openai.chat' in manifestOf(provider).formats);

describe.each(CHAT_PROVIDERS)('Chat Completions of %s', (provider) => {
  const client = () =>
    new OpenAI({ apiKey: 'sk-user-any', baseURL: sandbox.providerUrls[provider as UserProvider], maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'Tell me “all”: 👋.' }];
  const tool = { type: 'function' as const, function: { name: 'weather', parameters: SCHEMA } };

  test.each<[string, object]>([
    ['a text', {}],
    ['a call', { tools: [tool] }],
    ['two calls', { tools: [tool, { ...tool, function: { ...tool.function, name: 'other' } }] }],
    ['two choices', { n: 2 }],
    ['a form', { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: SCHEMA } } }],
    ['logprobs', { logprobs: true }],
  ])('%s', async (_, more) => {
    const request = { model: 'model-1', messages, ...more };
    const whole = await client().chat.completions.create(request);
    const stream = client().chat.completions.stream({ ...request, stream_options: { include_usage: true } });
    let deltas = 0;
    for await (const chunk of stream) if (Object.keys(chunk.choices[0]?.delta ?? {}).length > 0) deltas += 1;
    expect(deltas).toBeGreaterThan(3);
    const { choices, ...rest } = alike(await stream.finalChatCompletion()) as { choices: object[] };
    const { choices: expected, ...others } = alike(whole) as { choices: { message: object }[] };
    expect(rest).toEqual(others);
    // The SDK adds members of its own.
    expect(choices).toMatchObject(
      expected.map(({ message, ...choice }) => {
        const { annotations: _unused, ...said } = message as { annotations?: unknown };
        return { ...choice, message: said };
      }),
    );
  });

  test('what was used is told in the vendor’s own way', async () => {
    for (const asked of [true, false]) {
      const stream = await client().chat.completions.create({
        model: 'model-1',
        messages,
        stream: true,
        ...(asked && { stream_options: { include_usage: true } }),
      });
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      const own = chunks.filter(({ choices, usage }) => choices.length === 0 && usage);
      const beside = chunks.filter(({ choices, usage }) => choices.length > 0 && usage);
      const always = provider === 'gemini' || provider === 'mistral';
      expect([own.length, beside.length]).toEqual([asked && !always ? 1 : 0, always ? 1 : 0]);
    }
  });
});

describe('Messages', () => {
  const client = () =>
    new Anthropic({ apiKey: 'sk-ant-user-any', baseURL: sandbox.providerUrls.anthropic, maxRetries: 0 });
  const tool = { name: 'weather', input_schema: SCHEMA };

  test.each<[string, object]>([
    ['a text', {}],
    ['calls', { tools: [tool, { ...tool, name: 'other' }] }],
    ['a thought', { thinking: { type: 'enabled', budget_tokens: 1024 } }],
    ['a thought and a call', { thinking: { type: 'enabled', budget_tokens: 1024 }, tools: [tool] }],
    ['an answer that is cut', { max_tokens: 3 }],
  ])('%s', async (_, more) => {
    const request = {
      model: 'model-1',
      max_tokens: 2048,
      messages: [{ role: 'user' as const, content: 'Tell me “all”: 👋.' }],
      ...more,
    };
    const whole = await client().messages.create(request);
    const stream = client().messages.stream(request);
    const kinds = new Set<string>();
    for await (const event of stream) kinds.add(event.type);
    expect([...kinds]).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(alike(await stream.finalMessage())).toEqual(alike(whole));
  });
});

describe('Responses', () => {
  const client = () => new OpenAI({ apiKey: 'sk-user-any', baseURL: sandbox.providerUrls.openai, maxRetries: 0 });
  const tool = { type: 'function' as const, name: 'weather', parameters: SCHEMA, strict: null };

  test.each<[string, object, string[]]>([
    ['a text', {}, ['message']],
    ['calls', { tools: [tool, { ...tool, name: 'other' }] }, ['function_call', 'function_call']],
    ['a thought', { reasoning: { effort: 'low', summary: 'auto' } }, ['reasoning', 'message']],
    ['a form', { text: { format: { type: 'json_schema', name: 'x', schema: SCHEMA } } }, ['message']],
    ['an answer that is cut', { max_output_tokens: 3 }, ['message']],
    [
      'an answer to results',
      {
        tools: [tool],
        input: [
          { role: 'user', content: 'Hello.' },
          { type: 'function_call', call_id: 'c', name: 'weather', arguments: '{}' },
          { type: 'function_call_output', call_id: 'c', output: 'Rain.' },
        ],
      },
      ['message'],
    ],
  ])('%s', async (_, more, types) => {
    const request = { model: 'model-1', input: 'Tell me “all”: 👋.', ...more };
    const whole = await client().responses.create(request);
    expect(whole.output.map(({ type }) => type)).toEqual(types);
    const stream = client().responses.stream(request);
    const numbers: number[] = [];
    for await (const event of stream) numbers.push(event.sequence_number);
    expect(numbers).toEqual(numbers.map((_each, at) => at));
    expect(numbers.length).toBeGreaterThan(5);
    const final = alike(await stream.finalResponse()) as { output: object[] };
    const expected = alike(whole) as { output: object[] };
    expect(final).toMatchObject(expected);
    expect(final.output).toHaveLength(expected.output.length);
  });
});
