/** Without a user's key, Chat Completions and Messages run on the platform's account, and come back in the words in which they were asked. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { KEYS, type TestGateway } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';

let gateway: TestGateway;
useGateway({ env: { MAX_WAIT_SECONDS: '1' } }, (opened) => {
  ({ gateway } = opened);
});
const urlOf = (): string => gateway.apis[0]?.url ?? '';
const openai = (headers: Record<string, string> = {}): OpenAI =>
  new OpenAI({ apiKey: KEYS.acme, baseURL: `${urlOf()}/openai/v1`, defaultHeaders: headers });
const anthropic = (headers: Record<string, string> = {}): Anthropic =>
  new Anthropic({ apiKey: KEYS.acme, baseURL: `${urlOf()}/anthropic`, defaultHeaders: headers });
const MODEL = 'amazon.nova-lite-v1:0';
const said = (text: string) => [{ role: 'user' as const, content: text }];
const weather = { type: 'object' as const, properties: { place: { type: 'string' } }, required: ['place'] };

describe('Chat Completions', () => {
  test('a call is answered as by OpenAI, through hops, by a job of the neutral form', async () => {
    const { data, response } = await openai()
      .chat.completions.create({ model: MODEL, messages: said('Hello! sandbox:delay=1500'), metadata: { order: '42' } })
      .withResponse();
    expect(data).toMatchObject({
      object: 'chat.completion',
      model: MODEL,
      choices: [{ index: 0, message: { role: 'assistant', refusal: null }, finish_reason: 'stop' }],
    });
    expect(data.choices[0]?.message.content).toContain('This is the sandbox speaking');
    const job = await gateway.read(response.headers.get('x-gateway-job-id') ?? '');
    expect(job).toMatchObject({
      status: 'completed',
      provider: 'bedrock',
      credential: 'platform',
      format: 'neutral',
      metadata: { order: '42' },
    });
    expect(data.usage?.total_tokens).toBe(job.usage?.total_tokens);
  });

  test('metadata of the body and of the header are no more together than a job may have', async () => {
    const ten = (name: string) =>
      Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`${name}${index}`, 'x']));
    const ask = (ofHeader: object) =>
      openai({ 'X-Gateway-Metadata': JSON.stringify(ofHeader) })
        .chat.completions.create({ model: MODEL, messages: said('Hi'), metadata: ten('a') })
        .catch((error: unknown) => error);
    expect(await ask(ten('b'))).toMatchObject({ status: 400, code: 'invalid_header', param: 'X-Gateway-Metadata' });
    expect(await ask(ten('a'))).toMatchObject({ object: 'chat.completion' });
  });

  test('tools are called and answered, streamed and not', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: weather } }];
    const asked = { model: MODEL, messages: said('Weather in Ulm?'), tools };
    const answer = (await openai().chat.completions.create(asked)).choices[0];
    expect(answer?.finish_reason).toBe('tool_calls');
    const call = answer?.message.tool_calls?.[0];
    const streamed = (await openai().chat.completions.stream(asked).finalChatCompletion()).choices[0];
    expect(streamed?.finish_reason).toBe('tool_calls');
    expect(streamed?.message.tool_calls?.[0]).toMatchObject({ type: 'function', function: { name: 'weather' } });
    if (!answer || !call) throw new Error('no call');
    const last = await openai().chat.completions.create({
      ...asked,
      messages: [...asked.messages, answer.message, { role: 'tool', tool_call_id: call.id, content: 'Rain.' }],
    });
    expect(last.choices[0]?.finish_reason).toBe('stop');
  });

  test('a stream tells its usage only if it is asked', async () => {
    const chunks = async (more: object): Promise<OpenAI.ChatCompletionChunk[]> => {
      const stream = await openai().chat.completions.create({
        model: MODEL,
        messages: said('Hi'),
        stream: true,
        ...more,
      });
      const all: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of stream) all.push(chunk);
      return all;
    };
    expect((await chunks({})).some(({ usage }) => usage)).toBe(false);
    expect((await chunks({ stream_options: { include_usage: true } })).at(-1)).toMatchObject({
      choices: [],
      usage: { total_tokens: expect.any(Number) },
    });
  });

  test('what the platform’s account cannot do is refused with its name, or left out with a warning', async () => {
    const asked = { model: MODEL, messages: said('Hi'), seed: 7 };
    await expect(openai().chat.completions.create(asked)).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_by_provider',
      param: 'seed',
    });
    const { response } = await openai({ 'X-Gateway-Unsupported': 'warn' })
      .chat.completions.create(asked)
      .withResponse();
    const job: Job = await gateway.read(response.headers.get('x-gateway-job-id') ?? '');
    expect(job.warnings).toMatchObject([{ param: 'seed' }]);
  });
});

describe('Messages', () => {
  test('a call is answered as by Anthropic, streamed and not', async () => {
    const asked = { model: MODEL, max_tokens: 100, system: 'Be brief.', messages: said('Hello!') };
    const message = await anthropic().messages.create(asked);
    expect(message).toMatchObject({ type: 'message', role: 'assistant', stop_reason: 'end_turn' });
    const streamed = await anthropic()
      .messages.stream({ ...asked, max_tokens: 32_000 })
      .finalMessage();
    expect(streamed.content[0]).toMatchObject({ type: 'text' });
    expect(streamed.usage.output_tokens).toBeGreaterThan(0);
  });

  test('tools are called, with their input as the model wrote it, streamed and not', async () => {
    const asked = {
      model: MODEL,
      max_tokens: 100,
      messages: said('Weather?'),
      tools: [{ name: 'weather', input_schema: weather }],
    };
    const [whole, streamed] = [
      await anthropic().messages.create(asked),
      await anthropic().messages.stream(asked).finalMessage(),
    ];
    for (const message of [whole, streamed]) {
      expect(message.stop_reason).toBe('tool_use');
      expect(message.content.find(({ type }) => type === 'tool_use')).toMatchObject({
        name: 'weather',
        input: { place: expect.anything() },
      });
    }
  });

  test('a job that fails is an error of the SDK, streamed and not', async () => {
    const asked = { model: MODEL, max_tokens: 10, messages: said('no sandbox:status=400') };
    await expect(anthropic().messages.create(asked)).rejects.toMatchObject({ status: 400 });
    await expect(anthropic().messages.stream(asked).finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError);
  });
});
