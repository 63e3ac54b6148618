/** What is asked of a model beside its words: embeddings, and how many tokens a request has. */
import { createOpenAI } from '@ai-sdk/openai';
import { embed } from 'ai';
import { describe, expect, test } from 'vitest';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '20' });
const MODEL = 'text-embedding-3-small';

/** That the user's one request went to this path of the provider with the bytes of the client. */
const expectPassedOn = (user: TestUser, path: string): void => {
  expect(user.exchanges).toMatchObject([{ method: 'POST', answer: { status: 200 } }]);
  expect(user.calls()).toMatchObject([{ path }]);
  expect(user.calls()[0]?.body.equals(user.exchanges[0]?.body ?? Buffer.alloc(0))).toBe(true);
};

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('oa-embeddings: numbers come back, packed on the way as the SDK asks for it', async () => {
    const user = await stage.user();
    const { data, usage } = await openaiOf(user, Sdk).embeddings.create({ model: MODEL, input: 'Hello' });
    expect(data).toMatchObject([{ embedding: [0.5, -0.25] }]);
    expect(usage.prompt_tokens).toBe(2);
    expectPassedOn(user, '/v1/embeddings');
    expect(await user.jobs()).toMatchObject([{ status: 'completed', usage: { input_tokens: 2 } }]);
  });

  test('oa-embeddings: without a user’s key are refused once', async () => {
    const user = await stage.user();
    const error = await openaiOf(user, Sdk, { 'X-User-API-Key': null })
      .embeddings.create({ model: MODEL, input: 'Hello' })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Sdk.BadRequestError);
    expect(error).toMatchObject({ code: 'user_key_required' });
    expect(user.exchanges).toHaveLength(1);
  });
});

test('vercel: embed() gives numbers', async () => {
  const user = await stage.user();
  const settings = { apiKey: user.platformKey, headers: { 'X-User-API-Key': user.openaiKey } };
  const openai = createOpenAI({ ...settings, baseURL: `${user.url}/openai/v1` });
  const { embedding } = await embed({ model: openai.embeddingModel(MODEL), value: 'Hello' });
  expect(embedding).toEqual([0.5, -0.25]);
  expectPassedOn(user, '/v1/embeddings');
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('an-count: countTokens gives the provider’s number', async () => {
    const user = await stage.user();
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    const counted = await anthropicOf(user, Sdk).messages.countTokens({ model: 'claude-opus-4-8', messages });
    expect(counted).toEqual({ input_tokens: 14 });
    expectPassedOn(user, '/v1/messages/count_tokens');
  });
});
