import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { expectRefusal, HELLO } from '../../support/clients/refusal.ts';
import { type Answer, KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
});
afterAll(() => gateway.stop());

const get = (path: string, headers: Record<string, string> = {}, key: string = KEYS.acme): Promise<Answer> =>
  gateway.call('GET', path, { headers, key });

type JobList = Page<Job>;
const list = async (query: string, key: string): Promise<JobList> => {
  const { status, body } = await get(`/v1/jobs?${query}`, {}, key);
  expect(status).toBe(200);
  return body as JobList;
};

const BAD_WAITS = [
  'wait=0',
  'wait=601',
  'wait=abc',
  'wait=',
  'wait',
  'wait=-1',
  'wait=1.5',
  'wait=1e1',
  'wait=0x5',
  'wait=%2B5',
];
const cursor = (place: string): string => Buffer.from(place).toString('base64url');
const BAD_CURSORS = [
  ...['', 'x', '0', 'LTE', 'MA', 'MS41', 'a b', '%00', '../..', 'a'.repeat(5_000)],
  ...['0-0', '00-000', '1-', '1-2-3', '99999999999999999-0'].map(cursor),
];

describe('a query is refused, and told how it must be:', () => {
  test.each([
    ...BAD_WAITS.map((query): [string, string, RegExp] => [`/v1/jobs/job_0?${query}`, 'wait', /from 1 to 600/]),
    ...['0', '101', 'abc', '', '-5', '1.5', '99999999999999999999', '5%00', '٥'].map(
      (limit): [string, string, RegExp] => [`/v1/jobs?limit=${encodeURIComponent(limit)}`, 'limit', /from 1 to 100/],
    ),
    ...BAD_CURSORS.flatMap((after): [string, string, RegExp][] => [
      [`/v1/jobs?after=${after}`, 'after', /next_cursor/],
      [`/v1/batches?after=${after}`, 'after', /next_cursor/],
    ]),
    ['/v1/jobs?status=done', 'status', /queued, in_progress, completed/],
    ['/v1/jobs?status=', 'status', /queued/],
    ['/v1/jobs?status=QUEUED', 'status', /queued/],
    ['/v1/jobs?page=2', 'page', /not known/],
    ['/v1/jobs?Limit=2', 'Limit', /not known/],
    ['/v1/jobs?constructor=2', 'constructor', /not known/],
    ['/v1/jobs?__proto__=2', '__proto__', /not known/],
    ['/v1/jobs?limit%5B%5D=2', '(name not shown)', /not known/],
    ['/v1/jobs?limit=2&limit=3', 'limit', /only once/],
    ['/v1/jobs/job_0?after=2', 'after', /not known/],
    ['/v1/jobs/job_0?wait=1&wait=1', 'wait', /only once/],
    ['/v1/usage?from=2026-11-22&to=2026-11-21', 'from', /not be after to/],
    ['/v1/usage?from=2999-01-01', 'from', /not begin in the future: today is \d{4}-/],
    ['/v1/usage?from=2999-01-01&to=2999-01-31', 'from', /not begin in the future/],
    ['/v1/usage?to=9999-12-31', 'to', /not begin in the future/],
    ['/v1/usage?from=2025-01-01&to=2026-01-02', 'from', /at most 366 days/],
    ['/v1/usage?from=0001-01-01&to=9999-12-31', 'from', /at most 366 days/],
    ...[
      '2026-13-01',
      '2026-02-30',
      '2026-2-1',
      'today',
      '',
      '2026-01-01T00:00:00Z',
      '20260101',
      '-000001-01-01',
      '2026-01-01%00',
    ].flatMap((date): [string, string, RegExp][] => [
      [`/v1/usage?from=${date}`, 'from', /a date such as/],
      [`/v1/usage?to=${date}`, 'to', /a date such as/],
    ]),
    [
      '/v1/usage?group_by=tenant',
      'group_by',
      /^group_by must be some of day, provider, model, credential, with commas between them\.$/,
    ],
    ['/v1/usage?group_by=', 'group_by', /day, provider/],
    ['/v1/usage?group_by=day,,model', 'group_by', /day, provider/],
    ['/v1/usage?tenant=beta', 'tenant', /not known/],
    ['/v1/usage?to=2026-01-01&to=2026-01-02', 'to', /only once/],
  ])('GET %s', async (path, param, message) => {
    expectRefusal(await get(path), { status: 400, code: 'invalid_query', param, message });
  });

  test.each(['POST /v1/jobs/job_0/cancel', 'DELETE /v1/jobs/job_0'])('%s takes none', async (call) => {
    const [method = '', path = ''] = call.split(' ');
    const answer = await gateway.call(method, `${path}?api_key=${KEYS.acme}`);
    expectRefusal(answer, { status: 400, code: 'invalid_query', param: 'api_key', message: /not known/ });
  });
});

describe('usage', () => {
  test.each([
    ['from=2024-01-01&to=2024-12-31', '2024-01-01', '2024-12-31'],
    ['from=2026-01-01&to=2026-01-01', '2026-01-01', '2026-01-01'],
    ['to=2024-02-29', '2024-02-01', '2024-02-29'],
  ])('of %s covers whole days of UTC, both ends included', async (query, from, to) => {
    expect(await get(`/v1/usage?${query}`)).toMatchObject({
      status: 200,
      body: { from, to, data: [], totals: { requests: 0, cost_usd: 0 } },
    });
  });
});

describe('an id tells nobody anything but its owner:', () => {
  test('a missing id and another tenant’s get the same answer, but for the id of the request', async () => {
    const { id } = await gateway.submit('mine', { key: KEYS.beta });
    const forged = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`;
    const ids = [id, forged, 'job_0', 'batch_0', id.toUpperCase(), `${id}0`, 'a'.repeat(2_000), '__proto__'];
    for (const [method, suffix] of [
      ['GET', ''],
      ['GET', '?wait=5'],
      ['DELETE', ''],
      ['POST', '/cancel'],
    ] as const) {
      for (const each of ids) {
        const answer = await gateway.call(method, `/v1/jobs/${each}${suffix}`);
        expectRefusal(answer, {
          status: 404,
          code: 'not_found',
          param: null,
          message: /^No job of this tenant has this id\.$/,
        });
        expect(answer.headers.has('etag')).toBe(false);
      }
    }
    expect(await gateway.read(id, { key: KEYS.beta })).toMatchObject({ id, status: 'queued' });
    expect((await list('', KEYS.acme)).data).toEqual([]);
  });

  test('its owner reads it straight after it was accepted, while it waits, and is told when to ask again', async () => {
    const accepted = await gateway.call('POST', '/v1/complete', { body: HELLO, key: KEYS.beta });
    const { id } = accepted.body as Job;
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('location')).toBe(`/v1/jobs/${id}`);
    expect(accepted.headers.get('retry-after')).toBe('1');
    const answer = await get(`/v1/jobs/${id}`, {}, KEYS.beta);
    expect(answer).toMatchObject({ status: 200, body: { id, status: 'queued', result: null, error: null } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('etag')).toMatch(/^W\/".+"$/);
  });
});

describe('a list', () => {
  test('walked page by page gives each of 150 jobs once, newest first, whatever is added meanwhile', async () => {
    const key = KEYS.gamma;
    const accepted = await Promise.all(Array.from({ length: 150 }, (_, at) => gateway.submit(`job ${at}`, { key })));
    const seen: Job[] = [];
    let pages = 0;
    for (let after: string | null = ''; after !== null; ) {
      const page = await list(`limit=20${after === '' ? '' : `&after=${after}`}`, key);
      expect(page.has_more).toBe(page.next_cursor !== null);
      seen.push(...page.data);
      pages += 1;
      after = page.next_cursor;
      await gateway.submit('added meanwhile', { key });
    }
    expect(pages).toBe(8);
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(accepted.map(({ id }) => id)));
    expect(seen).toHaveLength(150);
    const times = seen.map(({ created_at }) => created_at);
    expect(times).toEqual(times.toSorted().toReversed());
    expect(seen.filter((job) => 'result' in job)).toEqual([]);
  });

  test('has 20 jobs unless asked for up to 100', async () => {
    expect((await list('', KEYS.gamma)).data).toHaveLength(20);
    expect((await list('limit=1', KEYS.gamma)).data).toHaveLength(1);
    expect((await list('limit=100', KEYS.gamma)).data).toHaveLength(100);
  });

  test('of one status has no other, over all its pages', async () => {
    let after = '';
    let found = 0;
    for (;;) {
      const page = await list(`status=completed&limit=100${after}`, KEYS.gamma);
      found += page.data.length;
      if (page.next_cursor === null) break;
      after = `&after=${page.next_cursor}`;
    }
    expect(found).toBe(0);
    expect((await list('status=queued&limit=5', KEYS.gamma)).data.map(({ status }) => status)).toEqual(
      Array(5).fill('queued'),
    );
  });

  test('past its end is empty', async () => {
    const { data, has_more } = await list(`after=${Buffer.from('1-0').toString('base64url')}`, KEYS.gamma);
    expect({ data, has_more }).toEqual({ data: [], has_more: false });
  });
});

describe('an ETag', () => {
  test('is current until status or attempts change, by weak comparison, and then the job comes whole', async () => {
    const key = KEYS.acme;
    const { id } = await gateway.submit('watched', { key });
    const path = `/v1/jobs/${id}`;
    const waiting = (await get(path)).headers.get('etag') ?? '';
    const bare = waiting.slice(3, -1);
    const rewritten = ['-gzip', ';gzip', '--gzip', '-df', '-br', '_gzip', '.gz', '1gzip'].flatMap((suffix) => [
      `"${bare}${suffix}"`,
      `W/"${bare}"${suffix}`,
    ]);
    for (const tag of [
      ...rewritten,
      `w/"${bare}"`,
      bare,
      waiting,
      waiting.slice(2),
      '*',
      `"other", ${waiting}`,
      `${waiting},"other"`,
    ]) {
      const { status, headers, body } = await get(path, { 'If-None-Match': tag });
      expect({ tag, status, body, etag: headers.get('etag'), retryAfter: headers.get('retry-after') }).toEqual({
        tag,
        status: 304,
        body: null,
        etag: waiting,
        retryAfter: '1',
      });
      expect(headers.get('x-request-id')).toMatch(/^req_/);
      expect(headers.get('cache-control')).toBe('no-store');
    }
    for (const tag of ['"other"', 'W/"other"', waiting.toUpperCase(), `${waiting.slice(0, -2)}1"`]) {
      expect((await get(path, { 'If-None-Match': tag })).status).toBe(200);
    }

    // Past its second it says so; asked again while workers start, it answers at the first change.
    expect((await get(`${path}?wait=1`, { 'If-None-Match': waiting })).status).toBe(304);
    expect(await get(`${path}?wait=1`)).toMatchObject({ status: 200, body: { status: 'queued' } });
    // A tag that it does not know: no busy loop, and still the first change.
    const startedMs = performance.now();
    expect((await get(`${path}?wait=1`, { 'If-None-Match': '"of-a-proxy"' })).status).toBe(200);
    expect(performance.now() - startedMs).toBeGreaterThan(950);
    const changed = get(`${path}?wait=60`, { 'If-None-Match': waiting });
    await gateway.addWorker();
    const { status, headers } = await changed;
    expect(status).toBe(200);
    expect(headers.get('etag')).not.toBe(waiting);

    await gateway.finished(id);
    const final = await get(path);
    expect(final).toMatchObject({ status: 200, body: { status: 'completed' } });
    expect(final.headers.get('etag')).not.toBe(waiting);
    expect(final.headers.has('retry-after')).toBe(false);
    const again = await get(`${path}?wait=60`, { 'If-None-Match': final.headers.get('etag') ?? '' });
    expect(again).toMatchObject({ status: 304, body: null });
  });
});
