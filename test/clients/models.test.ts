/** Lists of models, and what an SDK hears at a wrong address. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '1' });
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const CHAT = { model: 'gpt-4o-mini', messages: MESSAGES };
const MESSAGE = { model: 'claude-opus-4-8', max_tokens: 10, messages: MESSAGES };
const NO_USER_KEY = { 'X-User-API-Key': null };
const caught = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('oa-models: what a user’s key may run is listed, and each can be looked up', async () => {
    const client = openaiOf(await stage.user(), Sdk);
    const { data } = await client.models.list();
    expect(data.length).toBeGreaterThan(0);
    expect(data.map(({ id }) => id)).toContain('gpt-4o-mini');
    const model = await client.models.retrieve('gpt-4o-mini');
    expect(model).toMatchObject({ id: 'gpt-4o-mini', object: 'model', owned_by: expect.any(String) });
    expect(model.created).toBeTypeOf('number');
  });

  test('oa-models: a name with a colon, as the platform’s own account has it, can be looked up', async () => {
    const client = openaiOf(await stage.user(), Sdk, NO_USER_KEY);
    const name = 'amazon.nova-lite-v1:0';
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(name);
    expect(await client.models.retrieve(name)).toMatchObject({ id: name, object: 'model' });
  });

  test('oa-models: a model that nobody knows is a NotFoundError', async () => {
    const client = openaiOf(await stage.user(), Sdk, NO_USER_KEY);
    expect(await caught(client.models.retrieve('no-such-model'))).toBeInstanceOf(Sdk.NotFoundError);
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('an-models: what a user’s key may run is listed page by page, and each can be looked up', async () => {
    const client = anthropicOf(await stage.user(), Sdk);
    const names: string[] = [];
    for await (const { id, type } of client.models.list({ limit: 3 })) {
      expect(type).toBe('model');
      names.push(id);
    }
    expect(names.length).toBeGreaterThan(3);
    expect(new Set(names).size).toBe(names.length);
    const [name = ''] = names;
    expect(await client.models.retrieve(name)).toMatchObject({ id: name, type: 'model' });
  });
});

describe.concurrent('collision: an SDK at an address that is not its own', () => {
  test.each<[string, string, (client: OpenAI) => Promise<unknown>]>([
    ['/v1', 'chat', (client) => client.chat.completions.create(CHAT)],
    ['/v1', 'responses', (client) => client.responses.create({ model: 'gpt-4o-mini', input: 'Hello' })],
    ['/v1', 'models', (client) => client.models.list()],
    ['/v1', 'embeddings', (client) => client.embeddings.create({ model: 'text-embedding-3-small', input: 'Hello' })],
    ['', 'chat', (client) => client.chat.completions.create(CHAT)],
    ['/openai', 'chat', (client) => client.chat.completions.create(CHAT)],
    ['/anthropic/v1', 'chat', (client) => client.chat.completions.create(CHAT)],
  ])('openai at %s: %s is told the right one, once', async (path, _, call) => {
    const user = await stage.user();
    const client = new OpenAI({
      apiKey: user.platformKey,
      baseURL: `${user.url}${path}`,
      defaultHeaders: { 'X-User-API-Key': user.openaiKey },
    });
    const error = await caught(call(client));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(String(error)).toContain('/openai/v1');
    expect(user.exchanges).toHaveLength(1);
  });

  test.each(['', '/v1', '/anthropic/v1', '/openai'])('anthropic at %s: is told the right one, once', async (path) => {
    const user = await stage.user();
    const client = new Anthropic({
      apiKey: user.platformKey,
      baseURL: `${user.url}${path}`,
      defaultHeaders: { 'X-User-API-Key': user.anthropicKey },
    });
    const error = await caught(client.messages.create(MESSAGE));
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(String(error)).toContain('/anthropic');
    expect(user.exchanges).toHaveLength(1);
  });
});
