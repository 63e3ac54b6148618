/** A body in foreign words at the adapters: sent as it is, its answer kept as it is, and everything else judged as ever. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { manifestOf, type Provider, perProvider, USER_PROVIDERS } from '../../providers/catalogue.ts';
import type { ForeignFormat } from '../../providers/manifest.ts';
import { createProviders } from '../../providers/registry.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { Secret } from '../../shared/keys/secret.ts';
import {
  type PlannedAnswer,
  type RecordingProvider,
  startRecordingProvider,
  WHOLE_ANSWERS,
} from '../support/network/recording-provider.ts';

let server: RecordingProvider;
let providers: ReturnType<typeof createProviders>;
beforeAll(async () => {
  server = await startRecordingProvider();
  providers = createProviders({
    urls: perProvider((provider) => (provider === 'anthropic' ? server.urls.anthropic : server.urls.openai)),
    awsRegion: 'us-east-1',
    bedrockAuth: { kind: 'default_chain' },
  });
});
afterAll(async () => {
  await Promise.all(Object.values(providers).map((provider) => provider.close()));
  await server.close();
});
beforeEach(() => {
  server.calls.length = 0;
});

const PATHS: Record<ForeignFormat, keyof typeof WHOLE_ANSWERS> = {
  'openai.chat': '/v1/chat/completions',
  'openai.responses': '/v1/responses',
  'openai.embeddings': '/v1/embeddings',
  'anthropic.messages': '/v1/messages',
  'anthropic.count_tokens': '/v1/messages/count_tokens',
};
/** What the answers above say that they used. */
const USED: Record<ForeignFormat, object> = {
  'openai.chat': { inputTokens: 9, outputTokens: 3 },
  'openai.responses': { inputTokens: 9, outputTokens: 3 },
  'openai.embeddings': { inputTokens: 9, outputTokens: 0, cachedInputTokens: 0 },
  'anthropic.messages': { inputTokens: 9, outputTokens: 3 },
  'anthropic.count_tokens': { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, free: true },
};
const KEY = 'sk-ant-api03-Zq8Wv3Xn5Lp7Rt9Yb2Mc4';
const pass = (provider: Provider, format: ForeignFormat, body: string, answer?: PlannedAnswer): Promise<Outcome> => {
  server.answerWith(({ path }) => answer ?? { body: WHOLE_ANSWERS[path as keyof typeof WHOLE_ANSWERS] });
  return providers[provider].pass({
    request: { format, body: Buffer.from(body), headers: {} },
    userKey: new Secret(KEY),
    traceparent: null,
    timeoutMs: 5_000,
    signal: new AbortController().signal,
    events: null,
  });
};

const SPOKEN = USER_PROVIDERS.flatMap((provider) =>
  // A cast because Object.keys forgets the names.
  (Object.keys(manifestOf(provider).formats) as ForeignFormat[]).map((format) => ({ provider, format })),
);

describe.each(SPOKEN)('$format at $provider', ({ provider, format }) => {
  const raw = ` {"model":"m" ,"seed":9007199254740993,"b":1.0,"2":{},"1":{},"x":"\\u00e9é"}\n`;

  test('body and answer are the bytes that they were, and what was used is counted', async () => {
    const answer = `${WHOLE_ANSWERS[PATHS[format]]} `;
    const outcome = await pass(provider, format, raw, {
      body: answer,
      headers: { 'content-type': 'application/json; x=y' },
    });
    expect(server.calls).toMatchObject([{ path: PATHS[format] }]);
    expect(server.calls[0]?.body.toString()).toBe(raw);
    expect(outcome).toMatchObject({ kind: 'completed', usage: USED[format], billable: true });
    if (outcome.kind !== 'completed' || !('bytes' in outcome.result)) throw new Error('no bytes');
    expect(outcome.result.bytes.toString()).toBe(answer);
    expect(outcome.result.mediaType).toBe('application/json; x=y');
  });

  test('a refusal is judged, and tells nothing of the key or of a secret in the body', async () => {
    const words = 'correct horse battery staple';
    const secrets = {
      tools: [{ authorization: words, headers: { 'x-any': 'open sesame now' } }],
      mcp: { authorization_token: 'per aspera ad astra' },
    };
    for (const quoted of [words, 'open sesame now', 'ad astra', KEY]) {
      const message = `I do not like ${quoted}.`;
      const error = {
        type: 'error',
        object: 'error',
        message,
        error: { type: 'invalid_request_error', code: null, message },
      };
      const outcome = await pass(provider, format, JSON.stringify({ model: 'm', ...secrets }), {
        status: 400,
        body: JSON.stringify(
          provider === 'gemini' ? [{ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }] : error,
        ),
      });
      expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_rejected_request', billable: false });
      expect(JSON.stringify(outcome)).not.toMatch(/horse|sesame|astra|Zq8/);
    }
  });

  test.each<[string, PlannedAnswer, string]>([
    ['no answer of the format', { body: '{"hello":1}' }, 'unavailable'],
    ['no JSON', { body: '<html>' }, 'unavailable'],
    ['a limit', { status: 429, body: '{}', headers: { 'retry-after': '7' } }, 'throttled'],
    ['a failure', { status: 500, body: '{}' }, 'unavailable'],
  ])('%s is no answer', async (_, answer, kind) => {
    expect((await pass(provider, format, raw, answer)).kind).toBe(kind);
  });
});

test('a response that failed at its provider is judged by its error, and costs what it says', async () => {
  const failed = { object: 'response', status: 'failed', error: { code: 'server_error', message: 'Sorry.' } };
  const answer = { body: JSON.stringify({ ...failed, usage: null }) };
  expect(await pass('openai', 'openai.responses', '{}', answer)).toMatchObject({
    kind: 'unavailable',
    billable: false,
  });
});

test.each([
  ['no figure', undefined, null],
  ['none of its own', {}, { inputTokens: null, outputTokens: 0 }],
  ['a zero, which no text comes to', { prompt_tokens: 0 }, { inputTokens: null, outputTokens: 0 }],
  ['no number', { prompt_tokens: 'x' }, { inputTokens: null, outputTokens: 0 }],
])('of embeddings with %s what was read is unknown', async (_, usage, used) => {
  const body = JSON.stringify({ object: 'list', data: [{ embedding: [1, 0] }], usage });
  const outcome = await pass('openai', 'openai.embeddings', '{}', { body });
  expect(outcome).toMatchObject({ kind: 'completed', usage: used });
});

test('an answer without vectors, and a count that is none, is no answer', async () => {
  for (const body of ['{"data":[]}', '{"data":[{}]}', '{"data":[{"embedding":1}]}'])
    expect((await pass('openai', 'openai.embeddings', '{}', { body })).kind).not.toBe('completed');
  for (const body of ['{"input_tokens":-1}', '{"input_tokens":"9"}', '{}'])
    expect((await pass('anthropic', 'anthropic.count_tokens', '{}', { body })).kind).not.toBe('completed');
});

test('a tool that the provider ran makes a response’s price unknown', async () => {
  const whole = JSON.parse(WHOLE_ANSWERS['/v1/responses']) as { output: object[] };
  const searched = { ...whole, output: [{ type: 'web_search_call', id: 'w' }, ...whole.output] };
  const outcome = await pass('openai', 'openai.responses', '{}', { body: JSON.stringify(searched) });
  expect(outcome).toMatchObject({ kind: 'completed', usage: { offList: true } });
});

test('a provider that does not speak a format is not called with it', async () => {
  for (const [provider, format] of [
    ['anthropic', 'openai.chat'],
    ['openai', 'anthropic.messages'],
    ['groq', 'openai.responses'],
    ['groq', 'openai.embeddings'],
    ['openai', 'anthropic.count_tokens'],
    ['bedrock', 'openai.chat'],
  ] as const) {
    expect(await pass(provider, format, '{}')).toMatchObject({
      kind: 'rejected',
      code: 'internal_error',
      billable: false,
    });
  }
  expect(server.calls).toEqual([]);
});
