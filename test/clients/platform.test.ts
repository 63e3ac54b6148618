/** SDKs without a user's key: the platform's own account answers in their words. */
import { describe, expect, test } from 'vitest';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '20' });
const MODEL = 'amazon.nova-lite-v1:0';
const HELLO = { role: 'user', content: 'Hello' } as const;
const NO_USER_KEY = { 'X-User-API-Key': null };
const PARAMETERS = { type: 'object' as const, properties: { place: { type: 'string' } }, required: ['place'] };

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('platform-chat: a chat without a user’s key is answered by the platform’s account', async () => {
    const user = await stage.user();
    const answer = await openaiOf(user, Sdk, NO_USER_KEY).chat.completions.create({ model: MODEL, messages: [HELLO] });
    expect(answer).toMatchObject({ object: 'chat.completion', model: MODEL });
    expect(answer.choices).toMatchObject([{ finish_reason: 'stop', message: { content: expect.any(String) } }]);
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(0);
    expect(await user.jobs()).toMatchObject([{ status: 'completed', credential: 'platform', provider: 'bedrock' }]);
  });

  test('neutral-tools: calls of tools come back, and a text behind their results', async () => {
    const user = await stage.user();
    const client = openaiOf(user, Sdk, NO_USER_KEY);
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: PARAMETERS } }];
    const { choices } = await client.chat.completions.create({ model: MODEL, messages: [HELLO], tools });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    const message = choices[0]?.message ?? HELLO;
    const calls = ('tool_calls' in message && message.tool_calls) || [];
    expect(calls).toMatchObject([{ type: 'function', function: { name: 'weather' } }]);
    const results = calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '21' }));
    const last = await client.chat.completions.create({ model: MODEL, messages: [HELLO, message, ...results], tools });
    expect(last.choices).toMatchObject([{ finish_reason: 'stop', message: { content: expect.any(String) } }]);
  });

  test('neutral-unsupported: what the account’s provider does not take is refused by name, or left out with a warning', async () => {
    const user = await stage.user();
    const request = { model: MODEL, messages: [HELLO], seed: 7 };
    const error = await openaiOf(user, Sdk, NO_USER_KEY)
      .chat.completions.create(request)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Sdk.BadRequestError);
    expect(error).toMatchObject({ code: 'unsupported_by_provider', param: 'seed' });
    expect(user.exchanges).toHaveLength(1);
    const warned = openaiOf(user, Sdk, { ...NO_USER_KEY, 'X-Gateway-Unsupported': 'warn' });
    expect(await warned.chat.completions.create(request)).toMatchObject({ object: 'chat.completion' });
    expect(await user.jobs()).toMatchObject([{ warnings: [{ param: 'seed' }] }]);
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('platform-message: a message without a user’s key is answered by the platform’s account', async () => {
    const user = await stage.user();
    const client = anthropicOf(user, Sdk, NO_USER_KEY);
    const answer = await client.messages.create({ model: MODEL, max_tokens: 100, messages: [HELLO] });
    expect(answer).toMatchObject({ type: 'message', role: 'assistant', model: MODEL, stop_reason: 'end_turn' });
    expect(answer.content).toMatchObject([{ type: 'text' }]);
    expect(answer.usage.input_tokens).toBeGreaterThan(0);
  });

  test('neutral-tools: calls of tools come back, and a text behind their results', async () => {
    const user = await stage.user();
    const client = anthropicOf(user, Sdk, NO_USER_KEY);
    const asked = { model: MODEL, max_tokens: 100, tools: [{ name: 'weather', input_schema: PARAMETERS }] };
    const first = await client.messages.create({ ...asked, messages: [HELLO] });
    expect(first.stop_reason).toBe('tool_use');
    const [call] = first.content.filter((block) => block.type === 'tool_use');
    expect(call).toMatchObject({ name: 'weather', input: { place: expect.any(String) } });
    const result = { type: 'tool_result' as const, tool_use_id: call?.id ?? '', content: '21' };
    const last = await client.messages.create({
      ...asked,
      messages: [HELLO, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
    });
    expect(last).toMatchObject({ stop_reason: 'end_turn', content: [{ type: 'text' }] });
  });

  test('neutral-unsupported: a tool that only its provider runs is refused by name', async () => {
    const user = await stage.user();
    const error = await anthropicOf(user, Sdk, NO_USER_KEY)
      .messages.create({
        model: MODEL,
        max_tokens: 100,
        messages: [HELLO],
        tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Sdk.BadRequestError);
    expect(error).toMatchObject({ error: { error: { code: 'unsupported_by_provider' } } });
  });
});
