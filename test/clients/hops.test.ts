/** Answers that take longer than a request may wait: clients follow redirects to the same origin until it is there. */
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { helloAfter } from './stage/answers.ts';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '1' });
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const CHAT = { model: 'gpt-4o-mini', messages: MESSAGES };
const MESSAGE = { model: 'claude-opus-4-8', max_tokens: 10, messages: MESSAGES };

/** That the user's one request was held again and again, with its keys and on its path, until its one job ended. */
const expectHops = async (user: TestUser, base: string): Promise<void> => {
  const [post, ...hops] = user.exchanges;
  expect(hops.length).toBeGreaterThanOrEqual(4);
  expect(post).toMatchObject({ method: 'POST', answer: { status: 303, headers: { 'cache-control': 'no-store' } } });
  const [job, ...others] = await user.jobs();
  expect(job).toMatchObject({ status: 'completed', attempts: [{ outcome: 'completed' }] });
  expect(others).toEqual([]);
  hops.forEach((hop, index) => {
    expect(hop.method).toBe('GET');
    expect(hop.path).toMatch(new RegExp(`^${base}/_wait/${job?.id}\\?until=\\d{13}$`));
    expect(hop.path).toBe(user.exchanges[index]?.answer?.headers.location);
    expect(hop.headers).toMatchObject({
      authorization: post?.headers.authorization,
      'x-user-api-key': post?.headers['x-user-api-key'],
    });
    expect(hop.answer?.status).toBe(index === hops.length - 1 ? 200 : 303);
  });
  expect(hops.at(-1)?.answer?.headers['x-gateway-job-id']).toBe(job?.id);
  expect(user.calls()).toHaveLength(1);
};

/** That the user's one job outlasted a first call, which ended before the client had followed too many redirects. */
const expectSentAgain = async (user: TestUser): Promise<void> => {
  const again = user.exchanges.findLastIndex(({ method }) => method === 'POST');
  expect(again).toBeGreaterThan(15);
  expect(again).toBeLessThanOrEqual(20);
  expect(user.exchanges[again - 1]?.answer).toMatchObject({
    status: 504,
    headers: { 'x-should-retry': 'true', 'retry-after': '1' },
  });
  expect(user.exchanges[again]).toMatchObject({
    headers: { 'x-stainless-retry-count': '1' },
    answer: { headers: { 'x-gateway-joined': 'true' } },
  });
  expect(user.exchanges.at(-1)?.answer?.status).toBe(200);
  expect(await user.jobs()).toMatchObject([{ status: 'completed', attempts: [{ outcome: 'completed' }] }]);
  expect(user.calls()).toHaveLength(1);
};

// First, because they take longest.
describe.concurrent('long-600s: a call that outlasts all its hops is sent again, and goes on with its job', () => {
  const LASTS = 22_500;
  const TEST_MS = 45_000;
  test.each(OPENAI_SDKS)(
    '%s',
    async (_, Sdk) => {
      const user = await stage.user();
      user.answers(helloAfter(LASTS));
      const answer = await openaiOf(user, Sdk).chat.completions.create(CHAT);
      expect(answer.choices[0]?.message.content).toBe('Hello.');
      await expectSentAgain(user);
    },
    TEST_MS,
  );

  test.each(ANTHROPIC_SDKS)(
    '%s',
    async (_, Sdk) => {
      const user = await stage.user();
      user.answers(helloAfter(LASTS));
      const answer = await anthropicOf(user, Sdk).messages.create(MESSAGE);
      expect(answer.content).toMatchObject([{ text: 'Hello.' }]);
      await expectSentAgain(user);
    },
    TEST_MS,
  );
});

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('oa-long: an answer after many holds costs one request, one job and one call', async () => {
    const user = await stage.user();
    user.answers(helloAfter(5_300));
    const answer = await openaiOf(user, Sdk).chat.completions.create(CHAT);
    expect(answer.choices[0]?.message.content).toBe('Hello.');
    await expectHops(user, '/openai/v1');
  });

  test('oa-long-responses: the same of responses.create', async () => {
    const user = await stage.user();
    user.answers(helloAfter(5_300));
    const answer = await openaiOf(user, Sdk).responses.create({ model: 'gpt-4o-mini', input: 'Hello' });
    expect(answer.output_text).toBe('Hello.');
    await expectHops(user, '/openai/v1');
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('an-long: an answer after many holds costs one request, one job and one call', async () => {
    const user = await stage.user();
    user.answers(helloAfter(5_300));
    const answer = await anthropicOf(user, Sdk).messages.create(MESSAGE);
    expect(answer.content).toMatchObject([{ text: 'Hello.' }]);
    await expectHops(user, '/anthropic/v1');
  });

  test('an-long-fails: a failure after many holds is an error with its own status', async () => {
    const user = await stage.user();
    user.answers(async () => {
      await delay(2_300);
      return { status: 400, body: '{"type":"error","error":{"type":"invalid_request_error","message":"no"}}' };
    });
    const error = await anthropicOf(user, Sdk)
      .messages.create(MESSAGE)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Sdk.BadRequestError);
    expect(user.exchanges.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });
});

/** Sends a chat by hand, so that its first redirect can be looked at. */
const firstHop = (user: TestUser, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${user.url}/openai/v1/chat/completions`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'Content-Type': 'application/json',
      Authorization: `Bearer ${user.platformKey}`,
      'X-User-API-Key': user.openaiKey,
      ...headers,
    },
    body: JSON.stringify(CHAT),
  });
const locationOf = (response: Response): string => response.headers.get('location') ?? 'no location';

describe.concurrent('a hop', () => {
  test('oa-hop-auth: with another tenant’s key finds nothing, and without one nobody', async () => {
    const [user, other] = [await stage.user(), await stage.user()];
    user.answers(helloAfter(3_000));
    const hop = locationOf(await firstHop(user)).replace('/openai/v1', '');
    const get = (client: OpenAI) => client.get(hop).catch((error: unknown) => error);
    expect(await get(openaiOf(other))).toMatchObject({ status: 404, code: 'not_found' });
    expect(await get(openaiOf({ ...other, platformKey: 'nobody-0123456789abcdef' }))).toBeInstanceOf(
      OpenAI.AuthenticationError,
    );
    expect(other.exchanges.map(({ answer }) => answer?.status)).toEqual([404, 401]);
    expect(await openaiOf(user).get(hop)).toMatchObject({ object: 'chat.completion' });
  });

  test('oa-hop-until: at the time of its limit says that the job still runs, and the retry joins it', async () => {
    const user = await stage.user();
    user.answers(helloAfter(3_500));
    const hop = new URL(locationOf(await firstHop(user)), user.url);
    hop.searchParams.set('until', String(Date.now() + 500));
    const ended = await fetch(hop, { headers: { Authorization: `Bearer ${user.platformKey}` } });
    expect(ended.status).toBe(504);
    expect(Object.fromEntries(ended.headers)).toMatchObject({ 'x-should-retry': 'true', 'retry-after': '1' });
    expect(await ended.json()).toMatchObject({ error: { code: 'still_running' } });
    const joined = await firstHop(user, { 'x-stainless-retry-count': '1' });
    expect(joined.headers.get('x-gateway-joined')).toBe('true');
    const answer = await openaiOf(user).get(locationOf(joined).replace('/openai/v1', ''));
    expect(answer).toMatchObject({ object: 'chat.completion' });
    expect(await user.jobs()).toHaveLength(1);
    expect(user.calls()).toHaveLength(1);
  });

  test('oa-hop-missed: a client that runs out of time between two hops finds its job at once', async () => {
    const user = await stage.user();
    user.answers(helloAfter(2_500));
    expect((await firstHop(user)).status).toBe(303);
    const again = await firstHop(user, { 'x-stainless-retry-count': '1' });
    expect(again.headers.get('x-gateway-joined')).toBe('true');
    expect(await openaiOf(user).get(locationOf(again).replace('/openai/v1', ''))).toMatchObject({
      object: 'chat.completion',
    });
    expect(await user.jobs()).toHaveLength(1);
    expect(user.calls()).toHaveLength(1);
  });
});
