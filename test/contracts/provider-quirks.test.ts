/** What only one provider does, and how its adapter takes it. */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAnthropicAdapter } from '../../providers/anthropic/adapter.ts';
import { type BedrockAuth, createBedrockAdapter } from '../../providers/bedrock/adapter.ts';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import { userManifestOf } from '../../providers/catalogue.ts';
import { createOpenAIAdapter } from '../../providers/openai/adapter.ts';
import { createCompatibleAdapter } from '../../providers/openai-compatible/adapter.ts';
import { type Vendor as CompatibleVendor, VENDOR_NAMES, vendorOf } from '../../providers/openai-compatible/vendors.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { Secret } from '../../shared/keys/secret.ts';
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

  test.each([
    [{ content: null, refusal: 'I cannot.' }, 'stop', { content: 'I cannot.', finish_reason: 'content_filter' }],
    [{ content: '', refusal: 'I cannot.' }, 'stop', { content: 'I cannot.', finish_reason: 'content_filter' }],
    [{ refusal: null }, 'content_filter', { content: '', finish_reason: 'content_filter' }],
    [undefined, 'content_filter', { content: '', finish_reason: 'content_filter' }],
    [{ content: null, tool_calls: [{}] }, 'tool_calls', { content: '', finish_reason: 'tool_calls' }],
    [{ content: null }, 'length', { content: '', finish_reason: 'length' }],
  ])('a whole answer with the message %o is delivered', async (message, finish_reason, result) => {
    answer = json(200, { choices: [{ finish_reason, message }], usage: { prompt_tokens: 1, completion_tokens: 1 } });
    expect(await askOpenAI()).toMatchObject({ kind: 'completed', result });
  });

  test('an error inside a 200 that was paid for is told with its explanation', async () => {
    answer = json(200, { error: { message: 'Moderated.' }, usage: { prompt_tokens: 7, completion_tokens: 0 } });
    expect(await askOpenAI()).toMatchObject({ kind: 'rejected', code: 'provider_bad_response', detail: 'Moderated.' });
  });

  test.each([{ choices: [] }, { choices: [{}] }, { choices: null }, { error: { message: 'Moderated.', code: 403 } }])(
    '%o with usage is paid for and no completion: failed at once',
    async (body) => {
      answer = json(200, { ...body, usage: { prompt_tokens: 7, completion_tokens: 0 } });
      expect(await askOpenAI()).toMatchObject({
        kind: 'rejected',
        code: 'provider_bad_response',
        billable: true,
        usage: { inputTokens: 7, outputTokens: 0 },
      });
    },
  );

  test.each([
    'Your access was terminated due to violation of our policies.',
    'The OpenAI account associated with this API key has been deactivated.',
    'Your organization has been suspended. Contact support.',
    'This project is archived.',
    'The API key you used was disabled.',
  ])('a key or an account that is closed is refused, whatever the number and code: %s', async (message) => {
    for (const status of [400, 401, 403, 429]) {
      answer = json(status, { error: { message, type: 'some_type', code: null } });
      expect(await askOpenAI()).toMatchObject({ kind: 'rejected', code: 'user_key_rejected', detail: message });
    }
  });

  test.each(['Logprobs are disabled for this organization.', 'Your organization has no project that may use this.'])(
    'and no other is: %s',
    async (message) => {
      answer = json(400, { error: { message, type: 'invalid_request_error', code: null } });
      expect(await askOpenAI()).toMatchObject({ code: 'provider_rejected_request' });
    },
  );

  test.each([
    [{ message: 'Bad.', code: 400, type: 'invalid_request_error' }, 'provider_rejected_request', 'Bad.'],
    [{ message: null, code: 'invalid_api_key', type: 'invalid_request_error' }, 'user_key_rejected', null],
    [{ message: null, code: null, type: null }, 'provider_rejected_request', null],
    [{ message: 'Bad.', type: 'invalid_request_error' }, 'provider_rejected_request', 'Bad.'],
  ])('%j is an error of its own', async (error, code, detail) => {
    answer = json(400, { error });
    expect(await askOpenAI()).toMatchObject({ kind: 'rejected', code, detail });
  });

  test.each([{ message: 'Bad.', code: 400 }, { code: 'invalid_api_key' }, { message: 7, code: 'invalid_api_key' }, {}])(
    '%j is none',
    async (error) => {
      answer = json(400, { error });
      expect(await askOpenAI()).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable' });
    },
  );

  test('retry-after-ms is finer than Retry-After and goes before it', async () => {
    answer = json(429, { error: { message: 'No.' } }, { 'retry-after': '1', 'retry-after-ms': '250' });
    expect(await askOpenAI()).toMatchObject({ kind: 'throttled', retryAfterMs: 250 });
  });
});

describe('compatible vendors', () => {
  const askVendor = (vendor: CompatibleVendor, request?: CompletionRequest) =>
    ask(createCompatibleAdapter(vendor, { baseUrl: server.url }), userManifestOf(vendor).keys.sample, request);

  test.each([
    ['gemini', 'max_tokens'],
    ['mistral', 'max_tokens'],
    ['groq', 'max_completion_tokens'],
  ] as const)('%s gets the limit of an answer as %s alone', async (vendor, name) => {
    answer = json(200, { choices: [{ finish_reason: 'stop', message: { content: 'Hi.' } }] });
    await askVendor(vendor, { ...hello, max_tokens: 5 });
    const { messages: _messages, ...sent } = JSON.parse(server.received[0]?.body ?? '{}');
    expect(sent).toEqual({ model: 'model-1', [name]: 5 });
  });

  test('what Mistral finds wrong with a field is told with the field', async () => {
    const detail = [{ type: 'extra_forbidden', loc: ['body', 'max_completion_tokens'], msg: 'Extra inputs', input: 1 }];
    answer = json(422, {
      object: 'error',
      message: { detail },
      type: 'invalid_request_error',
      param: null,
      code: null,
    });
    expect(await askVendor('mistral')).toMatchObject({
      code: 'provider_rejected_request',
      detail: 'body.max_completion_tokens: Extra inputs',
    });
  });

  test('an answer that ends with Mistral’s context was too long', async () => {
    answer = json(200, { choices: [{ finish_reason: 'model_length', message: { content: 'Hi.' } }] });
    expect(await askVendor('mistral')).toMatchObject({ kind: 'completed', result: { finish_reason: 'length' } });
  });

  test.each(VENDOR_NAMES)('%s is blamed for no error in the form of another', async (vendor) => {
    const forms = {
      openai: { error: { message: 'No.', type: 'error', code: null } },
      google: [{ error: { code: 400, message: 'No.', status: 'INVALID_ARGUMENT' } }],
      mistral: { object: 'error', message: 'No.', type: 'error', code: null },
    };
    for (const [form, body] of Object.entries(forms)) {
      answer = json(400, body);
      const expected = form === vendorOf(vendor).errors ? 'provider_rejected_request' : 'provider_unavailable';
      expect([form, await askVendor(vendor)]).toEqual([form, expect.objectContaining({ code: expected })]);
    }
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

  const sent = async (request: Partial<CompletionRequest>) => {
    answer = json(200, message);
    await askAnthropic({ ...hello, ...request });
    const { system, messages } = JSON.parse(server.received[0]?.body ?? '{}');
    return { system, messages };
  };
  const [user, assistant, system] = (['user', 'assistant', 'system'] as const).map((role) => (content: string) => ({
    role,
    content,
  }));
  const blocks = (...texts: string[]) => texts.map((text) => ({ type: 'text', text }));
  if (!user || !assistant || !system) throw new Error('no roles');

  test.each(['claude-opus-4-8', 'claude-opus-5', 'claude-opus-5-5', 'claude-opus-4-10', 'claude-fable-5-1'])(
    '%s gets a system message where it stands, or at the end of the next user turn',
    async (model) => {
      const messages = [
        system('S1'),
        user('U1'),
        system('S2'),
        assistant('A1'),
        system('S3'),
        user('U2'),
        system('S4'),
      ];
      expect(await sent({ model, messages })).toEqual({
        system: blocks('S1'),
        messages: [
          user('U1'),
          { role: 'system', content: blocks('S2') },
          assistant('A1'),
          user('U2'),
          { role: 'system', content: blocks('S3', 'S4') },
        ],
      });
    },
  );

  test.each([
    'claude-sonnet-5',
    'claude-opus-4-7',
    'claude-opus-4-20250514',
    'claude-3-opus-latest',
    'claude-haiku-4-5',
  ])('%s, which takes none between others, gets them before the conversation in their order', async (model) => {
    expect(await sent({ model, messages: [system('S1'), user('U1'), system('S2'), assistant('A1')] })).toEqual({
      system: blocks('S1', 'S2'),
      messages: [user('U1'), assistant('A1')],
    });
  });

  test('where no user turn follows, a system message goes before the conversation', async () => {
    const messages = [user('U1'), assistant('A1'), system('S1'), assistant('A2'), system('S2')];
    expect(await sent({ model: 'claude-opus-5', messages })).toEqual({
      system: blocks('S1', 'S2'),
      messages: [user('U1'), assistant('A1'), assistant('A2')],
    });
  });

  test('the beginning of an answer goes without the blank at its end, and empty answers of before are left out', async () => {
    const messages = [user('U1 '), assistant(' '), user('U2'), assistant('A2 '), user('U3'), assistant('So: \n')];
    expect((await sent({ messages })).messages).toEqual([
      user('U1 '),
      user('U2'),
      assistant('A2 '),
      user('U3'),
      assistant('So:'),
    ]);
    const parts = {
      role: 'assistant' as const,
      content: [
        { type: 'text' as const, text: 'So: ' },
        { type: 'text' as const, text: '  ' },
      ],
    };
    server.received.length = 0;
    expect((await sent({ messages: [user('U'), parts] })).messages[1].content).toEqual(blocks('So:'));
  });

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

  test('the beginning of an answer goes without the blank at its end', async () => {
    answer = json(500, {});
    const messages: CompletionRequest['messages'] = [
      { role: 'user', content: 'U' },
      { role: 'system', content: 'S' },
      { role: 'assistant', content: 'So: ' },
    ];
    await ask(createBedrockAdapter({ baseUrl: server.url, region: 'eu-central-1', auth: keys }), null, {
      ...hello,
      messages,
    });
    expect(JSON.parse(server.received[0]?.body ?? '')).toMatchObject({
      system: [{ text: 'S' }],
      messages: [
        { role: 'user', content: [{ text: 'U' }] },
        { role: 'assistant', content: [{ text: 'So:' }] },
      ],
    });
  });

  test.each([
    [{ stopReason: 'content_filtered' }, 'content_filter'],
    [{ stopReason: 'guardrail_intervened', output: { message: { role: 'assistant', content: [] } } }, 'content_filter'],
  ])('an answer of which a filter left nothing is delivered: %o', async (body, finish_reason) => {
    answer = json(200, { ...body, usage: { inputTokens: 1, outputTokens: 0, totalTokens: 1 } });
    expect(await askBedrock(keys)).toMatchObject({ kind: 'completed', result: { content: '', finish_reason } });
  });

  test.each(['InvalidSignatureException', 'RequestTimeTooSkewed', 'RequestExpired'])(
    'after a clock jump (%s) the job runs again, and the next call is signed by the provider’s clock',
    async (name) => {
      const theirs = Date.now() - 3 * 3_600_000;
      const date = new Date(theirs).toUTCString();
      answer = json(403, { message: 'Signature not yet current.' }, { 'x-amzn-errortype': name, date });
      const adapter = createBedrockAdapter({ baseUrl: server.url, region: 'eu-central-1', auth: keys });
      expect(await ask(adapter, null)).toMatchObject({ kind: 'unavailable', code: 'platform_provider_error' });
      await ask(adapter, null);
      const signed = server.received.map(({ headers }) => String(headers['x-amz-date']));
      expect(signed[0]?.slice(0, 11)).not.toBe(signed[1]?.slice(0, 11));
      const [, day = '', hour = ''] = /^(\d{8})T(\d{2})/.exec(signed[1] ?? '') ?? [];
      expect([day, hour]).toEqual([
        new Date(theirs).toISOString().slice(0, 10).replaceAll('-', ''),
        new Date(theirs).toISOString().slice(11, 13),
      ]);
    },
  );

  test('credentials that expired are looked up again for the next call', async () => {
    vi.stubEnv('AWS_PROFILE', undefined);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAOFBEFORE');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    answer = json(403, { message: 'It is expired.' }, { 'x-amzn-errortype': 'ExpiredTokenException' });
    const adapter = createBedrockAdapter({
      baseUrl: server.url,
      region: 'eu-central-1',
      auth: { kind: 'default_chain' },
    });
    expect(await ask(adapter, null)).toMatchObject({ kind: 'unavailable', code: 'platform_provider_error' });
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIARENEWED');
    await ask(adapter, null);
    const used = server.received.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization ?? '')?.[1]);
    expect(used).toEqual(['AKIAOFBEFORE', 'AKIARENEWED']);
  });

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
    [400, 'ExpiredTokenException', { kind: 'unavailable', code: 'platform_provider_error' }],
  ])('a %i named %s goes by its name', async (status, name, expected) => {
    answer = json(status, { message: 'No.' }, { 'x-amzn-errortype': name });
    expect(await askBedrock(keys)).toMatchObject(expected);
  });

  // The SDK exports none of them.
  const lists = readFileSync(
    join(
      import.meta.dirname,
      '../../node_modules/@smithy/core/dist-es/submodules/retry/service-error-classification/constants.js',
    ),
    'utf8',
  );
  const namesIn = (list: string): string[] => {
    const names = new RegExp(`${list} = \\[([^\\]]*)`).exec(lists)?.[1]?.match(/(?<=")\w+(?=")/g);
    if (!names) throw new Error(`no ${list}`);
    return names;
  };

  test('what AWS’s SDK takes for a throttle, or for a time-out, is one, as a 400 too', async () => {
    for (const name of namesIn('THROTTLING_ERROR_CODES')) {
      answer = json(400, { message: 'No.' }, { 'x-amzn-errortype': name });
      expect([name, await askBedrock(keys)]).toMatchObject([
        name,
        { kind: 'throttled', code: 'provider_rate_limited' },
      ]);
    }
    // The first is its own, of a connection.
    for (const name of namesIn('TRANSIENT_ERROR_CODES').slice(1)) {
      answer = json(400, { message: 'No.' }, { 'x-amzn-errortype': name });
      expect([name, await askBedrock(keys)]).toMatchObject([name, { kind: 'timed_out', code: 'provider_timeout' }]);
    }
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
