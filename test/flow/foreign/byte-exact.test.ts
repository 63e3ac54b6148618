/** Real SDKs send requests in their providers' own words; the provider gets those bytes, and the client the answer's. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { type RecordingProvider, WHOLE_ANSWERS } from '../../support/network/recording-provider.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, type TestGateway } from '../../support/processes/gateway.ts';

import { useRecordedGateway } from '../../support/processes/use-recorded-gateway.ts';

let provider: RecordingProvider;
let gateway: TestGateway;
useRecordedGateway(
  { env: { ADMIN_TOKEN } },
  {
    opened: (used) => {
      ({ gateway, provider } = used);
    },
  },
);
beforeEach(() => {
  provider.answerWith(({ path }) => ({ body: WHOLE_ANSWERS[path as keyof typeof WHOLE_ANSWERS] }));
});

/** What an SDK sends: the bodies are those that its `fetch` was given. */
const sent: Buffer[] = [];
const recordingFetch: typeof fetch = async (input, init) => {
  const body = init?.body;
  sent.push(typeof body === 'string' ? Buffer.from(body) : Buffer.from(body as Uint8Array));
  return fetch(input, init);
};

const base = (): string => gateway.apis[0]?.url ?? '';
const openai = (headers: Record<string, string> = {}, apiKey: string = KEYS.acme): OpenAI =>
  new OpenAI({
    apiKey,
    baseURL: `${base()}/openai/v1`,
    defaultHeaders: { 'X-User-API-Key': OPENAI_KEY, Prefer: 'respond-async', ...headers },
    fetch: recordingFetch,
    maxRetries: 0,
  });
const anthropic = (headers: Record<string, string> = {}, apiKey: string = KEYS.acme): Anthropic =>
  new Anthropic({
    apiKey,
    baseURL: `${base()}/anthropic`,
    defaultHeaders: { 'X-User-API-Key': ANTHROPIC_KEY, Prefer: 'respond-async', ...headers },
    fetch: recordingFetch,
    maxRetries: 0,
  });

/** The job that an SDK hands back in the place of an answer, when it has ended. */
const ended = async (answer: unknown): Promise<Job> => gateway.finished((answer as Job).id);

/** That one call reached the provider, with exactly the bytes that the SDK sent last. */
const expectSentOn = (): void => {
  expect(provider.calls).toHaveLength(1);
  expect(provider.calls[0]?.body.equals(sent.at(-1) ?? Buffer.alloc(0))).toBe(true);
};

/** The SDK names no type for bytes. */
const JSON_BYTES = { 'Content-Type': 'application/json' };
const HELLO = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'Hello' }] };
const TOOLS = [
  {
    type: 'function' as const,
    function: {
      name: 'weather',
      parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
    },
  },
];
const toolCall = (id: string, place: string) => ({
  id,
  type: 'function' as const,
  function: { name: 'weather', arguments: JSON.stringify({ place }) },
});
const PNG_5_MB = `data:image/png;base64,${Buffer.alloc(3_900_000, 7).toString('base64')}`;
const PDF = `data:application/pdf;base64,${Buffer.from('%PDF-1.4\n1 0 obj\n<< /Type /Page >>').toString('base64')}`;

describe('openai: chat.completions.create', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a text', () => openai().chat.completions.create(HELLO)],
    // A field that no release of the SDK knows yet.
    ['an unknown field', () => openai().chat.completions.create({ ...HELLO, ...{ foo_new: { a: 1 } } })],
    [
      'two tool calls and their results',
      () =>
        openai().chat.completions.create({
          ...HELLO,
          messages: [
            ...HELLO.messages,
            { role: 'assistant', content: null, tool_calls: [toolCall('a', 'Rome'), toolCall('b', 'Oslo')] },
            { role: 'tool', tool_call_id: 'a', content: '21' },
            { role: 'tool', tool_call_id: 'b', content: '3' },
          ],
          tools: TOOLS,
        }),
    ],
    [
      'an image of 5 MB',
      () =>
        openai().chat.completions.create({
          ...HELLO,
          messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: PNG_5_MB } }] }],
        }),
    ],
    [
      'a document and a sound',
      () =>
        openai().chat.completions.create({
          ...HELLO,
          messages: [
            {
              role: 'user',
              content: [
                { type: 'file', file: { filename: 'a.pdf', file_data: PDF } },
                { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
              ],
            },
          ],
        }),
    ],
    [
      'a schema',
      () =>
        openai().chat.completions.create({
          ...HELLO,
          response_format: zodResponseFormat(z.object({ city: z.string(), degrees: z.number() }), 'weather'),
        }),
    ],
  ])('%s reaches the provider byte for byte', async (_, create) => {
    const job = await ended(await create());
    expect(job).toMatchObject({ status: 'completed', format: 'openai.chat', provider: 'openai', result: null });
    expectSentOn();
    expect(provider.calls[0]?.headers.authorization).toBe(`Bearer ${OPENAI_KEY}`);
  });

  test('numbers, the order of members, escapes and blanks stay as they were written', async () => {
    const raw =
      '{ "model":"gpt-4o-mini","seed":9007199254740993, "temperature":1.0,\n"messages":[{"role":"user","content":"\\u00e9 é"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"b":{},"2":{},"1":{}}}}}]}';
    const job = await ended(await openai().post('/chat/completions', { body: Buffer.from(raw), headers: JSON_BYTES }));
    expect(job.status).toBe('completed');
    expect(provider.calls[0]?.body.toString()).toBe(raw);
  });

  test('the answer comes back with the provider’s bytes and type', async () => {
    const raw = `{"choices":[{"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{\\"n\\":9007199254740993}"}}]}}], "usage":{"prompt_tokens":1.0e1,"completion_tokens":5},"new":1.0}`;
    provider.answerWith(() => ({ body: raw, headers: { 'content-type': 'application/json; charset=utf-8' } }));
    const job = await ended(await openai().chat.completions.create(HELLO));
    expect(job.usage).toMatchObject({ input_tokens: 10, output_tokens: 5 });
    expect(job.urls).toMatchObject({ answer: `/v1/jobs/${job.id}/answer` });
    const answer = await fetch(`${base()}/v1/jobs/${job.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await answer.text()).toBe(raw);
    const another = await gateway.call('GET', `/v1/jobs/${job.id}/answer`, { key: KEYS.beta });
    expect(another.status).toBe(404);
  });

  test('an answer of 3 MB comes back whole', async () => {
    const content = 'é'.repeat(1_500_000);
    const raw = JSON.stringify({ choices: [{ finish_reason: 'stop', message: { role: 'assistant', content } }] });
    provider.answerWith(() => ({ body: raw }));
    const job = await ended(await openai().chat.completions.create(HELLO));
    const answer = await fetch(`${base()}/v1/jobs/${job.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(raw))).toBe(true);
  });
});

test('openai: responses.create reaches the provider without what the job does itself', async () => {
  const client = openai({ 'OpenAI-Project': 'proj_1' });
  const request = { model: 'gpt-4o-mini', input: 'Hello', background: true, foo_new: 1.0 };
  const job = await ended(
    await client.post('/responses', { body: Buffer.from(JSON.stringify(request)), headers: JSON_BYTES }),
  );
  expect(job).toMatchObject({ status: 'completed', format: 'openai.responses' });
  expect(job.usage).toMatchObject({ input_tokens: 9, output_tokens: 3 });
  expect(provider.calls).toMatchObject([{ path: '/v1/responses', headers: { 'openai-project': 'proj_1' } }]);
  expect(provider.calls[0]?.body.toString()).toBe('{"model":"gpt-4o-mini","input":"Hello","foo_new":1}');
});

describe('openai: embeddings.create', () => {
  test.each<[string, (client: OpenAI) => Promise<unknown>]>([
    // For which the SDK asks for base64 by itself.
    ['a text', (client) => client.embeddings.create({ model: 'text-embedding-3-small', input: 'Hello' })],
    [
      'texts, with a size and a form',
      (client) =>
        client.embeddings.create({
          model: 'text-embedding-3-small',
          input: ['Hello', 'world'],
          dimensions: 256,
          encoding_format: 'float',
        }),
    ],
    ['tokens', (client) => client.embeddings.create({ model: 'text-embedding-3-small', input: [[1, 2], [3]] })],
  ])('%s reaches the provider byte for byte, and costs what was read', async (_, create) => {
    const job = await ended(await create(openai()));
    expect(job).toMatchObject({ status: 'completed', format: 'openai.embeddings', result: null });
    expect(job.usage).toMatchObject({ input_tokens: 9, output_tokens: 0, cost_usd: (9 * 0.02) / 1e6 });
    expectSentOn();
    expect(provider.calls[0]?.path).toBe('/v1/embeddings');
    const answer = await fetch(`${base()}/v1/jobs/${job.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(await answer.text()).toBe(WHOLE_ANSWERS['/v1/embeddings']);
  });
});

test('a budget reserves for embeddings, is used up by them, and stands not against what is free', async () => {
  const operator = operate(gateway);
  const tenant = await operator.tenant({ limits: { monthly_user_budget_usd: 0.01 } });
  const { secret } = await operator.issue(tenant);
  const embed = (input: string) => openai({}, secret).embeddings.create({ model: 'text-embedding-3-small', input });
  // A byte may be a token: 0.02 dollars for a million.
  await expect(embed('x'.repeat(600_000))).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  provider.answerWith(() => ({ body: '{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":490000}}' }));
  const job = await gateway.finished(((await embed('x'.repeat(490_000))) as unknown as Job).id, { key: secret });
  expect(job.usage).toMatchObject({ input_tokens: 490_000, cost_usd: 0.0098 });
  await expect(embed('x'.repeat(20_000))).rejects.toMatchObject({ status: 402 });

  provider.answerWith(() => ({ body: '{"input_tokens":9}' }));
  const counted = await anthropic({}, secret).messages.countTokens({
    model: 'claude-opus-4-8',
    messages: [{ role: 'user', content: 'x'.repeat(100_000) }],
  });
  const count = await gateway.finished((counted as unknown as Job).id, { key: secret });
  expect(count).toMatchObject({ status: 'completed', usage: { cost_usd: 0 } });
  const { body } = await gateway.call('GET', '/v1/usage', { key: secret });
  expect(body).toMatchObject({ totals: { completed: 2, cost_usd: 0.0098, unpriced_requests: 0 } });
});

test('anthropic: messages.countTokens reaches the provider byte for byte, and costs nothing, whatever the model', async () => {
  for (const model of ['claude-opus-4-8', 'claude-of-tomorrow']) {
    provider.calls.length = 0;
    const job = await ended(
      await anthropic().messages.countTokens({ model, messages: [{ role: 'user', content: 'Hello' }] }),
    );
    expect(job).toMatchObject({ status: 'completed', format: 'anthropic.count_tokens', provider: 'anthropic' });
    expect(job.usage).toMatchObject({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
    expectSentOn();
    expect(provider.calls[0]?.path).toBe('/v1/messages/count_tokens');
    const answer = await fetch(`${base()}/v1/jobs/${job.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(await answer.json()).toEqual({ input_tokens: 9 });
  }
});

describe('anthropic: messages.create', () => {
  test('thinking with its signature, and what was redacted, reach the provider byte for byte', async () => {
    const job = await ended(
      await anthropic().messages.create({
        model: 'claude-opus-4-8',
        max_tokens: 1_000,
        messages: [
          { role: 'user', content: 'Hello' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: '', signature: 'EqQBCkYIARgCKkDx+/=' },
              { type: 'redacted_thinking', data: 'EmwKAhgBEgy' },
              { type: 'text', text: 'Hello.' },
            ],
          },
          { role: 'user', content: 'Go on' },
        ],
      }),
    );
    expect(job).toMatchObject({ status: 'completed', format: 'anthropic.messages', provider: 'anthropic' });
    expectSentOn();
  });

  test('version and betas go on as they came, and the key in the header of that version', async () => {
    await ended(
      await anthropic({ 'anthropic-beta': 'one,two' }).messages.create({
        model: 'claude-opus-4-8',
        max_tokens: 10,
        messages: [{ role: 'user', content: 'Hello' }],
      }),
    );
    await ended(
      (
        await gateway.call('POST', '/anthropic/v1/messages', {
          headers: { 'X-User-API-Key': ANTHROPIC_KEY, Prefer: 'respond-async', 'anthropic-version': '2023-06-01' },
          body: {
            model: 'claude-opus-4-8',
            max_tokens: 10,
            temperature: 0,
            messages: [{ role: 'user', content: 'x' }],
          },
        })
      ).body,
    );
    const [newer, older] = provider.calls;
    expect(newer?.headers).toMatchObject({ 'anthropic-beta': 'one,two', authorization: `Bearer ${ANTHROPIC_KEY}` });
    expect(newer?.headers['anthropic-version']).not.toBe('2023-06-01');
    expect(older?.headers).toMatchObject({ 'anthropic-version': '2023-06-01', 'x-api-key': ANTHROPIC_KEY });
  });
});
