/** Models as the SDKs of OpenAI and Anthropic list and retrieve them. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectNothingRan } from '../../support/clients/refusal.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
/** Of a tenant with a list of its own. */
let restricted: string;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0, env: { ADMIN_TOKEN } });
  const operator = operate(gateway);
  const tenant = await operator.tenant({ allowed_models: ['gpt-4o-mini', 'claude-opus-4-8', 'my-own/model:1'] });
  restricted = (await operator.issue(tenant)).secret;
});
afterAll(async () => {
  if (gateway) await expectNothingRan(gateway);
  await gateway?.stop();
});

const address = (): string => gateway.apis[0]?.url ?? '';
const openai = (headers: Record<string, string> = { 'X-User-API-Key': OPENAI_KEY }, apiKey: string = KEYS.acme) =>
  new OpenAI({ apiKey, baseURL: `${address()}/openai/v1`, defaultHeaders: headers, maxRetries: 0 });
const anthropic = (headers: Record<string, string> = { 'X-User-API-Key': ANTHROPIC_KEY }, apiKey: string = KEYS.acme) =>
  new Anthropic({ apiKey, baseURL: `${address()}/anthropic`, defaultHeaders: headers, maxRetries: 0 });
const GROQ = { 'X-User-API-Key': `gsk_${'a'.repeat(48)}`, 'X-User-Provider': 'groq' };
const idsOf = async (pages: AsyncIterable<{ id: string }>): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { id } of pages) ids.push(id);
  return ids;
};

describe('openai', () => {
  test('lists the models of the key’s provider', async () => {
    const page = await openai().models.list();
    expect(page.data).toContainEqual({ id: 'gpt-4o', object: 'model', created: 0, owned_by: 'openai' });
    expect(await idsOf(openai(GROQ).models.list())).toContain('meta-llama/llama-4-scout-17b-16e-instruct');
  });

  test('lists the platform’s models without one', async () => {
    const page = await openai({}).models.list();
    expect(page.data).toContainEqual(expect.objectContaining({ id: 'amazon.nova-lite-v1:0', owned_by: 'bedrock' }));
    expect(page.data.map(({ id }) => id)).not.toContain('gpt-4o');
  });

  test('retrieves a model whose name has a colon or a slash', async () => {
    expect(await openai({}).models.retrieve('amazon.nova-lite-v1:0')).toMatchObject({ id: 'amazon.nova-lite-v1:0' });
    const slashed = 'meta-llama/llama-4-scout-17b-16e-instruct';
    expect(await openai(GROQ).models.retrieve(slashed)).toMatchObject({ id: slashed, owned_by: 'groq' });
    for (const path of [slashed, encodeURIComponent(slashed)]) {
      const { status, body } = await gateway.call('GET', `/openai/v1/models/${path}`, { headers: GROQ });
      expect({ status, body }).toMatchObject({ status: 200, body: { id: slashed } });
    }
    const { body } = await gateway.call('GET', '/openai/v1/models/amazon.nova-lite-v1%3A0');
    expect(body).toMatchObject({ id: 'amazon.nova-lite-v1:0' });
  });

  test('a slash in a name opens no way to other paths', async () => {
    for (const path of ['..%2Fchat', 'a%2F..%2Fb', 'a%2F%2Fb', '%2Fa', 'a%2F%2e%2e%2Fb']) {
      const { status, body } = await gateway.call('GET', `/openai/v1/models/${path}`);
      expect({ path, status, body }).toMatchObject({ status: 400, body: { error: { code: 'invalid_path' } } });
    }
    expect((await gateway.call('GET', '/v1/jobs/a%2Fb')).status).toBe(400);
  });

  test('what is unknown or not allowed is not found, in OpenAI’s words', async () => {
    for (const [client, model] of [
      [openai(), 'no-such-model'],
      [openai(), 'amazon.nova-lite-v1:0'],
      [openai({}), 'gpt-4o'],
      [openai(undefined, restricted), 'gpt-4o'],
    ] as const) {
      const error = await client.models.retrieve(model).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(error).toMatchObject({ code: 'not_found', param: 'model', type: 'invalid_request_error' });
    }
  });

  test('a tenant’s own list is what it sees', async () => {
    expect(await idsOf(openai(undefined, restricted).models.list())).toEqual(['gpt-4o-mini', 'my-own/model:1']);
    expect(await openai(undefined, restricted).models.retrieve('my-own/model:1')).toMatchObject({ owned_by: 'openai' });
  });

  test('a key that is none of OpenAI’s words is refused', async () => {
    const headers = { 'X-User-API-Key': ANTHROPIC_KEY, 'X-User-Provider': 'anthropic' };
    await expect(openai(headers).models.list()).rejects.toMatchObject({ status: 400, code: 'user_provider_mismatch' });
    await expect(openai({ 'X-User-API-Key': 'short' }).models.list()).rejects.toMatchObject({
      code: 'user_key_malformed',
    });
  });
});

describe('anthropic', () => {
  test('pages through the models of the key’s provider, in both directions', async () => {
    const whole = await anthropic().models.list({ limit: 1_000 });
    expect(whole).toMatchObject({ has_more: false, first_id: whole.data[0]?.id, last_id: whole.data.at(-1)?.id });
    expect(whole.data).toContainEqual({
      type: 'model',
      id: 'claude-opus-4-8',
      display_name: 'Claude Opus 4.8',
      created_at: '1970-01-01T00:00:00Z',
    });
    const all = whole.data.map(({ id }) => id);
    expect(await idsOf(anthropic().models.list({ limit: 3 }))).toEqual(all);
    const before = await anthropic().models.list({ limit: 3, before_id: all[5] ?? '' });
    expect(before).toMatchObject({ data: all.slice(2, 5).map((id) => ({ id })), has_more: true });
    const backwards: string[] = [];
    for await (const page of (await anthropic().models.list({ limit: 3, before_id: all[5] ?? '' })).iterPages())
      backwards.unshift(...page.data.map(({ id }) => id));
    expect(backwards).toEqual(all.slice(0, 5));
  });

  test('a place that is not in the list is refused', async () => {
    for (const query of [{ after_id: 'none' }, { before_id: 'none' }, { limit: 0 }, { limit: 1_001 }])
      await expect(anthropic().models.list(query)).rejects.toBeInstanceOf(Anthropic.BadRequestError);
  });

  test('retrieves one, and what is unknown is not found in Anthropic’s words', async () => {
    expect(await anthropic().models.retrieve('claude-opus-4-8')).toMatchObject({ type: 'model' });
    expect(await anthropic({}).models.retrieve('amazon.nova-lite-v1:0')).toMatchObject({ type: 'model' });
    const error = await anthropic()
      .models.retrieve('gpt-4o')
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({ type: 'not_found_error' });
    expect(await idsOf(anthropic(undefined, restricted).models.list())).toEqual(['claude-opus-4-8', 'my-own/model:1']);
  });
});
