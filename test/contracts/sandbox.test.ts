/** The sandbox's own promises: the steering that people use by hand, and what it takes and records. */
import { fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { manifestOf, PROVIDERS, type Provider } from '../../providers/catalogue.ts';
import { VENDOR_NAMES } from '../../providers/openai-compatible/vendors.ts';
import { createProviders } from '../../providers/registry.ts';
import { parseDirectives } from '../../sandbox/directives.ts';
import { sampleOf } from '../../sandbox/sample.ts';
import { createSandbox, type Sandbox, type SandboxOptions } from '../../sandbox/server.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { Secret } from '../../shared/keys/secret.ts';

const answerForm = z.object({ choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]) });

const open: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((sandbox) => sandbox.close()));
});

const start = async (options: SandboxOptions = {}): Promise<Sandbox> => {
  const sandbox = await createSandbox({ delayMs: 0, ...options });
  open.push(sandbox);
  return sandbox;
};

const say = (sandbox: Sandbox, content: string, key = 'sk-user-sample') =>
  fetch(`${sandbox.providerUrls.openai}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'model-1', messages: [{ role: 'user', content }] }),
  });

describe('directives', () => {
  test.each([
    ['Hello.', {}],
    ['Hello sandbox: how are you?', {}],
    ['sandbox:status=429 retry-after=2 times=1', { status: 429, 'retry-after': 2, times: 1 }],
    ['Please sandbox:fail=cut and tell a=b', { fail: 'cut' }],
    ['sandbox:delay=5000\nfinish=length', { delay: 5000 }],
  ])('%j means %o', (prompt, expected) => {
    expect(parseDirectives(prompt)).toEqual(expected);
  });
});

test.each([
  ['sandbox:status=200', 'does not take this value of status'],
  ['sandbox:status=429 fail=often', 'does not take this value of fail'],
  ['sandbox:fial=cut', 'does not know the directive fial'],
])('%s is refused by name, not passed over', async (prompt, problem) => {
  const answer = await say(await start(), prompt);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain(`The sandbox ${problem};`);
});

test('times=2 fails two calls with the same text, lets the third pass, and begins anew', async () => {
  const sandbox = await start();
  const statuses: number[] = [];
  for (let call = 0; call < 4; call++) statuses.push((await say(sandbox, 'sandbox:status=503 times=2')).status);
  expect(statuses).toEqual([503, 503, 200, 503]);
});

test('the same request has the same answer, which says that it is the sandbox’s', async () => {
  const sandbox = await start();
  const texts: string[] = [];
  for (let call = 0; call < 2; call++) {
    const { choices } = answerForm.parse(await (await say(sandbox, 'Hello.')).json());
    texts.push(choices[0].message.content);
  }
  expect(texts[0]).toContain('sandbox');
  expect(texts[1]).toBe(texts[0]);
});

test('only the documented sample keys are taken, and a refusal shows the ends of a key as OpenAI does', async () => {
  const sandbox = await start();
  expect((await say(sandbox, 'Hello.', 'sk-user-anything')).status).toBe(200);
  const refused = await say(sandbox, 'Hello.', 'sk-proj-0123456789abcdef');
  expect(refused.status).toBe(401);
  expect(await refused.text()).toMatch(/sk-proj-\*+cdef/);
});

describe('what a real provider refuses', () => {
  const MODELS = {
    openai: ['gpt-4o', 'gpt-4o-mini', 'gpt-5-mini', 'ft:gpt-4o-2024-08-06:acme:bot:9x'],
    anthropic: ['claude-sonnet-4-5', 'claude-opus-5', 'claude-3-haiku-20240307'],
    bedrock: [
      'amazon.nova-lite-v1:0',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2',
    ],
  } as const;
  const modelsOf = (provider: Provider): readonly string[] =>
    provider in MODELS ? MODELS[provider as keyof typeof MODELS] : [manifestOf(provider).model];

  /** Through the gateway's own adapters, as a newcomer's request goes. */
  const complete = async (sandbox: Sandbox, provider: Provider, request: Partial<CompletionRequest>) => {
    const adapters = createProviders({
      urls: sandbox.providerUrls,
      awsRegion: 'us-east-1',
      bedrockAuth: { kind: 'access_key', accessKeyId: 'AKIASANDBOX', secretAccessKey: new Secret('secret') },
    });
    const manifest = manifestOf(provider);
    const key = manifest.account === 'user' ? manifest.keys.sample : null;
    const outcome = await adapters[provider].complete({
      request: { model: modelsOf(provider)[0] ?? '', messages: [{ role: 'user', content: 'Hello.' }], ...request },
      userKey: key === null ? null : new Secret(key),
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    await Promise.all(Object.values(adapters).map((adapter) => adapter.close()));
    return outcome;
  };
  const refused = (status: number, detail: string) => ({
    kind: 'rejected',
    code: 'provider_rejected_request',
    providerStatus: status,
    detail: expect.stringContaining(detail),
  });

  test.each(PROVIDERS)('%s has its own models, and those that tests make up', async (provider) => {
    const sandbox = await start();
    for (const model of [...modelsOf(provider), 'model-1']) {
      expect(await complete(sandbox, provider, { model }), model).toMatchObject({ kind: 'completed' });
    }
  });

  test.each([
    ['openai', 404, 'does not exist or you do not have access to it'],
    ['anthropic', 404, 'model: '],
    ['bedrock', 400, 'The provided model identifier is invalid.'],
    ...VENDOR_NAMES.map((vendor) => [vendor, 404, 'does not exist'] as const),
  ] as const)('%s refuses others with %i, in its own words', async (provider, status, words) => {
    const sandbox = await start();
    const others = PROVIDERS.filter((other) => manifestOf(other).priceList !== manifestOf(provider).priceList).flatMap(
      (other) => modelsOf(other).slice(0, 2),
    );
    for (const model of [
      'gpt-4o-in-my-dreams',
      'constructor',
      ...others.filter((name) => !/\.claude|^claude/.test(name)),
    ]) {
      expect(await complete(sandbox, provider, { model }), model).toMatchObject(refused(status, words));
    }
  });

  test.each<[Provider, Partial<CompletionRequest>, string]>([
    ['openai', { model: 'gpt-5-mini', temperature: 0.5 }, "'temperature' does not support 0.5 with this model"],
    ['openai', { model: 'gpt-4o', max_tokens: 16_385 }, 'supports at most 16384 completion tokens'],
    ['anthropic', { temperature: 1.5 }, 'temperature: range: 0..1'],
    ['anthropic', { model: 'claude-3-haiku-20240307', max_tokens: 4_097 }, 'max_tokens: 4097 > 4096'],
    ['bedrock', { temperature: 1.1 }, 'Member must have value less than or equal to 1'],
    ['mistral', { temperature: 1.6 }, 'is not between 0 and 1.5'],
    ['mistral', { messages: [{ role: 'assistant', content: 'So' }] }, 'Expected last role User'],
  ])('%s refuses %o', async (provider, request, words) => {
    expect(await complete(await start(), provider, request)).toMatchObject(refused(400, words));
  });

  test.each([
    ['openai', { model: 'gpt-4o', temperature: 2, max_tokens: 16_384 }],
    ['openai', { model: 'gpt-5-mini', temperature: 1 }],
    ['anthropic', { temperature: 1, max_tokens: 64_000 }],
    ['bedrock', { temperature: 1, max_tokens: 1_000 }],
    ['mistral', { temperature: 1.5, max_tokens: 1_000 }],
    ['gemini', { temperature: 2, max_tokens: 1_000 }],
    ['groq', { temperature: 2, max_tokens: 1_000 }],
  ] as const)('%s takes %o', async (provider, request) => {
    expect(await complete(await start(), provider, request)).toMatchObject({ kind: 'completed' });
  });

  test('with the keys of tests, tests may name any model', async () => {
    const sandbox = await start({ acceptAnyKey: true });
    expect(await complete(sandbox, 'openai', { model: 'nobody-knows-this' })).toMatchObject({ kind: 'completed' });
  });
});

test('with any delay, delay=0 answers at once', async () => {
  expect((await say(await start({ delayMs: 600_000 }), 'sandbox:delay=0')).status).toBe(200);
});

test('calls are recorded up to the limit, with keys as digests unless asked for in clear', async () => {
  const sandbox = await start({ record: { limit: 2, keys: 'digest' } });
  for (const text of ['One.', 'Two.', 'Three.']) await say(sandbox, text);
  const digest = createHash('sha256').update('sk-user-sample').digest('hex');
  await vi.waitFor(() => expect(sandbox.calls.at(-1)?.completed).toBe(true));
  expect(sandbox.calls.map(({ key, model }) => ({ key, model }))).toEqual(
    Array(2).fill({ key: digest, model: 'model-1' }),
  );
});

test('as a process it says where it listens, and ends with its parent', async () => {
  const env = { ...process.env, SANDBOX_DELAY_MS: '0' };
  const child = fork('sandbox/main.ts', ['0'], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [message] = await once(child, 'message');
  expect(message).toMatchObject({
    type: 'listening',
    providerUrls: { openai: expect.stringMatching(/\/openai\/v1$/) },
  });
  const ended = once(child, 'exit');
  child.disconnect();
  expect(await ended).toEqual([0, null]);
});

test.each([
  ['SANDBOX_PORT', '65535'],
  ['SANDBOX_DELAY_MS', '600000'],
])('as a process it says what is wrong with %s, and does not start', (name, most) => {
  for (const value of ['-1', '0.5', String(Number(most) + 1)]) {
    const env = { ...process.env, [name]: value };
    const { status, stderr } = spawnSync(process.execPath, ['sandbox/main.ts'], { env, encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      1,
      `sandbox: ${name} must be a whole number from 0 to ${most}, in digits only\n`,
    ]);
  }
});

test.each([
  [
    { type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer', minimum: 3 } } },
    { a: 'sandbox', b: 3 },
  ],
  [{ type: ['null', 'string'] }, null],
  [{ enum: ['x', 'y'] }, 'x'],
  [{ const: 7 }, 7],
  [{ type: 'array', items: { anyOf: [{ type: 'boolean' }, {}] } }, [true]],
  [{ $ref: '#/$defs/a', $defs: { a: { type: 'number' } } }, 1],
  [{}, 'sandbox'],
])('a form %o is filled in always the same', (schema, value) => {
  expect(sampleOf(schema)).toEqual(value);
});

test('a form that holds itself many times over ends', () => {
  const inner = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`p${index}`, { $ref: '#' }]));
  expect(JSON.stringify(sampleOf({ type: 'object', properties: inner })).length).toBeLessThan(100_000);
});

describe('embeddings', () => {
  const KEYS_AND_MODELS = [
    ['openai', 'text-embedding-3-small', 'sk-user-sample'],
    ['gemini', 'gemini-embedding-001', 'AQ.user-gemini-key'],
    ['mistral', 'mistral-embed', 'usermistralsamplekey000000000000'],
  ] as const;
  const clientOf = (sandbox: Sandbox, provider: Provider, apiKey: string): OpenAI =>
    new OpenAI({ apiKey, baseURL: sandbox.providerUrls[provider], maxRetries: 0 });

  test.each(KEYS_AND_MODELS)(
    'of %s are what the SDK asks for, as numbers or in base64',
    async (provider, model, key) => {
      const client = clientOf(await start(), provider, key);
      const input = ['Hello', 'world'];
      const decoded = await client.embeddings.create({ model, input });
      const plain = await client.embeddings.create({ model, input, encoding_format: 'float' });
      const raw = (await (await client.embeddings.create({ model, input }).asResponse()).json()) as typeof decoded;
      expect(raw.data[0]?.embedding).toEqual(expect.any(String));
      expect(decoded).toEqual({ ...plain, data: expect.anything() });
      for (const [index, { embedding }] of decoded.data.entries()) {
        expect(embedding).toHaveLength(1_536);
        expect([...embedding]).toEqual(plain.data[index]?.embedding);
        expect(Math.hypot(...embedding)).toBeCloseTo(1, 4);
      }
      expect(decoded.data[0]?.embedding).not.toEqual(decoded.data[1]?.embedding);
      expect(decoded.usage).toEqual({ prompt_tokens: 4, total_tokens: 4 });
    },
  );

  test('of tokens count them, and have the size that is asked for', async () => {
    const client = clientOf(await start(), 'openai', 'sk-user-sample');
    const answer = await client.embeddings.create({
      model: 'text-embedding-3-small',
      input: [[1, 2], [3]],
      dimensions: 8,
    });
    expect(answer).toMatchObject({ data: [{ index: 0 }, { index: 1 }], usage: { prompt_tokens: 3 } });
    expect(answer.data[0]?.embedding).toHaveLength(8);
  });

  test.each([
    ['no input', {}],
    ['an empty text', { input: '' }],
    ['no texts', { input: [] }],
    ['more than 2,048 texts', { input: Array.from({ length: 2_049 }, () => 'x') }],
    ['a model that there is not', { input: 'x', model: 'no-such' }],
    ['a directive', { input: 'sandbox:status=400' }],
  ])('with %s are refused', async (_, body) => {
    const client = clientOf(await start(), 'openai', 'sk-user-sample');
    const asked = client.post('/embeddings', { body: { model: 'text-embedding-3-small', ...body } });
    await expect(asked).rejects.toMatchObject({ status: 'model' in body ? 404 : 400 });
  });

  test('Groq has none', async () => {
    const client = clientOf(await start(), 'groq', 'gsk_user_groq_key');
    await expect(client.embeddings.create({ model: 'm', input: 'x' })).rejects.toMatchObject({ status: 404 });
  });
});

test('a count of tokens is one for the SDK', async () => {
  const sandbox = await start();
  const client = new Anthropic({
    apiKey: 'sk-ant-user-anthropic-key',
    baseURL: sandbox.providerUrls.anthropic,
    maxRetries: 0,
  });
  const model = 'claude-opus-4-8';
  const count = await client.messages.countTokens({ model, messages: [{ role: 'user', content: 'Hello' }] });
  expect(count).toEqual({ input_tokens: expect.any(Number) });
  await expect(client.messages.countTokens({ model, messages: [] })).rejects.toMatchObject({ status: 400 });
});
