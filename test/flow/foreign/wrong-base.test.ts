/** Unmodified SDKs at a wrong base URL are told the right one, and reach nothing of the gateway's own. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectNothingRan } from '../../support/clients/refusal.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
});
afterAll(async () => {
  if (gateway) await expectNothingRan(gateway);
  await gateway?.stop();
});

const address = (): string => gateway.apis[0]?.url ?? '';
const caught = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    (answer) => ({ answer }),
    (error: unknown) => error,
  );
const openai = (base: string, apiKey: string): OpenAI =>
  new OpenAI({ apiKey, baseURL: address() + base, maxRetries: 0 });
const anthropic = (base: string, apiKey: string): Anthropic =>
  new Anthropic({ apiKey, baseURL: address() + base, maxRetries: 0 });
const ASKED = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }] };

const OPENAI_CALLS: Record<string, (client: OpenAI) => PromiseLike<unknown>> = {
  'chat.completions.create': (client) => client.chat.completions.create(ASKED),
  'responses.create': (client) => client.responses.create({ model: 'm', input: 'Hello' }),
  'embeddings.create': (client) => client.embeddings.create({ model: 'm', input: 'Hello' }),
  'models.list': (client) => client.models.list(),
  'models.retrieve': (client) => client.models.retrieve('m'),
  'files.list': (client) => client.files.list(),
  'batches.list': (client) => client.batches.list(),
  'batches.retrieve': (client) => client.batches.retrieve('batch_1'),
  'batches.cancel': (client) => client.batches.cancel('batch_1'),
  'batches.create': (client) =>
    client.batches.create({ input_file_id: 'f', endpoint: '/v1/chat/completions', completion_window: '24h' }),
};
const ANTHROPIC_CALLS: Record<string, (client: Anthropic) => PromiseLike<unknown>> = {
  'messages.create': (client) => client.messages.create({ ...ASKED, max_tokens: 10 }),
  'messages.countTokens': (client) => client.messages.countTokens(ASKED),
  'messages.batches.list': (client) => client.messages.batches.list(),
  'models.list': (client) => client.models.list(),
  // What older SDKs have as completions.create.
  'POST /v1/complete': (client) => client.post('/v1/complete', { body: { model: 'm', prompt: 'Hello' } }),
};

describe.each([
  ['a good key', KEYS.acme],
  ['a wrong key', 'sk-ant-or-other-key-0001'],
])('with %s', (_, key) => {
  describe.each(['', '/v1', '/openai', '/openai/v1/v1', '/anthropic/v1'])('openai at %j', (base) => {
    test.each(Object.entries(OPENAI_CALLS))('%s', async (_call, make) => {
      const error = await caught(make(openai(base, key)));
      expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(error).toMatchObject({ code: 'not_found', message: expect.stringContaining('/openai/v1 ') });
    });
  });

  describe.each(['', '/v1', '/anthropic/v1', '/openai', '/openai/v1'])('anthropic at %j', (base) => {
    test.each(Object.entries(ANTHROPIC_CALLS))('%s', async (_call, make) => {
      const error = await caught(make(anthropic(base, key)));
      expect(error).toBeInstanceOf(Anthropic.NotFoundError);
      expect(error).toMatchObject({ type: 'not_found_error', message: expect.stringContaining('/anthropic ') });
    });
  });
});

test.each([
  ['POST', '/v1/chat/completions', '/openai/v1 '],
  ['POST', '/chat/completions', '/openai/v1 '],
  ['POST', '/v1/responses', '/openai/v1 '],
  ['GET', '/v1/models', '/openai/v1 '],
  ['POST', '/v1/messages', '/anthropic '],
  ['POST', '/v1/messages/batches', '/anthropic '],
  ['POST', '/anthropic/messages', '/anthropic '],
])(
  '%s %s of any other client is answered with the base URL too, with a key and without',
  async (method, path, base) => {
    for (const key of [KEYS.acme, '']) {
      const { status, body } = await gateway.call(method, path, { key });
      expect({ status, body }).toMatchObject({
        status: 404,
        body: { error: { message: expect.stringContaining(base) } },
      });
    }
  },
);

test('the gateway’s own calls stay open to clients that are nobody’s SDK, and to SDKs that make them on purpose', async () => {
  expect((await gateway.call('GET', '/v1/batches')).status).toBe(200);
  expect(await openai('/v1', KEYS.acme).get('/jobs')).toMatchObject({ object: 'list' });
});
