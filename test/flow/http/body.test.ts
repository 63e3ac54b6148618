import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectNoJobs, expectRefusal, HELLO, type Refusal } from '../../support/clients/refusal.ts';
import { type Connection, exchange, openConnection, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const LIMIT = 1_048_576;
const KEY = `X-API-Key: ${KEYS.acme}`;
const JSON_TYPE = 'Content-Type: application/json';
const HELLO_TEXT = JSON.stringify(HELLO);

const NO_JSON: Refusal = { status: 400, code: 'invalid_json', param: null };
const TOO_LARGE: Refusal = {
  status: 413,
  code: 'body_too_large',
  param: null,
  message: /at most 1048576 bytes.*shorter/,
};
const TYPE: Refusal = {
  status: 415,
  code: 'unsupported_media_type',
  param: 'Content-Type',
  message: /application\/json/,
};
const CODING: Refusal = {
  status: 415,
  code: 'unsupported_media_type',
  param: 'Content-Encoding',
  message: /without Content-Encoding/,
};

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0, env: { MAX_BODY_BYTES: String(LIMIT), BODY_MEMORY_BYTES: '268435456' } });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());

/** A request of exactly so many bytes that is right in every other way. */
const bodyOf = (bytes: number): string => {
  const text = (content: string): string => JSON.stringify({ messages: [{ role: 'user', content }] });
  return text('a'.repeat(bytes - text('').length));
};
const post = (headers: string[], body: string): Promise<Parameters<typeof expectRefusal>[0]> =>
  exchange(url, request('POST /v1/complete', [KEY, ...headers], body));
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

describe('nothing runs of', () => {
  afterEach(() => expectNoJobs(gateway));

  test.each<[string, string[], Refusal]>([
    ['no type', [], TYPE],
    ['an empty type', ['Content-Type:'], TYPE],
    ['text/plain', ['Content-Type: text/plain'], TYPE],
    ['a form', ['Content-Type: application/x-www-form-urlencoded'], TYPE],
    ['JSON lines', ['Content-Type: application/x-ndjson'], TYPE],
    ['application/jsonp', ['Content-Type: application/jsonp'], TYPE],
    ['application/json+x', ['Content-Type: application/json+x'], TYPE],
    ['text/json', ['Content-Type: text/json'], TYPE],
    ['JSON in latin1', ['Content-Type: application/json; charset=latin1'], TYPE],
    ['JSON in UTF-16', ['Content-Type: application/json; charset=utf-16'], TYPE],
    ['JSON with another parameter', ['Content-Type: application/json; x=y'], TYPE],
    ['a charset that is none', ['Content-Type: application/json; charset'], TYPE],
    ['two charsets', ['Content-Type: application/json; charset=utf-8; charset=latin1'], TYPE],
    ['a quote that never ends', ['Content-Type: application/json; charset="utf-8'], TYPE],
    ['two types in one header', ['Content-Type: application/json, text/plain'], TYPE],
    ['two types', ['Content-Type: text/plain', JSON_TYPE], TYPE],
    ['gzip', [JSON_TYPE, 'Content-Encoding: gzip'], CODING],
    ['br', [JSON_TYPE, 'Content-Encoding: br'], CODING],
    ['a coding on a coding', [JSON_TYPE, 'Content-Encoding: identity, gzip'], CODING],
  ])('a body of %s', async (_, headers, refusal) => {
    expectRefusal(await post(headers, HELLO_TEXT), refusal);
  });

  const inContent = (bytes: string): string => HELLO_TEXT.replace('Hello!', bytes);
  test.each<[string, string]>([
    ['nothing', ''],
    ['a blank', ' '],
    ['half an object', '{"messages":[{"role":"user","content":"Hello!"}]'],
    ['an object and more', `${HELLO_TEXT}{}`],
    ['single quotes', HELLO_TEXT.replaceAll('"', "'")],
    ['a comment', `/**/${HELLO_TEXT}`],
    ['a comma too many', HELLO_TEXT.replace(']', ',]')],
    ['a number that is none', '{"temperature":NaN}'],
    ['a word', 'hello'],
    ['a control character in a string', inContent('a\nb')],
    ['an escape that is none', inContent('\\x41')],
    ['half a letter of UTF-8', inContent('\xc3')],
    ['a letter of latin1', inContent('caf\xe9')],
    ['an overlong letter', inContent('\xc0\xaf')],
    ['half of a pair in UTF-8', inContent('\xed\xa0\x80')],
    ['UTF-16', `\xff\xfe${Buffer.from(HELLO_TEXT, 'utf16le').toString('latin1')}`],
  ])('a body that is %s', async (_, body) => {
    expectRefusal(await post([JSON_TYPE], body), NO_JSON);
  });

  test.each<[string, string]>([
    ['33 levels of arrays', `${'['.repeat(33)}${']'.repeat(33)}`],
    ['33 levels behind a string of quotes', `["\\\\\\"[",${'['.repeat(32)}${']'.repeat(32)}]`],
    ['100,000 brackets', '['.repeat(100_000)],
  ])('a body of %s', async (_, body) => {
    expectRefusal(await post([JSON_TYPE], body), { ...NO_JSON, message: /at most 32 levels/ });
  });

  test.each<[string, string, string]>([
    ['33 levels of objects', `${'{"a":'.repeat(32)}{}${'}'.repeat(32)}`, 'a.a.a.a'],
    ['100,000 objects that never end', '{"a":'.repeat(100_000), 'a.a.a.a'],
    [
      'a schema of 200 levels',
      `{"b":"{","tools":[{},{"function":{"parameters":${'{"not":'.repeat(200)}{}${'}'.repeat(200)}}}]}`,
      'tools[1].function.parameters',
    ],
  ])('a body of %s, which is told where they are', async (_, body, param) => {
    expectRefusal(await post([JSON_TYPE], body), { ...NO_JSON, param, message: /at most 32 levels/ });
  });

  test('brackets in strings and beside each other, which are not depth', async () => {
    const beside = `{"a":"${'[{'.repeat(100)}\\"${'['.repeat(100)}","b":[${'[],'.repeat(100)}[]]}`;
    expectRefusal(await post([JSON_TYPE], beside), { status: 400, code: 'invalid_body', param: 'messages' });
    const deep = `${'['.repeat(32)}${']'.repeat(32)}`;
    expectRefusal(await post([JSON_TYPE], deep), { status: 400, code: 'invalid_body', message: /must be an object/ });
  });

  const many = (count: number, each: (index: number) => string): string =>
    Array.from({ length: count }, (_, at) => each(at)).join(',');
  test.each<[string, string]>([
    ['entries', `{"messages":[${many(500_000, () => '0')}]}`],
    ['parts', `{"messages":[{"role":"user","content":[${many(300_000, () => '{}')}]}]}`],
    ['names', `{${many(80_000, (at) => `"k${at}":0`)}}`],
    ['pairs', `{"messages":[{"role":"user","content":"a"}],"metadata":{${many(80_000, (at) => `"k${at}":0`)}}}`],
    [
      'messages with wrong parts',
      `{"messages":[${many(900, () => `{"role":"user","content":[${many(90, () => '{"a":0}')}]}`)}]}`,
    ],
    ['quotes', `"${'\\"'.repeat(500_000)}"`],
    ['backslashes', `"${'\\\\'.repeat(500_000)}`],
    ['digits', '1'.repeat(1_000_000)],
  ])('a megabyte of %s, which is judged within seconds', async (_, body) => {
    expect(body.length).toBeLessThanOrEqual(LIMIT);
    const startMs = performance.now();
    const answer = await post([JSON_TYPE], body);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(answer.body).toMatchObject({ error: { code: expect.stringMatching(/^invalid_(body|json)$/) } });
    expect(answer.status).toBe(400);
  });

  test('a body of one byte too many, declared: refused before any of it is sent', async () => {
    for (const length of [LIMIT + 1, 10 * LIMIT, Number.MAX_SAFE_INTEGER]) {
      const headers = [KEY, JSON_TYPE, `Content-Length: ${length}`];
      expectRefusal(await exchange(url, request('POST /v1/complete', headers)), TOO_LARGE);
    }
  });

  test('a body of one byte too many, in chunks: refused before it ends', async () => {
    const connection = openConnection(url);
    connection.send(request('POST /v1/complete', [KEY, JSON_TYPE, 'Transfer-Encoding: chunked']));
    connection.send(chunk(bodyOf(LIMIT)));
    connection.send(chunk(' '));
    expectRefusal(await connection.answer(), TOO_LARGE);
    connection.close();
  });

  test('a body of many megabytes, whose sender still gets the answer and can go on', async () => {
    for (let count = 0; count < 10; count++) {
      expectRefusal(await gateway.call('POST', '/v1/complete', { body: 'a'.repeat(5_000_000) }), TOO_LARGE);
      const body = new Blob(['a'.repeat(5_000_000)]).stream();
      const streamed = await fetch(`${url}/v1/complete`, {
        method: 'POST',
        headers: { 'X-API-Key': KEYS.acme, 'Content-Type': 'application/json' },
        body,
        duplex: 'half',
      });
      expectRefusal({ status: streamed.status, headers: streamed.headers, body: await streamed.json() }, TOO_LARGE);
    }
  });

  test('a body whose sender went away', async () => {
    const connection = openConnection(url);
    connection.send(
      request('POST /v1/complete', [KEY, JSON_TYPE, `Content-Length: ${HELLO_TEXT.length + 1}`]) + HELLO_TEXT,
    );
    connection.close();
    expect((await gateway.call('GET', '/healthz')).status).toBe(200);
  });
});

describe('a job is accepted of', () => {
  test.each<[string, string[]]>([
    ['application/json', [JSON_TYPE]],
    ['application/json in UTF-8', ['Content-Type: application/json; charset=utf-8']],
    ['a type in another letter case', ['content-type: Application/JSON;charset=UTF-8']],
    ['the coding that is none', [JSON_TYPE, 'Content-Encoding: identity']],
    ['a charset without its hyphen', ['Content-Type: application/json;charset=utf8']],
    ['a charset in quotes', ['Content-Type: application/json; charset="UTF-8"']],
    ['a charset with an escape in its quotes', ['Content-Type: application/json; charset="utf\\-8"']],
    ['a semicolon with nothing behind it', ['Content-Type: application/json;']],
    ['parameters that are empty', ['Content-Type: application/json ; ;charset=utf-8; ']],
    ['a parameter in another letter case', ['Content-Type: APPLICATION/json;CHARSET=Utf8']],
    ['that coding in another letter case', [JSON_TYPE, 'Content-Encoding: Identity']],
    ['that coding twice', [JSON_TYPE, 'content-encoding: identity, IDENTITY']],
    ['an empty coding', [JSON_TYPE, 'Content-Encoding:']],
  ])('%s', async (_, headers) => {
    expect((await post(headers, HELLO_TEXT)).status).toBe(202);
  });

  test('a body of exactly the limit, declared and in chunks', async () => {
    const body = bodyOf(LIMIT);
    expect(body).toHaveLength(LIMIT);
    expect((await post([JSON_TYPE], body)).status).toBe(202);
    const connection = openConnection(url);
    connection.send(request('POST /v1/complete', [KEY, JSON_TYPE, 'Transfer-Encoding: chunked']));
    for (let at = 0; at < LIMIT; at += 65_536) connection.send(chunk(body.slice(at, at + 65_536)));
    connection.send('0\r\n\r\n');
    expect((await connection.answer()).status).toBe(202);
    connection.close();
  });

  test('a body that arrives byte by byte', async () => {
    const connection = openConnection(url);
    connection.send(request('POST /v1/complete', [KEY, JSON_TYPE, `Content-Length: ${HELLO_TEXT.length}`]));
    for (const byte of HELLO_TEXT) connection.send(byte);
    expect((await connection.answer()).status).toBe(202);
    connection.close();
  });
});

test('bodies of one tenant get a quarter of the memory for bodies; one more is refused, and short ones and those of others are not', async () => {
  const begin = (tenant: keyof typeof KEYS): Connection => {
    const connection = openConnection(url);
    const headers = [`X-API-Key: ${KEYS[tenant]}`, JSON_TYPE, `Content-Length: ${LIMIT}`];
    connection.send(request('POST /v1/complete', headers) + bodyOf(LIMIT).slice(0, -1));
    return connection;
  };
  const held = Array.from({ length: 16 }, () => begin('acme'));
  const refused = await until('a body is refused', async () => {
    const another = begin('acme');
    held.push(another);
    return another.answer({ withinMs: 200 }).catch(() => null);
  });
  expectRefusal(refused, { status: 429, code: 'rate_limited', message: /67108864 bytes/ });
  expect(refused.headers.get('retry-after')).toBe('5');
  expect((await post([JSON_TYPE], bodyOf(16_384))).status).toBe(202);
  const other = begin('beta');
  other.send('}');
  expect((await other.answer()).status).toBe(202);

  for (const connection of [...held, other]) connection.close();
  await until('there is room again', async () => (await post([JSON_TYPE], bodyOf(LIMIT))).status === 202);
});
