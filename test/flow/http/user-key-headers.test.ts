import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { USER_PROVIDERS } from '../../../providers/catalogue.ts';
import { anyOf } from '../../../shared/domain/wording/any-of.ts';
import { expectNothingRan, expectRefusal, HELLO, type Received, type Refusal } from '../../support/clients/refusal.ts';
import { exchange, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

// No 6 characters of it are a word of ours.
const TAIL = 'Qz7Lk2Vw9Xb4Tn8Rj5Hm3Pc6';
const OPENAI = `sk-proj-${TAIL}`;
const ANTHROPIC = `sk-ant-api03-${TAIL}`;
const WINDOWS = Array.from({ length: TAIL.length - 5 }, (_, at) => TAIL.slice(at, at + 6));

const REQUIRED: Refusal = {
  status: 400,
  code: 'user_provider_required',
  param: 'X-User-Provider',
  message: new RegExp(anyOf(USER_PROVIDERS)),
};
const UNKNOWN: Refusal = {
  status: 400,
  code: 'user_provider_unknown',
  param: 'X-User-Provider',
  message: new RegExp(anyOf(USER_PROVIDERS)),
};
const NO_KEY: Refusal = { status: 400, code: 'user_key_required', param: 'X-User-API-Key', message: /leave both out/ };
const malformed = (message: RegExp): Refusal => ({
  status: 400,
  code: 'user_key_malformed',
  param: 'X-User-API-Key',
  message,
});
const FORM = /16 to 400 letters, digits/;
const BROKEN: Refusal = { status: 400, code: 'invalid_header', param: null, message: /well-formed/ };

const key = (value: string): string => `X-User-API-Key: ${value}`;
const provider = (value: string): string => `X-User-Provider: ${value}`;

const WRONG: [string, string[], Refusal][] = [
  ['a key without provider', [key(OPENAI)], REQUIRED],
  ['an empty key without provider', ['X-User-API-Key:'], REQUIRED],
  ['a key with an empty provider', [key(OPENAI), 'X-User-Provider:'], REQUIRED],
  ['an empty provider alone', ['X-User-Provider:'], REQUIRED],
  ['both empty', ['X-User-API-Key:', 'X-User-Provider:'], REQUIRED],
  ['the platform’s own provider', [key(OPENAI), provider('bedrock')], UNKNOWN],
  ['a provider in upper case', [key(OPENAI), provider('OpenAI')], UNKNOWN],
  ['a hostile provider', [key(OPENAI), provider('__proto__')], UNKNOWN],
  ['an unknown provider without key', [provider('cohere')], UNKNOWN],
  ['the key as provider', [key(OPENAI), provider(OPENAI)], UNKNOWN],
  ['the provider twice', [key(OPENAI), provider('openai'), provider('openai')], UNKNOWN],
  ['two providers', [key(OPENAI), provider('openai'), provider('anthropic')], UNKNOWN],
  ['openai without key', [provider('openai')], NO_KEY],
  ['anthropic without key', [provider('anthropic')], NO_KEY],
  ['an empty key', ['X-User-API-Key:', provider('openai')], malformed(/is empty/)],
  ['a key of blanks', ['X-User-API-Key: \t ', provider('openai')], malformed(/is empty/)],
  ['the key twice', [key(OPENAI), key(OPENAI), provider('openai')], malformed(FORM)],
  ['the key and an empty one', [key(OPENAI), 'x-user-api-key:', provider('openai')], malformed(FORM)],
  ['two keys', [key(OPENAI), key(ANTHROPIC), provider('openai')], malformed(FORM)],
  ['a short key', [key(`sk-${TAIL.slice(0, 12)}`), provider('openai')], malformed(FORM)],
  ['a long key', [key(`sk-${TAIL.repeat(17)}`), provider('openai')], malformed(FORM)],
  ['a key of 15 KiB', [key(`sk-${TAIL.repeat(640)}`), provider('openai')], malformed(FORM)],
  ['a key of no provider', [key(`xx-${TAIL}`), provider('openai')], malformed(FORM)],
  ['a key with a scheme', [key(`Bearer ${OPENAI}`), provider('openai')], malformed(FORM)],
  ['a key in quotes', [key(`"${OPENAI}"`), provider('openai')], malformed(FORM)],
  ['a key with a foreign letter', [key(`${OPENAI}\xe9`), provider('openai')], malformed(FORM)],
  ['a key with a tabulator', [key(`sk-\t${TAIL}`), provider('openai')], malformed(FORM)],
  ['an Anthropic key for openai', [key(ANTHROPIC), provider('openai')], malformed(/form of an Anthropic key/)],
  ['an OpenAI key for anthropic', [key(OPENAI), provider('anthropic')], malformed(/form of an OpenAI key/)],
  ['an OpenAI admin key', [key(`sk-admin-${TAIL}`), provider('openai')], malformed(/admin key.*project key/)],
  ['an Anthropic admin key', [key(`sk-ant-admin01-${TAIL}`), provider('anthropic')], malformed(/admin key.*API key/)],
  ['an Anthropic OAuth token', [key(`sk-ant-oat01-${TAIL}`), provider('anthropic')], malformed(/OAuth token.*API key/)],
  [
    'an Anthropic refresh token',
    [key(`sk-ant-ort01-${TAIL}`), provider('anthropic')],
    malformed(/OAuth token.*API key/),
  ],
  ['an Anthropic login', [key(`sk-ant-sid01-${TAIL}`), provider('anthropic')], malformed(/login.*API key/)],
  ['a key with NUL', [key(`${OPENAI}\0`), provider('openai')], BROKEN],
  ['a key with a line feed', [key(`${OPENAI}\nX-Injected: 1`), provider('openai')], BROKEN],
  ['a key with a carriage return', [key(`${OPENAI}\r${TAIL}`), provider('openai')], BROKEN],
  ['a key with an escape', [key(`${OPENAI}\x1b[2J`), provider('openai')], BROKEN],
  ['a key on a folded line', [key(`sk-\r\n ${TAIL}`), provider('openai')], BROKEN],
  ['a key in a header name', [`X-User-API-Key-${TAIL}\0: 1`, provider('openai')], BROKEN],
];

let gateway: TestGateway;
let url: string;
const answers: Received[] = [];
beforeAll(async () => {
  gateway = await startGateway({ workers: 1, sandbox: { record: { limit: 10, keys: 'clear' } } });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());
afterEach(() => expectNothingRan(gateway));

const post = async (headers: string[], body: string): Promise<Received> => {
  const answer = await exchange(
    url,
    request('POST /v1/complete', [`X-API-Key: ${KEYS.acme}`, 'Content-Type: application/json', ...headers], body),
  );
  answers.push(answer);
  return answer;
};

describe('a request that tried to bring a key runs on no other, with', () => {
  test.each(WRONG)('%s', async (_, headers, refusal) => {
    expectRefusal(await post(headers, JSON.stringify({ model: 'gpt-4o', ...HELLO })), refusal);
  });
});

test('a model must be named with a user’s key', async () => {
  const answer = await post([key(OPENAI), provider('openai')], JSON.stringify(HELLO));
  expectRefusal(answer, { status: 400, code: 'invalid_body', param: 'model', message: /required with X-User-API-Key/ });
});

test('a user’s key in body or query is refused, and not shown', async () => {
  const withKey = (place: object): string => JSON.stringify({ ...HELLO, ...place });
  for (const name of [OPENAI, TAIL]) {
    expectRefusal(await post([], withKey({ [name]: 1 })), { status: 400, code: 'invalid_body' });
    expectRefusal(await post([], withKey({ metadata: { [name]: 1 } })), { status: 400, code: 'invalid_body' });
    expectRefusal(await post([], withKey({ model: `!${name}` })), {
      status: 400,
      code: 'invalid_body',
      param: 'model',
    });
    expectRefusal(await post([], withKey({ messages: [{ role: name, content: name }] })), {
      status: 400,
      code: 'invalid_body',
    });
  }
  expectRefusal(await post([], withKey({ user_api_key: OPENAI })), {
    status: 400,
    code: 'invalid_body',
    param: 'user_api_key',
  });
  for (const query of [`user_api_key=${OPENAI}`, `${OPENAI}=1`, `wait=${OPENAI}`]) {
    for (const line of ['POST /v1/complete', 'GET /v1/jobs', 'GET /v1/usage', 'GET /v1/jobs/job_0']) {
      const answer = await exchange(url, request(`${line}?${query}`, [`X-API-Key: ${KEYS.acme}`]));
      answers.push(answer);
      expectRefusal(answer, { status: 400, code: 'invalid_query' });
    }
  }
});

test('no 6 characters of a key ever came back, nor went to the log', async () => {
  const api = gateway.apis[0];
  // The line of the last request is the last one to wait for.
  const { headers } = await exchange(url, request(`GET /v1/jobs/${OPENAI}`, [`X-API-Key: ${KEYS.acme}`, key(OPENAI)]));
  await until('the log has it', () => api?.log.some(({ request_id }) => request_id === headers.get('x-request-id')));
  expect(answers.length).toBeGreaterThan(WRONG.length);
  const said = answers.map((answer) => JSON.stringify([[...answer.headers], answer.body]));
  const everything = [...said, JSON.stringify(api?.log), ...(api?.otherOutput ?? [])].join('\n');
  expect(WINDOWS.filter((window) => everything.includes(window))).toEqual([]);
});
