import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { ADMIN_TOKEN } from '../../support/clients/operator.ts';
import { expectNoJobs, expectRefusal, HELLO } from '../../support/clients/refusal.ts';
import { exchange, openConnection, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import type { LogLine } from '../../support/processes/process.ts';
import { until } from '../../support/until.ts';

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());

const KEY = `X-API-Key: ${KEYS.acme}`;
const ALLOWED: Record<string, string> = {
  '/v1/complete': 'POST',
  '/v1/jobs': 'GET, HEAD',
  '/v1/jobs/job_0': 'GET, HEAD, DELETE',
  '/v1/jobs/job_0/cancel': 'POST',
  '/v1/batches': 'GET, HEAD, POST',
  '/v1/batches/batch_0': 'GET, HEAD, DELETE',
  '/v1/batches/batch_0/results': 'GET, HEAD',
  '/v1/batches/batch_0/cancel': 'POST',
  '/v1/batches/batch_0/retry': 'POST',
  '/v1/usage': 'GET, HEAD',
  '/openai/v1/models': 'GET, HEAD',
  '/openai/v1/models/a/b:c': 'GET, HEAD',
  '/v1/webhooks/deliveries': 'GET, HEAD',
  '/v1/webhooks/deliveries/redeliver': 'POST',
  '/v1/webhooks/deliveries/evt_0/redeliver': 'POST',
  '/v1/webhooks/test': 'POST',
  '/v1/webhooks/secret': 'GET, HEAD',
  '/v1/webhooks/secret/rotate': 'POST',
  '/healthz': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
  '/metrics': 'GET, HEAD',
  '/openapi.json': 'GET, HEAD',
  '/docs': 'GET, HEAD',
};
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'];

describe('nothing runs where', () => {
  afterEach(() => expectNoJobs(gateway));

  describe.each(Object.entries(ALLOWED))('%s, which takes %s, is called with', (path, allowed) => {
    test.each(METHODS.filter((method) => !allowed.split(', ').includes(method)))('%s', async (method) => {
      const connection = openConnection(url);
      connection.send(
        request(`${method} ${path}`, [KEY, 'Origin: https://a.example', 'Access-Control-Request-Method: POST']),
      );
      const answer = await connection.answer({ toHead: method === 'HEAD' });
      connection.close();
      expect(answer.headers.get('allow')).toBe(allowed);
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
      if (method === 'HEAD') expect(answer).toMatchObject({ status: 405, body: null });
      else
        expectRefusal(answer, {
          status: 405,
          code: 'method_not_allowed',
          param: null,
          message: new RegExp(`takes ${allowed}\\.`),
        });
    });
  });

  test.each([
    '/v1',
    '/v1/',
    '/v2/complete',
    '/v1/completes',
    '/v1/complete/',
    '/V1/complete',
    '/v1/jobs/',
    '/v1/jobs/a/b',
    '/v1/jobs/a/cancel/',
    '/v1/usage/acme',
    '/v1/batch',
    '/admin/tenants',
    '/metrics/',
    '/healthz/',
    '/healthz;a=b',
    '/.env',
  ])('there is no %s', async (path) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await exchange(url, request(`${method} ${path}`, [KEY, 'Origin: https://a.example']));
      expectRefusal(answer, { status: 404, code: 'not_found', param: null, message: /no such path/ });
    }
  });
});

const NOT_NORMAL = [
  '//v1/complete',
  '/v1//complete',
  '/v1/../admin/tenants',
  '/x/../v1/complete',
  '/%761/complete',
  '/v1/jobs/..%2Fusage',
  '/v1/jobs/job_0%00',
  '/v1/./complete',
  '/v1/jobs/..',
  '/v1/jobs/.',
  '/v1/%2e%2e/%2e%2e/etc/passwd',
  '/v1/.%2E/admin/tenants',
  '/%61dmin/tenants',
  '/v1/%63omplete',
  '/v1/c%4Fmplete',
  '/v1/webhooks/deliver%69es',
  '/v1%5ccomplete',
  '/v1%2Fcomplete',
  '/v1/complete%2f',
  '/%00',
  '/v1/complete%00',
  '/v1/complete%0a',
  '/v1/%',
  '/v1/%zz',
  '/<script>',
  '/v1/complete#a',
  'http://gateway.test/v1/../admin/tenants',
  'http://gateway.test//admin/tenants',
];

describe('a path that is not in its normal form is refused before any route is looked for:', () => {
  test.each(NOT_NORMAL)('%s', async (path) => {
    for (const headers of [[KEY], [], [`Authorization: Bearer ${ADMIN_TOKEN}`]]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const answer = await exchange(url, request(`${method} ${path}`, headers));
        expectRefusal(answer, { status: 400, code: 'invalid_path', param: null, message: /normal form/ });
      }
    }
  });
  test.each(['/v1/jobs/a%20b', '/v1/jobs/%C3%A9', "/v1/jobs/!$&'()*+,;=:@~", '/v1/jobs/...', '/v1/jobs/.a'])(
    'and %s, which is, is not',
    async (path) => {
      const answer = await exchange(url, request(`GET ${path}`, [KEY]));
      expectRefusal(answer, { status: 404, code: 'not_found' });
    },
  );
});

describe('HEAD gives the headers of GET, and no body, for', () => {
  test.each([
    ['/v1/jobs', 200],
    ['/v1/usage', 200],
    ['/healthz', 200],
    ['/readyz', 200],
    ['/v1/jobs/job_0', 404],
    ['/v1/jobs?limit=0', 400],
  ])('%s', async (path, status) => {
    const connection = openConnection(url);
    connection.send(request(`HEAD ${path}`, [KEY]) + request(`GET ${path}`, [KEY]));
    const head = await connection.answer({ toHead: true });
    const get = await connection.answer();
    connection.close();
    expect([head.status, get.status]).toEqual([status, status]);
    for (const name of ['content-type', 'cache-control']) expect(head.headers.get(name)).toBe(get.headers.get(name));
    expect(connection.rest()).toBe('');
  });
});

describe('X-Request-Id', () => {
  const PATHS = ['/healthz', '/v1/jobs', '/v1/jobs/job_0', '/v1/jobs?limit=0', '/v1/complete', '/nowhere'];

  test.each(['a', 'req_1', '0.A-b_9', 'x'.repeat(128)])('is taken over as %s on every answer', async (id) => {
    for (const path of PATHS) {
      for (const headers of [[KEY], []]) {
        const answer = await exchange(url, request(`GET ${path}`, [...headers, `X-Request-Id: ${id}`]));
        expect(answer.headers.get('x-request-id')).toBe(id);
      }
    }
  });

  test.each(['', ' ', 'a b', 'a,b', 'a/b', 'é', '"a"', '<b>', 'a;b', 'x'.repeat(129)])(
    'is replaced where it is %s',
    async (id) => {
      for (const path of PATHS) {
        const answer = await exchange(url, request(`GET ${path}`, [KEY, `X-Request-Id: ${id}`]));
        expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9a-z]{26}$/);
      }
    },
  );

  test('is replaced where it is given twice, and differs from answer to answer where it is not given', async () => {
    const twice = await exchange(url, request('GET /healthz', ['X-Request-Id: a', 'X-Request-Id: a']));
    const none = await Promise.all([1, 2, 3].map(() => exchange(url, request('GET /healthz'))));
    const ids = [twice, ...none].map(({ headers }) => headers.get('x-request-id'));
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^req_/);
  });
});

test('every answer that succeeds is JSON that nobody may keep', async () => {
  const accepted = await exchange(
    url,
    request('POST /v1/complete', [KEY, 'Content-Type: application/json'], JSON.stringify(HELLO)),
  );
  const { id } = accepted.body as Job;
  const others = ['/v1/jobs', `/v1/jobs/${id}`, '/v1/usage', '/healthz', '/readyz'].map((path) =>
    exchange(url, request(`GET ${path}`, [KEY, 'Origin: https://a.example'])),
  );
  for (const { status, headers } of [accepted, ...(await Promise.all(others))]) {
    expect([200, 202]).toContain(status);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-request-id')).toMatch(/^req_/);
    expect([...headers.keys()].filter((name) => /^(access-control|set-cookie|server|x-powered-by)/.test(name))).toEqual(
      [],
    );
  }
});

test('the access log has one line for each request to the API, and nothing in it that a client wrote but the id of the request', async () => {
  const api = gateway.apis[0];
  const MARK = 'MarkedByTheClient7';
  const marks = [
    `X-Other: ${MARK}`,
    `User-Agent: ${MARK}`,
    `Cookie: ${MARK}`,
    `Host: ${MARK}`,
    `X-Forwarded-For: ${MARK}`,
  ];
  const body = JSON.stringify({ ...HELLO, metadata: { [MARK]: MARK }, messages: [{ role: 'user', content: MARK }] });
  const type = 'Content-Type: application/json';
  const sent = (line: string, headers: string[] = [], text = ''): string =>
    `${line} HTTP/1.1\r\n${[...marks, ...headers, `Content-Length: ${text.length}`].join('\r\n')}\r\n\r\n${text}`;
  const expected: [line: string, LogLine | Record<string, unknown>][] = [
    [
      sent('POST /v1/complete', [KEY, type], body),
      { method: 'POST', route: '/v1/complete', status: 202, tenant: 'acme', job_id: expect.stringMatching(/^job_/) },
    ],
    [
      sent(`POST /v1/complete?${MARK}=${MARK}`, [KEY, type], body),
      { method: 'POST', route: '/v1/complete', status: 400, tenant: 'acme', code: 'invalid_query' },
    ],
    [
      sent('POST /v1/complete', [KEY, type], MARK),
      { method: 'POST', route: '/v1/complete', status: 400, tenant: 'acme', code: 'invalid_json' },
    ],
    [
      sent(`GET /v1/jobs/${MARK}`, [KEY]),
      { method: 'GET', route: '/v1/jobs/:id', status: 404, tenant: 'acme', code: 'not_found' },
    ],
    [sent(`GET /v1/${MARK}`, [`X-API-Key: ${MARK}`]), { method: 'GET', status: 401, code: 'invalid_api_key' }],
    [sent(`GET /v1/${MARK}`, [KEY]), { method: 'GET', status: 404, tenant: 'acme', code: 'not_found' }],
  ];
  for (const [bytes, fields] of expected) {
    const { headers } = await exchange(url, bytes);
    const id = headers.get('x-request-id');
    await until('the line is there', () => api?.log.some(({ request_id }) => request_id === id));
    const lines = api?.log.filter(({ request_id }) => request_id === id) ?? [];
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ msg: 'request', duration_ms: expect.any(Number), ...fields });
    const KNOWN = [
      'level',
      'time',
      'process',
      'request_id',
      'method',
      'route',
      'status',
      'duration_ms',
      'tenant',
      'code',
      'platform_key',
      'job_id',
      'msg',
    ];
    expect(Object.keys(lines[0] ?? {}).filter((name) => !KNOWN.includes(name))).toEqual([]);
  }
  expect(JSON.stringify([api?.log, api?.otherOutput])).not.toContain(MARK);
  expect(JSON.stringify([api?.log, api?.otherOutput])).not.toContain(KEYS.acme);
});
