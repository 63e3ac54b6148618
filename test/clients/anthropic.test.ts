/** Messages of Anthropic's SDKs: bytes go to the provider and back as they are. */
import type Anthropic from '@anthropic-ai/sdk';
import { describe, expect, test } from 'vitest';
import { messageAnswer } from './stage/answers.ts';
import { ANTHROPIC_SDKS, anthropicOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '20' });
const HELLO = { role: 'user', content: 'Hello' } as const;
const REQUEST = { model: 'claude-opus-4-8', max_tokens: 1_000, messages: [HELLO] };

/** That each request made one job, whose provider got the bytes of the client, its version and betas, and the user's key. */
const expectPassedOn = async (user: TestUser): Promise<void> => {
  const calls = user.calls();
  expect(calls).toHaveLength(user.exchanges.length);
  expect(await user.jobs()).toHaveLength(calls.length);
  user.exchanges.forEach(({ method, headers, body, answer }, index) => {
    const call = calls[index];
    expect({ method, status: answer?.status }).toEqual({ method: 'POST', status: 200 });
    expect(call?.body.equals(body)).toBe(true);
    expect(call?.headers['anthropic-version']).toBe(headers['anthropic-version']);
    expect(call?.headers['anthropic-beta']).toBe(headers['anthropic-beta']);
  });
};

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('an-msg: the answer is parsed, with the ids of request and job; version and betas go on as sent', async () => {
    const user = await stage.user();
    const client = anthropicOf(user, Sdk, { 'anthropic-beta': 'one,two' });
    const { data, response, request_id } = await client.messages.create(REQUEST).withResponse();
    expect(data).toEqual(messageAnswer());
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('x-gateway-job-id')).toBe((await user.jobs())[0]?.id);
    expect(user.calls()).toMatchObject([
      {
        path: '/v1/messages',
        headers: {
          authorization: `Bearer ${user.anthropicKey}`,
          'anthropic-version': expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
          'anthropic-beta': 'one,two',
        },
      },
    ]);
    await expectPassedOn(user);
  });

  test('an-beta: beta.messages.create reaches the provider with its betas', async () => {
    const user = await stage.user();
    const answer = await anthropicOf(user, Sdk).beta.messages.create({ ...REQUEST, betas: ['context-1m-2025-08-07'] });
    expect(answer.content).toMatchObject([{ text: 'Hello.' }]);
    expect(user.calls()).toMatchObject([{ headers: { 'anthropic-beta': 'context-1m-2025-08-07' } }]);
    await expectPassedOn(user);
  });

  test('an-thinking-roundtrip: thoughts without text, signatures and what was redacted come back and go on', async () => {
    const user = await stage.user();
    const thoughts = [
      { type: 'thinking', thinking: '', signature: 'EqQBCkYIARgCKkDx+/=' },
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy' },
      { type: 'text', text: 'Hello.' },
    ];
    user.answers(() => ({ body: JSON.stringify(messageAnswer(thoughts)) }));
    const client = anthropicOf(user, Sdk);
    const { content } = await client.messages.create(REQUEST);
    expect(content).toEqual(thoughts);
    // What comes back can be sent again, whatever types the release gives to either.
    const turn = { role: 'assistant', content: content as Anthropic.ContentBlockParam[] } as const;
    await client.messages.create({ ...REQUEST, messages: [HELLO, turn, { role: 'user', content: 'Go on' }] });
    expect(JSON.parse(String(user.calls()[1]?.body)).messages[1].content).toEqual(thoughts);
    await expectPassedOn(user);
  });

  test('an-cache-usage: tokens written to caches of 5 minutes and an hour have their own prices', async () => {
    const user = await stage.user();
    const usage = {
      input_tokens: 1_000,
      cache_creation_input_tokens: 30_000,
      cache_creation: { ephemeral_5m_input_tokens: 10_000, ephemeral_1h_input_tokens: 20_000 },
      cache_read_input_tokens: 100_000,
      output_tokens: 2_000,
    };
    user.answers(() => ({ body: JSON.stringify(messageAnswer(undefined, usage)) }));
    const answer = await anthropicOf(user, Sdk).messages.create(REQUEST);
    expect(answer.usage).toMatchObject(usage);
    const [job] = await user.jobs();
    // Claude Opus 4.8, for a million tokens: $5 in, $6.25 and $10 to caches, $0.50 from one, $25 out.
    const cost = 0.001 * 5 + 0.01 * 6.25 + 0.02 * 10 + 0.1 * 0.5 + 0.002 * 25;
    expect(job?.usage).toMatchObject({ input_tokens: 131_000, output_tokens: 2_000 });
    expect(job?.usage?.cost_usd).toBeCloseTo(cost, 9);
  });
});
