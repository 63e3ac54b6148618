import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectNothingRan, expectRefusal, HELLO, type Refusal } from '../../support/clients/refusal.ts';
import { exchange, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

const WRONG = 'wrong-platform-key-0001';

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  gateway = await startGateway({ workers: 1, sandbox: { record: { limit: 10, keys: 'clear' } } });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());
afterEach(() => expectNothingRan(gateway));

const CALLS = [
  'POST /v1/complete',
  'GET /v1/jobs',
  'GET /v1/jobs/job_0',
  'DELETE /v1/jobs/job_0',
  'POST /v1/jobs/job_0/cancel',
  'GET /v1/usage',
  'GET /v1/no-such-path',
  'PUT /v1/complete',
  'GET /v1',
];

const MISSING: Refusal = { status: 401, code: 'missing_api_key', param: 'X-API-Key', message: /X-API-Key/ };
const INVALID: Refusal = { status: 401, code: 'invalid_api_key', param: 'X-API-Key' };
const twice = (param: string): Refusal => ({ status: 400, code: 'invalid_header', param, message: /only once/ });
const DIFFERENT: Refusal = { status: 400, code: 'invalid_header', param: 'Authorization', message: /different keys/ };
const NO_BEARER: Refusal = { status: 400, code: 'invalid_header', param: 'Authorization', message: /Bearer/ };

const REFUSED: [string, string[], Refusal][] = [
  ['no key', [], MISSING],
  ['an empty key', ['X-API-Key:'], MISSING],
  ['a key of blanks', ['X-API-Key: \t '], MISSING],
  ['a wrong key', [`X-API-Key: ${WRONG}`], INVALID],
  ['a key with one more character', [`X-API-Key: ${KEYS.acme}1`], INVALID],
  ['a key in another letter case', [`X-API-Key: ${KEYS.acme.toUpperCase()}`], INVALID],
  ['a key of foreign letters', ['X-API-Key: cl\xe9-cl\xe9-cl\xe9-cl\xe9-cl\xe9'], INVALID],
  ['a key of a managed form', ['X-API-Key: gk_00000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'], INVALID],
  ['a wrong bearer token', [`Authorization: Bearer ${WRONG}`], { ...INVALID, param: 'Authorization' }],
  [
    'both headers with the same wrong key',
    [`X-API-Key: ${WRONG}`, `Authorization: Bearer ${WRONG}`],
    { ...INVALID, param: 'Authorization' },
  ],
  ['both headers with different keys', [`X-API-Key: ${KEYS.acme}`, `Authorization: Bearer ${KEYS.beta}`], DIFFERENT],
  ['an empty key beside a good token', ['X-API-Key:', `Authorization: Bearer ${KEYS.acme}`], DIFFERENT],
  ['a good key beside basic authentication', [`X-API-Key: ${KEYS.acme}`, 'Authorization: Basic YTpi'], NO_BEARER],
  ['basic authentication', [`Authorization: Basic ${Buffer.from(`x:${KEYS.acme}`).toString('base64')}`], NO_BEARER],
  ['a token without its scheme', [`Authorization: ${KEYS.acme}`], NO_BEARER],
  ['an empty bearer token', ['Authorization: Bearer'], NO_BEARER],
  ['two words in a bearer token', [`Authorization: Bearer ${KEYS.acme} ${KEYS.acme}`], NO_BEARER],
  ['the key twice', [`X-API-Key: ${KEYS.acme}`, `X-API-Key: ${KEYS.acme}`], twice('X-API-Key')],
  ['a good key before a wrong one', [`X-API-Key: ${KEYS.acme}`, `x-api-key: ${WRONG}`], twice('X-API-Key')],
  [
    'the bearer token twice',
    [`Authorization: Bearer ${KEYS.acme}`, `authorization: Bearer ${KEYS.acme}`],
    twice('Authorization'),
  ],
];

describe.each(CALLS)('%s is refused before anything else is looked at, with', (line) => {
  test.each(REFUSED)('%s', async (_, headers, refusal) => {
    const answer = await exchange(url, request(line, ['Content-Type: text/plain', ...headers], '{'));
    expectRefusal(answer, refusal);
    expect(JSON.stringify(answer.body)).not.toContain(KEYS.acme);
    expect(JSON.stringify(answer.body)).not.toContain(WRONG);
    expect(answer.headers.has('allow')).toBe(false);
  });
});

test('a key in the query counts for nothing', async () => {
  for (const name of ['api_key', 'X-API-Key', 'key', 'access_token']) {
    expectRefusal(await exchange(url, request(`GET /v1/jobs?${name}=${KEYS.acme}`)), MISSING);
  }
});

test.each([
  ['X-API-Key', [`X-API-Key: ${KEYS.acme}`]],
  ['a header name in lower case', [`x-api-key: ${KEYS.acme}`]],
  ['a header name in upper case', [`X-API-KEY: ${KEYS.acme}`]],
  ['blanks around the value', [`X-API-Key:   ${KEYS.acme}\t`]],
  ['a bearer token', [`Authorization: Bearer ${KEYS.acme}`]],
  ['a scheme in another letter case', [`AUTHORIZATION: bEARER ${KEYS.acme}`]],
  ['the same key in both headers', [`X-API-Key: ${KEYS.acme}`, `Authorization: Bearer ${KEYS.acme}`]],
])('%s authenticates the tenant', async (_, headers) => {
  const { status, body } = await exchange(url, request('GET /v1/usage', headers));
  expect(status).toBe(200);
  expect(body).toMatchObject({ tenant: 'acme' });
});

describe('a vendor’s own SDK reads our errors:', () => {
  const caught = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => error,
    );

  test('openai', async () => {
    const client = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: WRONG, maxRetries: 0 });
    const error = await caught(client.models.list());
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      type: 'authentication_error',
      param: 'Authorization',
      message: expect.stringMatching(/^401 This platform key is not valid\. It is unknown, revoked or expired; ask/),
      requestID: expect.stringMatching(/^req_/),
    });
  });

  test('anthropic', async () => {
    const client = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: WRONG, maxRetries: 0 });
    const error = await caught(
      client.messages.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'Hello!' }] }),
    );
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(error).toMatchObject({
      status: 401,
      error: {
        error: { type: 'authentication_error', message: expect.stringMatching(/^This platform key is not valid\./) },
      },
    });
  });
});

test('without authentication only the operations answer', async () => {
  expect(await exchange(url, request('GET /healthz'))).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await exchange(url, request('GET /readyz'))).toMatchObject({ status: 200, body: { status: 'ready' } });
  expectRefusal(
    await exchange(url, request('POST /v1/complete', ['Content-Type: application/json'], JSON.stringify(HELLO))),
    MISSING,
  );
});
