/** What only one provider does, and how its adapter takes it. */
import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CompletionRequest } from '../../shared/completion.ts';
import { Secret } from '../../shared/crypto/secret.ts';
import { createAnthropicAdapter } from '../../worker/providers/anthropic.ts';
import { type BedrockAuth, createBedrockAdapter } from '../../worker/providers/bedrock.ts';
import { createOpenAIAdapter } from '../../worker/providers/openai.ts';
import type { ProviderAdapter } from '../../worker/providers/provider.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';

const hello: CompletionRequest = { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] };

let answer: RequestListener;
let server: RawServer;
const open: ProviderAdapter[] = [];

beforeEach(async () => {
  server = await startRawServer((request, response) => answer(request, response));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(open.splice(0).map((adapter) => adapter.close()));
  await server.close();
});

const ask = async (adapter: ProviderAdapter, key: string | null, request: CompletionRequest = hello) => {
  open.push(adapter);
  const userKey = key === null ? null : new Secret(key);
  return adapter.complete({
    request,
    userKey,
    traceparent: null,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  });
};

describe('openai', () => {
  const askOpenAI = () => ask(createOpenAIAdapter({ baseUrl: `${server.url}/v1` }), 'sk-user-0123456789');

  test('a refusal is the content, finished by the filter', async () => {
    answer = json(200, { choices: [{ finish_reason: 'stop', message: { content: null, refusal: 'I cannot.' } }] });
    expect(await askOpenAI()).toMatchObject({ result: { content: 'I cannot.', finish_reason: 'content_filter' } });
  });

  test('an answer without text, all of it spent on reasoning, is empty and not broken', async () => {
    answer = json(200, { choices: [{ finish_reason: 'length', message: { content: null } }] });
    expect(await askOpenAI()).toMatchObject({ result: { content: '', finish_reason: 'length' } });
  });

  test.each(['insufficient_quota', 'billing_not_active', 'billing_hard_limit_reached'])(
    '%s is no rate limit',
    async (code) => {
      answer = json(429, { error: { message: 'No.', code } });
      expect(await askOpenAI()).toMatchObject({ kind: 'rejected', code: 'user_key_quota_exhausted' });
    },
  );

  test('retry-after-ms is finer than Retry-After and goes before it', async () => {
    answer = json(429, { error: { message: 'No.' } }, { 'retry-after': '1', 'retry-after-ms': '250' });
    expect(await askOpenAI()).toMatchObject({ kind: 'throttled', retryAfterMs: 250 });
  });
});

describe('anthropic', () => {
  const message = { type: 'message', content: [{ type: 'text', text: 'Hi.' }], stop_reason: 'end_turn' };
  const askAnthropic = (request?: CompletionRequest) =>
    ask(createAnthropicAdapter({ baseUrl: server.url }), 'sk-ant-user-0123456789', request);

  test('a request without sampling parameters goes in the newest form', async () => {
    answer = json(200, message);
    await askAnthropic();
    const { headers } = server.received[0] ?? {};
    expect(headers).toMatchObject({
      'anthropic-version': '2026-10-21',
      authorization: 'Bearer sk-ant-user-0123456789',
    });
    expect(headers).not.toHaveProperty('x-api-key');
  });

  test.each([{ temperature: 0 }, { top_p: 1 }])(
    'a request with %o goes in the form that takes it',
    async (sampling) => {
      answer = json(200, message);
      await askAnthropic({ ...hello, ...sampling });
      const { headers } = server.received[0] ?? {};
      expect(headers).toMatchObject({ 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-ant-user-0123456789' });
      expect(headers).not.toHaveProperty('authorization');
    },
  );

  test('only text blocks make the content', async () => {
    const content = [{ type: 'thinking', thinking: 'Hm.' }, ...message.content, { type: 'text', text: ' Ho.' }];
    answer = json(200, { ...message, content });
    expect(await askAnthropic()).toMatchObject({ result: { content: 'Hi. Ho.' } });
  });

  test.each([
    [403, { message: 'Your credit balance is too low to access the Anthropic API.' }, 'user_key_quota_exhausted'],
    [429, { message: 'No.', details: { error_code: 'contract_spend_limit_reached' } }, 'user_key_quota_exhausted'],
    [400, { message: 'No.', details: { error_code: 'organization_on_hold' } }, 'user_key_rejected'],
  ])('a %i that only the account’s owner can mend is rejected: %o', async (status, error, code) => {
    answer = json(status, { type: 'error', error: { type: 'other', ...error } });
    expect(await askAnthropic()).toMatchObject({ kind: 'rejected', code });
  });

  test('an error whose message is no text is still an outcome', async () => {
    answer = json(400, { type: 'error', error: { type: {}, message: { a: 1 } } });
    expect(await askAnthropic()).toMatchObject({ kind: 'rejected', detail: null });
  });
});

describe('bedrock', () => {
  const askBedrock = (auth: BedrockAuth) =>
    ask(createBedrockAdapter({ baseUrl: server.url, region: 'eu-central-1', auth }), null);
  const keys: BedrockAuth = { kind: 'access_key', accessKeyId: 'AKIAEXAMPLE', secretAccessKey: new Secret('secret') };

  test('a Bedrock API key goes as a bearer token, whatever the environment holds', async () => {
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'another-token');
    answer = json(500, {});
    await askBedrock({ kind: 'api_key', token: new Secret('the-token') });
    expect(server.received[0]?.headers.authorization).toBe('Bearer the-token');
  });

  test.each([
    [400, 'ThrottlingException', { kind: 'throttled', code: 'provider_rate_limited' }],
    [429, 'ModelNotReadyException', { kind: 'unavailable', code: 'provider_unavailable' }],
    [424, 'ModelErrorException', { kind: 'unavailable', code: 'provider_unavailable' }],
    [408, 'ModelTimeoutException', { kind: 'timed_out', code: 'provider_timeout' }],
    [400, 'ExpiredTokenException', { kind: 'rejected', code: 'platform_provider_error' }],
  ])('a %i named %s goes by its name', async (status, name, expected) => {
    answer = json(status, { message: 'No.' }, { 'x-amzn-errortype': name });
    expect(await askBedrock(keys)).toMatchObject(expected);
  });

  test('a throttle carries the provider’s wish', async () => {
    answer = json(429, { message: 'No.' }, { 'x-amzn-errortype': 'ThrottlingException', 'retry-after': '3' });
    expect(await askBedrock(keys)).toMatchObject({ kind: 'throttled', retryAfterMs: 3_000 });
  });

  test('without any credentials the platform is at fault, and nothing is sent', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_SESSION_TOKEN'])
      vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    answer = json(200, {});
    expect(await askBedrock({ kind: 'default_chain' })).toMatchObject({
      kind: 'unavailable',
      code: 'platform_provider_error',
      providerStatus: null,
    });
    expect(server.received).toHaveLength(0);
  });
});
