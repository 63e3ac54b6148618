/** What is no batch: refused with the reason, and nothing of it is left in Redis. */
import type { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import { acceptedBatch, line, lines, upload } from '../../support/clients/batches.ts';
import { openConnection, request } from '../../support/network/raw.ts';
import { type CallOptions, KEYS, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { until } from '../../support/until.ts';

const MARK = 'nothing-of-this-may-stay';
const env = { MAX_BODY_BYTES: '2048', MAX_BATCH_LINES: '300', MAX_BATCH_BYTES: '100000', MAX_BATCH_QUEUED: '500' };

let gateway: TestGateway;
let redis: Redis;
useGateway({ workers: 0, env }, (opened) => {
  ({ gateway, redis } = opened);
});

/** All keys but those that count requests and keep the server's settings. */
const keysNow = async (): Promise<string[]> => {
  const keys = await redis.keys('*');
  return keys
    .filter(
      (name) =>
        !/(:tenant:|:tenants$|:shards$|:mode$|:schema$|:pepper-marks$|scheduler|completions:|deliveries:)/.test(name),
    )
    .toSorted();
};

describe('nothing is left of a batch that is refused:', () => {
  afterEach(async () => {
    expect(await keysNow()).toEqual([]);
    expect((await gateway.call('GET', '/v1/batches')).body).toMatchObject({ data: [] });
  });

  type Case = [
    name: string,
    sent: (object | string)[],
    status: number,
    error: object,
    options?: CallOptions & { query?: string },
  ];
  const good = line('good', MARK);
  test.each<Case>([
    ['an empty body', [], 400, { code: 'invalid_body', message: /at least one line/ }],
    ['blank lines only', ['', ' ', '\r'], 400, { code: 'invalid_body', message: /at least one line/ }],
    ['a line that is no JSON', [good, 'hello'], 400, { errors: [{ line: 2, code: 'invalid_json', param: null }] }],
    ['a line cut off', [good, '{"custom_id":"b"'], 400, { errors: [{ line: 2, code: 'invalid_json' }] }],
    [
      'a line too long',
      [good, line('b', 'x'.repeat(2_048)), good],
      400,
      { errors: [{ line: 2, code: 'body_too_large' }, { line: 3 }] },
    ],
    [
      'a custom_id that came before',
      [good, '', good],
      400,
      { errors: [{ line: 3, code: 'invalid_body', param: 'custom_id' }] },
    ],
    [
      'a webhook in a line',
      [line('a', MARK, { webhook: { url: 'https://a.example' } })],
      400,
      { errors: [{ line: 1, param: 'body.webhook' }] },
    ],
    [
      'a deadline in a line',
      [line('a', MARK, { deadline_seconds: 5 })],
      400,
      { errors: [{ param: 'body.deadline_seconds' }] },
    ],
    ['a user’s key in a line', [{ ...good, user_api_key: 'sk-a' }], 400, { errors: [{ param: 'user_api_key' }] }],
    ['no model on a user’s key', [good], 400, { errors: [{ param: 'body.model' }] }, { headers: userKey() }],
    [
      'more than 64 models',
      Array.from({ length: 65 }, (_, index) => line(`${index}`, MARK, { model: `m${index}` })),
      400,
      { errors: [{ line: 65, param: 'body.model' }] },
    ],
    ['too many lines', lines(301), 413, { code: 'body_too_large', message: /at most 300 lines/ }],
    [
      'too many lines, though they may be left out',
      Array.from({ length: 301 }, () => 'x'),
      413,
      { code: 'body_too_large' },
      { query: '?on_invalid=skip' },
    ],
    [
      'only lines that are left out',
      ['x', 'y'],
      400,
      { errors: [{ line: 1 }, { line: 2 }] },
      { query: '?on_invalid=skip' },
    ],
    [
      'too many bytes',
      lines(100, { metadata: { filler: 'x'.repeat(500) } }).concat(
        lines(100, { metadata: { filler: 'x'.repeat(500) } }, 'more'),
      ),
      413,
      { code: 'body_too_large', message: /at most 100000 bytes/ },
    ],
    [
      'another type',
      [good],
      415,
      { code: 'unsupported_media_type', message: /application\/x-ndjson or application\/json/ },
      { headers: { 'Content-Type': 'text/plain' } },
    ],
    ['half a user key', [good], 400, { code: 'user_key_required' }, { headers: { 'X-User-Provider': 'openai' } }],
    ['an unknown parameter', [good], 400, { code: 'invalid_query', param: 'webhook' }, { query: '?webhook=x' }],
    [
      'a deadline past a week',
      [good],
      400,
      { code: 'invalid_query', param: 'deadline_seconds' },
      { query: '?deadline_seconds=604801' },
    ],
    ['an unknown wish', [good], 400, { code: 'invalid_query', param: 'on_invalid' }, { query: '?on_invalid=stop' }],
    [
      'events of no webhook',
      [good],
      400,
      { code: 'invalid_query', param: 'webhook_events' },
      { query: '?webhook_events=batch.failed' },
    ],
    [
      'events of jobs',
      [good],
      400,
      { code: 'invalid_query' },
      { query: '?webhook_url=https://a.example/&webhook_events=job.failed' },
    ],
    [
      'a webhook that is not public',
      [good],
      400,
      { code: 'webhook_url_refused', param: 'webhook_url' },
      { query: '?webhook_url=http://10.0.0.1/' },
    ],
  ])('%s', async (_, sent, status, error, options) => {
    const texts = sent.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
    const answer = await upload(gateway, texts, options);
    const { message, errors, ...rest } = error as { message?: RegExp; errors?: object[] };
    expect(answer).toMatchObject({ status, body: { error: rest } });
    const found = (answer.body as Refusal).error;
    if (message) expect(found.message).toMatch(message);
    if (errors) expect(found.errors).toMatchObject(errors);
    expect(found.errors?.length).toBe(errors?.length);
    expect(JSON.stringify(answer.body)).not.toContain(MARK);
  });

  test.each<[string, unknown, object]>([
    ['no object', [1], { code: 'invalid_json' }],
    ['no requests', {}, { code: 'invalid_body' }],
    ['no list of requests', { requests: {} }, { code: 'invalid_body', param: 'requests' }],
    ['an unknown member', { requests: [good], user_api_key: 'sk-a' }, { code: 'invalid_body', param: 'user_api_key' }],
    ['a member twice', `{"metadata":{},"metadata":{},"requests":[]}`, { code: 'invalid_body', param: 'metadata' }],
    [
      'a wrong option behind the lines',
      { requests: [good], deadline_seconds: 0 },
      { code: 'invalid_body', param: 'deadline_seconds' },
    ],
    [
      'a wrong line',
      { requests: [good, { custom_id: 'b' }] },
      { errors: [{ line: 2, code: 'invalid_body', param: 'body', message: 'body is required.' }] },
    ],
    ['an end in the middle', `{"requests":[${JSON.stringify(good)}`, { code: 'invalid_json' }],
  ])('as JSON: %s', async (_, body, error) => {
    const answer = await gateway.call('POST', '/v1/batches', { body });
    expect(answer).toMatchObject({ status: 400, body: { error } });
    expect(JSON.stringify(answer.body)).not.toContain(MARK);
  });

  test('of many wrong lines the first hundred are told', async () => {
    const answer = await upload(
      gateway,
      Array.from({ length: 150 }, () => 'x'),
    );
    const { error } = answer.body as Refusal;
    expect(error.errors?.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(error.message).toContain('100 lines or more');
  });

  test('a length that is too large is refused before the body is sent, and a caller without a key is too', async () => {
    for (const [headers, status] of [
      [[`X-API-Key: ${KEYS.acme}`, 'Content-Length: 100001'], 413],
      [['Content-Length: 1000'], 401],
    ] as const) {
      const connection = openConnection(gateway.apis[0]?.url ?? '');
      connection.send(request('POST /v1/batches', ['Content-Type: application/x-ndjson', ...headers]));
      expect((await connection.answer()).status).toBe(status);
      connection.close();
    }
  });

  test('an upload that breaks off leaves nothing, and its Idempotency-Key can be used at once', async () => {
    const connection = openConnection(gateway.apis[0]?.url ?? '');
    const key = `X-API-Key: ${KEYS.acme}`;
    const headers = [key, 'Content-Type: application/x-ndjson', 'Content-Length: 90000', 'Idempotency-Key: broken'];
    connection.send(request('POST /v1/batches', headers));
    connection.send(
      lines(200)
        .map((each) => `${JSON.stringify(each)}\n`)
        .join(''),
    );
    await until('lines are staged', async () => (await keysNow()).length > 1);
    const meanwhile = await upload(gateway, [line('other')], { headers: { 'Idempotency-Key': 'broken' } });
    expect(meanwhile).toMatchObject({ status: 409, body: { error: { code: 'idempotency_in_progress' } } });
    expect(meanwhile.headers.get('retry-after')).toMatch(/^\d+$/);
    connection.close();
    await until('nothing is left', async () => (await keysNow()).length === 0);
    const answer = await upload(gateway, [], { headers: { 'Idempotency-Key': 'broken' } });
    expect(answer.body).toMatchObject({ error: { code: 'invalid_body' } });
  });
});

test('with on_invalid=skip the good lines run, and the others are told', async () => {
  const batch = acceptedBatch(
    await upload(gateway, [line('a'), 'x', line('b'), line('a')], { key: KEYS.beta, query: '?on_invalid=skip' }),
  );
  expect(batch).toMatchObject({
    request_counts: { total: 2 },
    skipped: 2,
    errors: [
      { line: 2, code: 'invalid_json', param: null },
      { line: 4, code: 'invalid_body', param: 'custom_id' },
    ],
  });
});

test('lines without a line feed at the end, of Windows, and behind a byte order mark are lines', async () => {
  const text = `\uFEFF${JSON.stringify(line('a'))}\r\n\r\n${JSON.stringify(line('b'))}`;
  expect(acceptedBatch(await upload(gateway, [text], { key: KEYS.beta }))).toMatchObject({
    request_counts: { total: 2 },
  });
});

test('past the lines that may wait a batch is refused, before it is uploaded where they wait already', async () => {
  const key = KEYS.gamma;
  for (const prefix of ['a', 'b']) acceptedBatch(await upload(gateway, lines(250, {}, prefix), { key }));
  const answer = await upload(gateway, lines(1), { key });
  expect(answer).toMatchObject({ status: 429, body: { error: { code: 'too_many_queued' } } });
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
});

test('a tenant uploads four batches at once and no more', async () => {
  const open = Array.from({ length: 5 }, () => {
    const connection = openConnection(gateway.apis[0]?.url ?? '');
    const headers = [`X-API-Key: ${KEYS.acme}`, 'Content-Type: application/x-ndjson', 'Content-Length: 90000'];
    connection.send(request('POST /v1/batches', headers));
    return connection;
  });
  const answers = () => open.map((connection) => connection.rest()).filter((text) => text !== '');
  await until('one of them is refused', () => answers().length > 0);
  expect(await upload(gateway, ['x'])).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
  expect(answers()).toEqual([expect.stringMatching(/^HTTP\/1\.1 429 .+uploads 4 batches/s)]);
  for (const connection of open) connection.close();
  await until('there is room again', async () => (await upload(gateway, ['x'])).status === 400);
});
