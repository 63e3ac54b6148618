import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectNoJobs, expectRefusal, HELLO, type Refusal } from '../../support/clients/refusal.ts';
import { exchange, openConnection, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const KEY = `X-API-Key: ${KEYS.acme}`;
const JSON_TYPE = 'Content-Type: application/json';
const MALFORMED: Refusal = { status: 400, code: 'invalid_header', param: null, message: /well-formed/ };
const TOO_LARGE: Refusal = { status: 431, code: 'headers_too_large', param: null, message: /16 KiB/ };

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());
afterEach(() => expectNoJobs(gateway));

const body = JSON.stringify(HELLO);
const post = (headers: readonly string[], sent = body): string =>
  `POST /v1/complete HTTP/1.1\r\n${['Host: gateway.test', KEY, JSON_TYPE, ...headers].join('\r\n')}\r\n\r\n${sent}`;

describe('a request that is no well-formed HTTP/1.1 is refused in our form, and the connection let go:', () => {
  test.each<[string, string, Refusal]>([
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\r\n\r\n', MALFORMED],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', MALFORMED],
    ['an unknown method', request('HELLO /v1/jobs', [KEY]), MALFORMED],
    ['a method in lower case', request('get /v1/jobs', [KEY]), MALFORMED],
    ['a version that does not exist', `GET /v1/jobs HTTP/7.3\r\nHost: a\r\n${KEY}\r\n\r\n`, MALFORMED],
    ['a header without colon', request('GET /v1/jobs', [KEY, 'Nonsense']), MALFORMED],
    ['a blank before the colon', request('GET /v1/jobs', ['X-API-Key : a']), MALFORMED],
    ['NUL in a header', request('GET /v1/jobs', [KEY, 'X-Other: a\0b']), MALFORMED],
    ['lines that end in LF alone', request('GET /v1/jobs', [KEY]).replaceAll('\r\n', '\n'), MALFORMED],
    ['length and chunks at once', post([`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked']), MALFORMED],
    ['two lengths', post([`Content-Length: ${body.length}`, 'Content-Length: 5']), MALFORMED],
    ['a length that is no number', post(['Content-Length: 1e3']), MALFORMED],
    ['a negative length', post(['Content-Length: -1']), MALFORMED],
    ['a coding that does not end in chunks', post(['Transfer-Encoding: gzip']), MALFORMED],
    ['a chunk without a length', post(['Transfer-Encoding: chunked'], 'zz\r\n'), MALFORMED],
    ['a chunk longer than it says', post(['Transfer-Encoding: chunked'], `5\r\n${body}\r\n0\r\n\r\n`), MALFORMED],
    ['headers of 17 KiB', request('GET /v1/jobs', [KEY, `X-Other: ${'a'.repeat(17 * 1024)}`]), TOO_LARGE],
    ['a path of 17 KiB', request(`GET /${'a'.repeat(17 * 1024)}`, [KEY]), TOO_LARGE],
    ['over 1,000 headers', request('GET /v1/jobs', [...Array.from({ length: 1_100 }, () => 'a:'), KEY]), TOO_LARGE],
  ])('%s', async (_, bytes, refusal) => {
    const connection = openConnection(url);
    connection.send(bytes);
    expectRefusal(await connection.answer(), refusal);
    // This side keeps its half open and goes on sending.
    await until('the connection is cut', () => {
      connection.send('x');
      return connection.isCut();
    });
    expect(connection.rest()).toBe('');
    connection.close();
  });
});

describe('Host', () => {
  const get = (...headers: string[]): string => `GET /v1/usage HTTP/1.1\r\n${[KEY, ...headers].join('\r\n')}\r\n\r\n`;

  test.each([
    ['missing', get()],
    ['given twice', get('Host: a', 'Host: a')],
    ['with a blank', get('Host: a b')],
    ['with a user', get('Host: u:p@a')],
    ['with a path', get('Host: a/healthz?')],
    ['with an open bracket', get('Host: [::1')],
    ['with a port that is none', get('Host: a:99999999')],
  ])('%s is refused in our form', async (_, bytes) => {
    expectRefusal(await exchange(url, bytes), MALFORMED);
  });

  test.each([
    ['of another site', get('Host: evil.example')],
    ['of this machine', get('Host: LOCALHOST:4000')],
    ['that is empty', get('Host:')],
    ['as an address', get('Host: [::1]:4000')],
    ['that a request line contradicts', request('GET http://evil.example/v1/usage', [KEY])],
    ['that a request line with a user contradicts', request('GET https://u:p@evil.example:1/v1/usage', [KEY])],
    ['that HTTP/1.0 leaves out', `GET /v1/usage HTTP/1.0\r\n${KEY}\r\n\r\n`],
  ])('%s changes nothing, and appears nowhere', async (_, bytes) => {
    const { status, headers, body } = await exchange(url, bytes);
    expect(status).toBe(200);
    expect(body).toMatchObject({ tenant: 'acme' });
    expect(JSON.stringify([[...headers], body])).not.toMatch(/evil|gateway\.test|localhost/i);
  });

  test('in a foreign request line opens no other path', async () => {
    expectRefusal(await exchange(url, request('GET http://a/healthz/../v1/usage')), {
      status: 400,
      code: 'invalid_path',
    });
    expectRefusal(await exchange(url, request('GET http://a/v1/usage')), { status: 401, code: 'missing_api_key' });
    const home = await exchange(url, request('GET http://a', [KEY]));
    expect([home.status, home.headers.get('location')]).toEqual([302, '/docs']);
    for (const target of ['ftp://a/v1/usage', 'v1/usage', '*', 'a\\..\\v1/usage', '/x\\..\\v1\\usage']) {
      expectRefusal(await exchange(url, request(`OPTIONS ${target}`, [KEY])), MALFORMED);
    }
  });
});

describe('one connection, several requests:', () => {
  test('what follows a body that was refused unread is answered as a request of its own', async () => {
    const connection = openConnection(url);
    connection.send(request('POST /v1/complete', [KEY, 'Content-Type: text/plain'], 'GET /stolen HTTP/1.1\r\n\r\n'));
    connection.send(request('POST /v1/complete', [KEY, JSON_TYPE], '{'));
    connection.send(request('POST /v1/complete?a=1', [KEY, JSON_TYPE], body));
    connection.send(request('POST /v1/complete', [JSON_TYPE], body));
    connection.send(request('GET /healthz'));
    expectRefusal(await connection.answer(), { status: 415, code: 'unsupported_media_type' });
    expectRefusal(await connection.answer(), { status: 400, code: 'invalid_json' });
    expectRefusal(await connection.answer(), { status: 400, code: 'invalid_query' });
    expectRefusal(await connection.answer(), { status: 401, code: 'missing_api_key' });
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });

  test('a refusal of what follows is never sent as the answer to a request that was well-formed', async () => {
    const connection = openConnection(url);
    connection.send(`${request('GET /v1/usage', [KEY])}NONSENSE\r\n\r\n`);
    await until('the connection is closed', () => connection.hasEnded());
    expect(connection.rest()).not.toContain('HTTP/1.1 400');
    connection.close();
  });

  test.each<[string, string[], number]>([
    ['POST /v1/complete', [KEY, JSON_TYPE, 'Content-Length: 40000000'], 413],
    ['POST /v1/complete', ['Content-Length: 100'], 401],
    ['GET /healthz', ['Content-Length: 100'], 200],
  ])(
    'a body of %s that nobody reads and that never ends does not hold the connection',
    async (line, headers, status) => {
      const connection = openConnection(url);
      connection.send(request(line, headers));
      expect((await connection.answer()).status).toBe(status);
      await until('the connection is closed', () => connection.hasEnded(), { withinMs: 3_000 });
      connection.close();
    },
  );
});

test('an expectation that nobody knows is ignored', async () => {
  const answer = await exchange(url, post(['Expect: the-impossible', 'Content-Length: 1'], '{'));
  expectRefusal(answer, { status: 400, code: 'invalid_json' });
});

test('an upgrade to another protocol is not taken up', async () => {
  for (const protocol of ['websocket', 'h2c']) {
    const answer = await exchange(url, request('GET /healthz', ['Connection: Upgrade', `Upgrade: ${protocol}`]));
    expect(answer.status).toBe(200);
  }
});

test('a refused client that stays silent is let go: it does not keep the API from stopping', async () => {
  const api = await gateway.addApi();
  const connection = openConnection(api.url);
  connection.send('NONSENSE\r\n\r\n');
  expectRefusal(await connection.answer(), MALFORMED);
  const startMs = performance.now();
  api.signal('SIGTERM');
  expect(await api.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - startMs).toBeLessThan(5_000);
  connection.close();
});

test('nothing of all this is printed past the log', () => {
  expect(gateway.apis[0]?.otherOutput).toEqual([]);
});
