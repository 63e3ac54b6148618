/** Vercel's AI SDK and LangChain, which bring clients of their own. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatAnthropic } from '@langchain/anthropic';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, type LanguageModel } from 'ai';
import { describe, expect, test } from 'vitest';
import { helloAfter } from './stage/answers.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '1', MAX_ATTEMPTS: '1' });

const openaiSettings = (user: TestUser) => ({
  apiKey: user.platformKey,
  baseURL: `${user.url}/openai/v1`,
  headers: { 'X-User-API-Key': user.openaiKey },
});
const anthropicSettings = (user: TestUser) => ({
  apiKey: user.platformKey,
  baseURL: `${user.url}/anthropic/v1`,
  headers: { 'X-User-API-Key': user.anthropicKey },
});

/** That one request, held more than once, made one job, whose provider got the client's bytes. */
const expectOneJob = async (user: TestUser, path: string): Promise<void> => {
  const [post, ...hops] = user.exchanges;
  expect(hops.length).toBeGreaterThanOrEqual(1);
  expect(hops.every(({ method }) => method === 'GET')).toBe(true);
  expect(await user.jobs()).toMatchObject([{ status: 'completed' }]);
  expect(user.calls()).toMatchObject([{ path }]);
  expect(user.calls()[0]?.body.equals(post?.body ?? Buffer.alloc(0))).toBe(true);
};

describe.concurrent('vercel: generateText', () => {
  test.each<[string, string, (user: TestUser) => LanguageModel]>([
    ['openai()', '/v1/responses', (user) => createOpenAI(openaiSettings(user))('gpt-4o-mini')],
    ['openai.chat()', '/v1/chat/completions', (user) => createOpenAI(openaiSettings(user)).chat('gpt-4o-mini')],
    [
      'openaiCompatible()',
      '/v1/chat/completions',
      (user) => createOpenAICompatible({ name: 'gateway', ...openaiSettings(user) })('gpt-4o-mini'),
    ],
    ['anthropic()', '/v1/messages', (user) => createAnthropic(anthropicSettings(user))('claude-opus-4-8')],
  ])('%s gives the text after holds', async (_, path, modelOf) => {
    const user = await stage.user();
    user.answers(helloAfter(1_500));
    const { text, usage } = await generateText({ model: modelOf(user), prompt: 'Hello' });
    expect(text).toBe('Hello.');
    expect(usage).toMatchObject({ inputTokens: 9, outputTokens: 3 });
    await expectOneJob(user, path);
  });

  test('an-msg-2023: anthropic() sends its key as x-api-key and its older version, with a temperature', async () => {
    const user = await stage.user();
    // Newer ones take no temperature.
    const model = createAnthropic(anthropicSettings(user))('claude-haiku-4-5');
    await generateText({ model, prompt: 'Hello', temperature: 0.5 });
    expect(user.exchanges[0]?.headers).toMatchObject({ 'x-api-key': user.platformKey });
    expect(user.calls()).toMatchObject([
      { headers: { 'anthropic-version': '2023-06-01', 'x-api-key': user.anthropicKey } },
    ]);
    expect(JSON.parse(String(user.calls()[0]?.body))).toMatchObject({ temperature: 0.5 });
  });
});

describe.concurrent('langchain: invoke', () => {
  test('ChatOpenAI gives the text after holds', async () => {
    const user = await stage.user();
    user.answers(helloAfter(1_500));
    const { apiKey, baseURL, headers } = openaiSettings(user);
    const model = new ChatOpenAI({
      model: 'gpt-4o-mini',
      apiKey,
      configuration: { baseURL, defaultHeaders: headers },
    });
    expect((await model.invoke('Hello')).text).toBe('Hello.');
    await expectOneJob(user, '/v1/chat/completions');
  });

  test('an-msg-2023: ChatAnthropic gives the text after holds, by x-api-key and its older version', async () => {
    const user = await stage.user();
    user.answers(helloAfter(1_500));
    const { apiKey, headers } = anthropicSettings(user);
    const model = new ChatAnthropic({
      model: 'claude-opus-4-8',
      apiKey,
      anthropicApiUrl: `${user.url}/anthropic`,
      clientOptions: { defaultHeaders: headers },
    });
    expect((await model.invoke('Hello')).text).toBe('Hello.');
    await expectOneJob(user, '/v1/messages');
    expect(user.exchanges[0]?.headers).toMatchObject({ 'x-api-key': user.platformKey });
    expect(user.calls()).toMatchObject([
      { headers: { 'anthropic-version': '2023-06-01', 'x-api-key': user.anthropicKey } },
    ]);
  });
});

describe.concurrent('once: a failed job is asked for once, if they are told not to try again by themselves', () => {
  test.each<[string, (user: TestUser) => Promise<unknown>]>([
    [
      'vercel',
      (user) =>
        generateText({ model: createOpenAI(openaiSettings(user)).chat('gpt-4o-mini'), prompt: 'Hello', maxRetries: 0 }),
    ],
    [
      'langchain',
      (user) => {
        const { apiKey, baseURL, headers } = openaiSettings(user);
        const configuration = { baseURL, defaultHeaders: headers };
        return new ChatOpenAI({ model: 'gpt-4o-mini', apiKey, configuration, maxRetries: 0 }).invoke('Hello');
      },
    ],
  ])('%s', async (_, ask) => {
    const user = await stage.user();
    user.answers(() => ({ status: 500, body: '{"error":{"message":"no","type":"server_error"}}' }));
    await expect(ask(user)).rejects.toThrow('could not be reached');
    expect(user.exchanges).toMatchObject([{ answer: { status: 502, headers: { 'x-should-retry': 'false' } } }]);
    expect(await user.jobs()).toMatchObject([{ status: 'failed' }]);
  });
});
