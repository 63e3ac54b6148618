/** SDKs send a request again when nothing came: the gateway gives them the job that they have, and no second one. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { TestApi } from '../support/processes/gateway.ts';
import { until } from '../support/until.ts';
import { hello, helloAfter } from './stage/answers.ts';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '1' });
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const CHAT = { model: 'gpt-4o-mini', messages: MESSAGES };
const MESSAGE = { model: 'claude-opus-4-8', max_tokens: 10, messages: MESSAGES };
const postsOf = (user: TestUser) => user.exchanges.filter(({ method }) => method === 'POST');

/** That the user has one job with one attempt, though there were several requests, and that the last says so. */
const expectJoined = async (user: TestUser): Promise<void> => {
  expect(postsOf(user).length).toBeGreaterThan(1);
  expect(await user.jobs()).toMatchObject([{ status: 'completed', attempts: [{ outcome: 'completed' }] }]);
  expect(user.calls()).toHaveLength(1);
  expect(user.exchanges.at(-1)?.answer?.headers).toMatchObject({ 'x-gateway-joined': 'true' });
};

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('oa-retry-join: a client that runs out of time gets the answer of its first request', async () => {
    const user = await stage.user();
    user.answers(helloAfter(5_000));
    const answer = await openaiOf(user, Sdk).chat.completions.create(CHAT, { timeout: 2_000 });
    expect(answer.choices[0]?.message.content).toBe('Hello.');
    expect(postsOf(user).map(({ headers }) => headers['x-stainless-retry-count'])).toEqual(['0', '1', '2']);
    await expectJoined(user);
  });

  test('oa-idem: the same Idempotency-Key twice is one job and one call', async () => {
    const user = await stage.user();
    const options = { headers: { 'Idempotency-Key': 'order-1' } };
    const client = openaiOf(user, Sdk);
    const first = await client.chat.completions.create(CHAT, options);
    const { data, response } = await client.chat.completions.create(CHAT, options).withResponse();
    expect(data).toEqual(first);
    expect(response.headers.get('idempotency-replayed')).toBe('true');
    const [one, other] = user.exchanges.map(({ answer }) => answer?.headers['x-gateway-job-id']);
    expect(other).toBe(one);
    expect(await user.jobs()).toHaveLength(1);
    expect(user.calls()).toHaveLength(1);
  });

  test('oa-same-twice: two equal requests that are no retries are two jobs', async () => {
    const user = await stage.user();
    user.answers(helloAfter(1_500));
    const client = openaiOf(user, Sdk);
    await Promise.all([client.chat.completions.create(CHAT), client.chat.completions.create(CHAT)]);
    expect(await user.jobs()).toHaveLength(2);
    expect(user.calls()).toHaveLength(2);
  });

  test('oa-429-long: a limit that outlasts the job’s deadline is told once, and not asked for again', async () => {
    const user = await stage.user();
    user.answers(() => ({
      status: 429,
      headers: { 'retry-after': '300' },
      body: '{"error":{"type":"requests","code":"rate_limit_exceeded","message":"Rate limit reached"}}',
    }));
    const headers = { 'X-Gateway-Deadline-Seconds': '5' };
    const error = await openaiOf(user, Sdk, headers)
      .chat.completions.create(CHAT)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Sdk.RateLimitError);
    expect(error).toMatchObject({ status: 429, code: 'provider_rate_limited' });
    expect(postsOf(user)).toHaveLength(1);
    expect(user.exchanges.at(-1)?.answer?.headers['x-should-retry']).toBe('false');
    expect(user.calls()).toHaveLength(1);
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('an-retry-join: a client that runs out of time gets the answer of its first request', async () => {
    const user = await stage.user();
    user.answers(helloAfter(5_000));
    const answer = await anthropicOf(user, Sdk).messages.create(MESSAGE, { timeout: 2_000 });
    expect(answer.content).toMatchObject([{ text: 'Hello.' }]);
    await expectJoined(user);
  });
});

/** Another API in the place of the one that clients reach now, as behind a balancer; answers that one. */
const replaceApi = async (): Promise<TestApi> => {
  const { apis, addApi } = stage.gateway();
  await addApi();
  const [former] = apis.splice(0, 1);
  if (former === undefined) throw new Error('there was no API');
  return former;
};

describe('an API that ends while a call waits', () => {
  test('oa-retry-join-api-dies: killed, and the retry finds its job at another', async () => {
    const user = await stage.user();
    user.answers(async (call) => {
      const api = await replaceApi();
      api.signal('SIGKILL');
      await api.exited;
      return hello(call);
    });
    const answer = await openaiOf(user).chat.completions.create(CHAT);
    expect(answer.choices[0]?.message.content).toBe('Hello.');
    await expectJoined(user);
  });

  test('oa-api-stops: told to stop, and the call goes on at another without a second request', async () => {
    const user = await stage.user();
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    user.answers(async (call) => {
      const api = await replaceApi();
      void api.stop().then(stop);
      await delay(2_500);
      return hello(call);
    });
    const answer = await openaiOf(user).chat.completions.create(CHAT);
    expect(answer.choices[0]?.message.content).toBe('Hello.');
    expect(postsOf(user)).toHaveLength(1);
    expect(user.calls()).toHaveLength(1);
    await stopped;
  });
});

test('redis-away: calls that wait when the queue goes away for seconds have their answers from one request', async () => {
  const [asker, writer] = [await stage.user(), await stage.user()];
  const users = [asker, writer];
  for (const user of users) user.answers(helloAfter(5_000));
  const answers = Promise.all([
    openaiOf(asker).chat.completions.create(CHAT),
    anthropicOf(writer).messages.create(MESSAGE),
  ]);
  await until('both have followed a hop', () => users.every(({ exchanges }) => exchanges.length > 1));
  const { redis } = stage.gateway();
  await redis.kill();
  await delay(2_000);
  await redis.restart();
  expect(await answers).toMatchObject([{ choices: [{ message: { content: 'Hello.' } }] }, { type: 'message' }]);
  for (const user of users) {
    expect(postsOf(user)).toHaveLength(1);
    expect(user.calls()).toHaveLength(1);
  }
});
