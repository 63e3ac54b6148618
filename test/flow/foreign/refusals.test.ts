/** What is refused on the paths of OpenAI and Anthropic is told in their words, so that their SDKs raise what their users catch. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0, env: { MAX_STORED_BYTES: '30000000' } });
});
afterAll(async () => {
  if (gateway) await expectInvariants(gateway.redis.url);
  await gateway?.stop();
});

type Headers = Record<string, string | null>;
const base = (): string => gateway.apis[0]?.url ?? '';
const openai = (headers: Headers = {}, apiKey: string = KEYS.acme): OpenAI =>
  new OpenAI({
    apiKey,
    baseURL: `${base()}/openai/v1`,
    defaultHeaders: { 'X-User-API-Key': OPENAI_KEY, Prefer: 'respond-async', ...headers },
    maxRetries: 0,
  });
const anthropic = (headers: Headers = {}, apiKey: string = KEYS.acme): Anthropic =>
  new Anthropic({
    apiKey,
    baseURL: `${base()}/anthropic`,
    defaultHeaders: { 'X-User-API-Key': ANTHROPIC_KEY, Prefer: 'respond-async', ...headers },
    maxRetries: 0,
  });
const chat = (client: OpenAI, more: object = {}) =>
  client.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }], ...more });
const message = (client: Anthropic, more: object = {}) =>
  client.messages.create({
    model: 'claude-opus-4-8',
    max_tokens: 10,
    messages: [{ role: 'user', content: 'Hello' }],
    ...more,
  });
/** What it answers, or the error that it throws. */
const caught = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe.each<[string, number, string, Headers, object, string?]>([
  ['a wrong platform key', 401, 'invalid_api_key', {}, {}, 'wrong-platform-key-0001'],
  ['a key of no form', 400, 'user_key_malformed', { 'X-User-API-Key': 'short' }, {}],
  ['a stream', 400, 'invalid_header', {}, { stream: true }],
  ['a deadline of no number', 400, 'invalid_header', { 'X-Gateway-Deadline-Seconds': '1e3' }, {}],
  ['metadata that are no object', 400, 'invalid_header', { 'X-Gateway-Metadata': '[1]' }, {}],
  ['metadata with a key', 400, 'invalid_header', { 'X-Gateway-Metadata': `{"a":"${OPENAI_KEY}"}` }, {}],
  ['an event that there is not', 400, 'invalid_header', { 'X-Gateway-Webhook-Events': 'job.sung' }, {}],
  ['a webhook to nowhere', 400, 'webhook_url_refused', { 'X-Gateway-Webhook-Url': 'ftp://x' }, {}],
  ['no model', 400, 'invalid_body', {}, { model: undefined }],
])('%s', (_, status, code, headers, more, key) => {
  test('is an error of OpenAI’s SDK', async () => {
    const error = await caught(chat(openai(headers, key), more));
    expect(error).toBeInstanceOf(status === 401 ? OpenAI.AuthenticationError : OpenAI.BadRequestError);
    const type = status === 401 ? 'authentication_error' : 'invalid_request_error';
    expect(error).toMatchObject({ status, code, type, requestID: expect.stringMatching(/^req_/) });
  });

  test('is an error of Anthropic’s SDK', async () => {
    const error = await caught(message(anthropic(headers, key), more));
    expect(error).toBeInstanceOf(status === 401 ? Anthropic.AuthenticationError : Anthropic.BadRequestError);
    const type = status === 401 ? 'authentication_error' : 'invalid_request_error';
    expect(error).toMatchObject({
      status,
      type,
      requestID: expect.stringMatching(/^req_/),
      error: { error: { code } },
    });
  });
});

test('what runs on users’ keys only says so without one', async () => {
  const error = await caught(
    openai({ 'X-User-API-Key': null }).responses.create({ model: 'gpt-4o-mini', input: 'Hello' }),
  );
  expect(error).toMatchObject({ status: 400, code: 'user_key_required', param: 'X-User-API-Key' });
});

test('a key of one provider on the path of another is refused, and vendors that speak OpenAI’s words are taken there', async () => {
  const contradiction = await caught(chat(openai({ 'X-User-Provider': 'anthropic', 'X-User-API-Key': ANTHROPIC_KEY })));
  expect(contradiction).toMatchObject({ status: 400, code: 'user_provider_mismatch' });
  const other = await caught(message(anthropic({ 'X-User-Provider': 'openai', 'X-User-API-Key': OPENAI_KEY })));
  expect(other).toMatchObject({ status: 400 });
  const groq = await chat(openai({ 'X-User-Provider': 'groq', 'X-User-API-Key': `gsk_${'a'.repeat(48)}` }));
  expect(groq).toMatchObject({ object: 'job', provider: 'groq', format: 'openai.chat' });
});

test('the same bytes under one Idempotency-Key are one job; another spelling of the same is another request', async () => {
  const send = (body: string, headers: Record<string, string> = {}) =>
    gateway.call('POST', '/openai/v1/chat/completions', {
      headers: { 'X-User-API-Key': OPENAI_KEY, Prefer: 'respond-async', 'Idempotency-Key': 'one', ...headers },
      body,
    });
  const text = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}';
  const first = (await send(text)).body as Job;
  const again = await send(text);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect((again.body as Job).id).toBe(first.id);
  for (const different of [
    await send(`${text} `),
    await send(text, { 'OpenAI-Beta': 'x' }),
    await send(text, { 'X-Gateway-Timeout-Seconds': '9' }),
  ]) {
    expect(different).toMatchObject({ status: 422, body: { error: { code: 'idempotency_mismatch' } } });
    expect(different.headers.get('x-should-retry')).toBe('false');
  }
  // Another user's key.
  expect((await send(text, { 'X-User-API-Key': `${OPENAI_KEY}9` })).status).toBe(422);
});

test('bodies of 5 MB wait until the tenant’s bytes are used up; then 429 in each dialect, and all of it is gone with the jobs', async () => {
  const filler = 'x'.repeat(5_000_000);
  const ids: string[] = [];
  for (;;) {
    const answer = await caught(chat(openai(), { user: filler }));
    if (answer instanceof OpenAI.RateLimitError) {
      expect(answer).toMatchObject({ status: 429, code: 'too_many_stored_bytes', type: 'rate_limit_error' });
      expect(answer.headers.get('x-should-retry')).toBe('true');
      break;
    }
    ids.push((answer as Job).id);
  }
  expect(ids.length).toBe(5);
  expect(await caught(message(anthropic(), { filler }))).toMatchObject({ status: 429, type: 'rate_limit_error' });
  const stays = () => withRedis(gateway.redis.url, (redis) => redis.keys('*:request-body:*'));
  expect((await stays()).length).toBe(5);
  for (const id of ids) await gateway.call('POST', `/v1/jobs/${id}/cancel`);
  expect(await stays()).toEqual([]);
  const { body } = await gateway.call('GET', '/v1/usage');
  expect((body as { limits: { stored_bytes: number } }).limits.stored_bytes).toBeLessThan(100_000);
});

test('of an API that dies while a long body is written nothing stays, and nothing is counted', async () => {
  const api = await gateway.addApi();
  const sending = fetch(`${api.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-API-Key': KEYS.beta,
      'X-User-API-Key': OPENAI_KEY,
      Prefer: 'respond-async',
    },
    body: JSON.stringify({ model: 'gpt-4o-mini', filler: 'x'.repeat(20_000_000) }),
  }).catch(() => null);
  const pieces = () => withRedis(gateway.redis.url, (redis) => redis.keys('*:request-body:*'));
  const [name = ''] = await until('a piece is written', async () => {
    const found = await pieces();
    return found.length > 0 && found;
  });
  api.signal('SIGKILL');
  await sending;
  gateway.apis.splice(gateway.apis.indexOf(api), 1);
  const life = await withRedis(gateway.redis.url, (redis) => redis.pttl(name));
  const [jobs] = await withRedis(gateway.redis.url, (redis) => Promise.all([redis.keys('*:job:*')]));
  // Either it was accepted before, or its pieces go within the minute.
  if (life > 60_000) expect(jobs.length).toBeGreaterThan(0);
  else expect(life).toBeGreaterThan(0);
});
