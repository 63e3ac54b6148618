import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prefersCsv } from '../../../api/http/headers/prefers-csv.ts';
import { usageCsv } from '../../../api/surfaces/native/usage/usage-csv.ts';
import { createUsageReport, GROUPS, type Group } from '../../../api/surfaces/native/usage/usage-report.ts';
import { COUNTERS } from '../../../shared/domain/records/usage-counters.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';

type Counters = Record<string, number>;
type Usage = { totals: Counters; platform: Counters; user: Counters; data: (Counters & Record<Group, string>)[] };

/** Two days of a leap year, long enough ago to be over. */
const LEDGER: Record<string, Record<string, string>> = {
  '2026-02-27': {
    'bedrock|amazon.nova-lite-v1:0|platform': '3 2 1 0 0 100 20 10 1080001 0',
    'openai|gpt-4o|user': '2 1 0 1 0 50 5 0 900000000123456 0',
    'openai|mystery|user': '1 1 0 0 0 7 7 0 0 1',
  },
  '2026-03-01': {
    'bedrock|amazon.nova-lite-v1:0|platform': '1 0 0 0 1 0 0 0 0 0',
    'anthropic|claude-opus-4-8|user': '1 1 0 0 0 9 9 9 300 0',
  },
};
const RANGE = 'from=2026-02-27&to=2026-03-01';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
  await withRedis(gateway.redis.url, async (redis) => {
    for (const [day, rows] of Object.entries(LEDGER)) await redis.hset(key(shardTag(0), 'USAGE', `acme:${day}`), rows);
  });
});
afterAll(() => gateway.stop());

const usage = async (query: string): Promise<Usage> => {
  const { status, body } = await gateway.call('GET', `/v1/usage?${query}`);
  expect(status).toBe(200);
  return body as Usage;
};

/** As text: `call` reads every answer as JSON. */
const csv = async (query: string, accept = 'text/csv') => {
  const url = `${gateway.apis[0]?.url}/v1/usage?${query}`;
  const answer = await fetch(url, { headers: { 'X-API-Key': KEYS.acme, accept } });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

const subsets = Array.from({ length: 2 ** GROUPS.length - 1 }, (_, bits) =>
  GROUPS.filter((_group, index) => ((bits + 1) >> index) % 2 === 1),
);

describe('usage', () => {
  test('is the sum of the days in the range, for the two ledgers apart', async () => {
    const { totals, platform, user } = await usage(RANGE);
    expect(platform).toEqual({
      requests: 4,
      completed: 2,
      failed: 1,
      cancelled: 0,
      expired: 1,
      input_tokens: 100,
      output_tokens: 20,
      cached_input_tokens: 10,
      cost_usd: 0.001080001,
      unpriced_requests: 0,
    });
    expect(user).toMatchObject({ requests: 4, completed: 3, cancelled: 1, cost_usd: 900_000.000123756 });
    expect(totals).toMatchObject({ requests: 8, input_tokens: 166, unpriced_requests: 1 });
  });

  test('of another range, or of another tenant, is none of it', async () => {
    expect(await usage('from=2026-02-28&to=2026-02-28')).toMatchObject({ totals: { requests: 0 }, data: [] });
    const other = await gateway.call('GET', `/v1/usage?${RANGE}`, { key: KEYS.beta });
    expect(other.body).toMatchObject({ totals: { requests: 0 }, data: [] });
  });

  test.each(subsets.map((groups) => [groups.join(',')]))(
    'told apart by %s has each row once and loses nothing',
    async (by) => {
      const groups = GROUPS.filter((group) => by.split(',').includes(group));
      const { totals, data } = await usage(`${RANGE}&group_by=${by.split(',').toReversed().join(',')}`);
      const names = data.map((row) => groups.map((group) => row[group]).join('|'));
      expect(new Set(names).size).toBe(data.length);
      for (const row of data) {
        expect(Object.keys(row)).toEqual([...groups, ...Object.keys(totals)]);
      }
      for (const [counter, total] of Object.entries(totals)) {
        expect(data.reduce((sum, row) => sum + (row[counter] ?? Number.NaN), 0)).toBeCloseTo(total, 9);
      }
    },
  );
});

describe('as CSV', () => {
  const HEADER = `day,provider,model,credential,requests,completed,failed,cancelled,expired,input_tokens,output_tokens,cached_input_tokens,cost_usd,unpriced_requests`;

  test('usage has a line for each row, with money to the nano-dollar', async () => {
    const { status, headers, text } = await csv(RANGE);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect(headers.get('content-disposition')).toBe('attachment; filename="usage-2026-02-27-2026-03-01.csv"');
    expect(headers.get('vary')).toBe('Accept');
    const [header, ...lines] = text.split('\r\n');
    expect(header).toBe(HEADER);
    expect(lines.pop()).toBe('');
    expect(lines.toSorted()).toEqual([
      '2026-02-27,bedrock,amazon.nova-lite-v1:0,platform,3,2,1,0,0,100,20,10,0.001080001,0',
      '2026-02-27,openai,gpt-4o,user,2,1,0,1,0,50,5,0,900000.000123456,0',
      '2026-02-27,openai,mystery,user,1,1,0,0,0,7,7,0,0.000000000,1',
      '2026-03-01,anthropic,claude-opus-4-8,user,1,1,0,0,0,9,9,9,0.000000300,0',
      '2026-03-01,bedrock,amazon.nova-lite-v1:0,platform,1,0,0,0,1,0,0,0,0.000000000,0',
    ]);
  });

  test('the columns are the same however rows are told apart, and there without any row', async () => {
    expect((await csv(`${RANGE}&group_by=credential`)).text.split('\r\n').toSorted()).toEqual(
      [
        '',
        ',,,platform,4,2,1,0,1,100,20,10,0.001080001,0',
        ',,,user,4,3,0,1,0,66,21,9,900000.000123756,1',
        HEADER,
      ].toSorted(),
    );
    expect((await csv('from=2020-01-01&to=2020-01-02')).text).toBe(`${HEADER}\r\n`);
  });

  test('a refusal is JSON all the same', async () => {
    const { status, text } = await csv('group_by=tenant');
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'invalid_query' } });
  });

  test.each([
    ['=HYPERLINK("http://a.example","x")', `"'=HYPERLINK(""http://a.example"",""x"")"`],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a\r\nb', '"a\r\nb"'],
    ['gpt-4o', 'gpt-4o'],
  ])('the text %j can be nothing else in a spreadsheet', (model, cell) => {
    const { see, finish } = createUsageReport(['model']);
    see('2026-01-01', { provider: 'openai', model, credential: 'user' }, new Float64Array(COUNTERS.length));
    expect(usageCsv(finish()).slice(HEADER.length + 2)).toBe(`,,${cell},,0,0,0,0,0,0,0,0,0.000000000,0\r\n`);
  });

  test.each<[string | undefined, boolean]>([
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['application/json', false],
    ['text/csv', true],
    ['TEXT/CSV; charset=utf-8', true],
    ['text/*', true],
    ['text/csv, application/json', false],
    ['text/csv, application/json;q=0.9', true],
    ['application/json, text/csv;q=0.9', false],
    ['text/csv;q=0.5, */*;q=0.1', true],
    ['text/csv;q=0.1, */*;q=0.5', false],
    ['text/csv;q=0', false],
    ['text/csv;q=0, */*', false],
    ['text/csv;q=0, text/*;q=0.9, */*;q=0.5', false],
    ['text/csv; q=1.0, application/*;q=0.2', true],
    ['text/csv;q=high', false],
    ['text/html, application/xhtml+xml, */*;q=0.8', false],
    ['text/csvx', false],
    [';;,,=', false],
  ])('the Accept %j means CSV: %j', (accept, csv) => {
    expect(prefersCsv(accept)).toBe(csv);
  });
});
