/** What the sandbox breaks off when it is told to, as the gateway's own adapters find it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { perProvider, type UserProvider, userManifestOf } from '../../../providers/catalogue.ts';
import { createProviders } from '../../../providers/registry.ts';
import { createSandbox, type Sandbox } from '../../../sandbox/server.ts';
import { Secret } from '../../../shared/keys/secret.ts';
import { STREAMED_FORMATS, type StreamedFormat } from '../../support/network/stream-examples.ts';

let sandbox: Sandbox;
let providers: ReturnType<typeof createProviders>;
beforeAll(async () => {
  sandbox = await createSandbox({ delayMs: 0 });
  providers = createProviders({
    urls: perProvider((provider) => sandbox.providerUrls[provider]),
    awsRegion: 'us-east-1',
    bedrockAuth: { kind: 'default_chain' },
  });
});
afterAll(async () => {
  await Promise.all(Object.values(providers).map((provider) => provider.close()));
  await sandbox.close();
});

/** When each event was handed on, in milliseconds. */
let given: number[] = [];
beforeEach(() => {
  given = [];
});

const bodyOf = (format: StreamedFormat, content: string): object => ({
  model: 'model-1',
  stream: true,
  ...(format === 'openai.responses' ? { input: content } : { messages: [{ role: 'user', content }] }),
  ...(format === 'anthropic.messages' && { max_tokens: 500 }),
});
const PROVIDERS: Record<StreamedFormat, readonly UserProvider[]> = {
  'openai.chat': ['openai', 'gemini', 'mistral', 'groq'],
  'openai.responses': ['openai'],
  'anthropic.messages': ['anthropic'],
};
const ROWS = STREAMED_FORMATS.flatMap((format) => PROVIDERS[format].map((provider) => ({ format, provider })));

describe.each(ROWS)('$format at $provider', ({ format, provider }) => {
  const say = (content: string, timeoutMs = 5_000) =>
    providers[provider].pass({
      request: { format, body: Buffer.from(JSON.stringify(bodyOf(format, content))), headers: {} },
      userKey: new Secret(userManifestOf(provider).keys.sample),
      traceparent: null,
      timeoutMs,
      signal: new AbortController().signal,
      events: { event: () => given.push(performance.now()) },
    });

  test('an answer has usage, and text in pieces', async () => {
    const outcome = await say('Hello.');
    expect(outcome).toMatchObject({
      kind: 'completed',
      usage: { inputTokens: expect.any(Number), outputTokens: expect.any(Number) },
    });
    expect(given.length).toBeGreaterThan(10);
  });

  test.each([
    ['cut', 'unavailable', 'provider_bad_response'],
    ['stall', 'timed_out', 'provider_timeout'],
    ['error-in-200', 'unavailable', 'provider_unavailable'],
  ])('fail=%s breaks off behind the events that `after` says', async (fail, kind, code) => {
    for (const after of [0, 4]) {
      given = [];
      const outcome = await say(`Hello. sandbox:fail=${fail} after=${after}`, fail === 'stall' ? 250 : 5_000);
      expect(outcome).toMatchObject({ kind, code });
      expect(given).toHaveLength(after);
    }
    given = [];
    await say(`Hello. sandbox:fail=${fail}`, fail === 'stall' ? 250 : 5_000);
    expect(given.length).toBeGreaterThan(5);
  });

  test.each([
    ['bad-json', { kind: 'unavailable', code: 'provider_bad_response' }],
    ['empty', { kind: 'unavailable', code: 'provider_bad_response' }],
    ['html', { kind: 'unavailable', code: 'provider_bad_response' }],
    ['reset', { kind: 'unavailable', code: 'provider_unavailable' }],
    ['no-usage', { kind: 'completed', usage: null }],
    ['quota', { code: 'user_key_quota_exhausted' }],
  ])('fail=%s is %o', async (fail, expected) => {
    expect(await say(`Hello. sandbox:fail=${fail}`)).toMatchObject(expected);
  });

  test('status=503 times=1 fails once, and then streams', async () => {
    expect(await say('Hello. sandbox:status=503 times=1')).toMatchObject({ code: 'provider_unavailable' });
    expect(await say('Hello. sandbox:status=503 times=1')).toMatchObject({ kind: 'completed' });
  });

  test('pause=10 is between events', async () => {
    await say('Hello. sandbox:pause=10');
    const [first = 0] = given;
    expect((given.at(-1) ?? 0) - first).toBeGreaterThan((given.length - 2) * 9);
  });
});
