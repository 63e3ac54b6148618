/** Calls of OpenAI's SDKs: bytes go to the provider and back as they are. */
import type OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { dataUrl, PDF } from '../support/media.ts';
import { chatAnswer, helloAfter } from './stage/answers.ts';
import { OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '20' });
const MODEL = 'gpt-4o-mini';
const HELLO = { role: 'user', content: 'Hello' } as const;

/** That one request made one job, whose provider got the bytes of the client and the user's key. */
const expectPassedOn = async (user: TestUser): Promise<void> => {
  expect(user.exchanges).toMatchObject([{ method: 'POST', answer: { status: 200 } }]);
  const jobs = await user.jobs();
  expect(jobs).toMatchObject([{ status: 'completed', format: 'openai.chat' }]);
  expect(user.exchanges[0]?.answer?.headers['x-gateway-job-id']).toBe(jobs[0]?.id);
  expect(user.calls()).toMatchObject([
    { path: '/v1/chat/completions', headers: { authorization: `Bearer ${user.openaiKey}` } },
  ]);
  expect(user.calls()[0]?.body.equals(user.exchanges[0]?.body ?? Buffer.alloc(0))).toBe(true);
};

const tool = (name: string) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] } },
});
const toolCall = (id: string, place: string) => ({
  id,
  type: 'function' as const,
  function: { name: 'weather', arguments: JSON.stringify({ place }) },
});

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  const create = async (request: object): Promise<{ user: TestUser; answer: OpenAI.ChatCompletion }> => {
    const user = await stage.user();
    const answer = await openaiOf(user, Sdk).chat.completions.create({ model: MODEL, messages: [HELLO], ...request });
    return { user, answer };
  };

  test('oa-chat: the answer is parsed, with the ids of request and job and the time that it took', async () => {
    const user = await stage.user();
    const request = { model: MODEL, messages: [HELLO] };
    const { data, response, request_id } = await openaiOf(user, Sdk).chat.completions.create(request).withResponse();
    expect(data).toEqual(chatAnswer());
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('openai-processing-ms')).toMatch(/^\d+$/);
    await expectPassedOn(user);
  });

  test('oa-unknown-field: a field that no release of the SDK knows reaches the provider', async () => {
    const { user } = await create({ foo_new: { a: 1 } });
    expect(JSON.parse(String(user.calls()[0]?.body))).toMatchObject({ foo_new: { a: 1 } });
    await expectPassedOn(user);
  });

  test('oa-bytes: numbers, the order of members, escapes and blanks stay as they were written', async () => {
    const user = await stage.user();
    const raw =
      '{ "model":"gpt-4o-mini","seed":9007199254740993, "temperature":1.0,\n"messages":[{"role":"user","content":"\\u00e9 é"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"b":{},"2":{},"1":{}}}}}]}';
    const options = { body: Buffer.from(raw), headers: { 'Content-Type': 'application/json' } };
    await openaiOf(user, Sdk).post('/chat/completions', options);
    expect(user.calls()[0]?.body.toString()).toBe(raw);
    await expectPassedOn(user);
  });

  test('oa-answer-bytes: the answer has the provider’s bytes and type', async () => {
    const user = await stage.user();
    const raw = `{"choices":[{"finish_reason":"stop","message":{"content":"\\u00e9"}}], "seed":9007199254740993,"new":1.0}`;
    user.answers(() => ({ body: raw, headers: { 'content-type': 'application/json; charset=utf-8' } }));
    const request = { model: MODEL, messages: [HELLO] };
    const response = await openaiOf(user, Sdk).chat.completions.create(request).asResponse();
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.text()).toBe(raw);
  });

  test('oa-answer-3MB: a long answer comes whole', async () => {
    const user = await stage.user();
    const content = 'é'.repeat(1_500_000);
    user.answers(() => ({ body: JSON.stringify(chatAnswer({ content })) }));
    const answer = await openaiOf(user, Sdk).chat.completions.create({ model: MODEL, messages: [HELLO] });
    expect(answer.choices[0]?.message.content === content).toBe(true);
  });

  test('oa-tools-parallel: two calls come back, and their results go on', async () => {
    const user = await stage.user();
    const tool_calls = [toolCall('call_a', 'Rome'), toolCall('call_b', 'Oslo')];
    user.answers(() => ({ body: JSON.stringify(chatAnswer({ content: null, tool_calls }, 'tool_calls')) }));
    const client = openaiOf(user, Sdk);
    const asked = { model: MODEL, tools: [tool('weather')], messages: [HELLO] };
    const { choices } = await client.chat.completions.create(asked);
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null, tool_calls } });
    const message = choices[0]?.message ?? HELLO;
    const results = [
      { role: 'tool' as const, tool_call_id: 'call_a', content: '21' },
      { role: 'tool' as const, tool_call_id: 'call_b', content: [{ type: 'text' as const, text: '3' }] },
    ];
    user.answers(() => ({ body: JSON.stringify(chatAnswer()) }));
    await client.chat.completions.create({ ...asked, messages: [HELLO, message, ...results] });
    const [, second] = user.calls();
    expect(second?.body.equals(user.exchanges[1]?.body ?? Buffer.alloc(0))).toBe(true);
    expect(JSON.parse(String(second?.body)).messages).toEqual([HELLO, message, ...results]);
  });

  test('oa-image-5MB: an image of 5 MB in a data URL reaches the provider', async () => {
    const url = dataUrl('image/png', Buffer.alloc(3_900_000, 7));
    const { user } = await create({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    });
    expect(user.calls()[0]?.body.length).toBeGreaterThan(5_000_000);
    await expectPassedOn(user);
  });

  test('oa-pdf, oa-audio: a document and a sound reach the provider', async () => {
    const file = { filename: 'a.pdf', file_data: dataUrl('application/pdf', PDF) };
    const { user } = await create({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'file', file },
            { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
          ],
        },
      ],
    });
    await expectPassedOn(user);
  });

  test('oa-json-schema: parse() gives an object of the schema', async () => {
    const user = await stage.user();
    const parsed = { city: 'Oslo', degrees: 3 };
    user.answers(() => ({ body: JSON.stringify(chatAnswer({ content: JSON.stringify(parsed) })) }));
    const answer = await openaiOf(user, Sdk).chat.completions.parse({
      model: MODEL,
      messages: [HELLO],
      response_format: zodResponseFormat(z.object({ city: z.string(), degrees: z.number() }), 'weather'),
    });
    expect(answer.choices[0]?.message.parsed).toEqual(parsed);
    await expectPassedOn(user);
  });

  test('oa-wait-shorter: Prefer: wait=N holds each request for so long at most', async () => {
    const user = await stage.user();
    user.answers(helloAfter(2_500));
    const client = openaiOf(user, Sdk, { Prefer: 'wait=1' });
    await client.chat.completions.create({ model: MODEL, messages: [HELLO] });
    expect(user.exchanges).toMatchObject([
      { method: 'POST', answer: { status: 303 } },
      { method: 'GET', answer: { status: 303 } },
      { method: 'GET', answer: { status: 200 } },
    ]);
  });

  test('oa-responses: responses.create gives the answer and its text', async () => {
    const user = await stage.user();
    const answer = await openaiOf(user, Sdk).responses.create({ model: MODEL, input: 'Hello' });
    expect(answer.output_text).toBe('Hello.');
    expect(user.exchanges).toMatchObject([{ answer: { status: 200 } }]);
    expect(user.calls()).toMatchObject([{ path: '/v1/responses' }]);
  });
});
