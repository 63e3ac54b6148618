import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import type { TenantId } from '../../../shared/domain/ids.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { idempotencyEntry } from '../../../shared/storage/records/names.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import {
  acceptedBatch,
  finishedBatch,
  line,
  lines,
  readBatch,
  readResults,
  upload,
} from '../../support/clients/batches.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { keysHolding } from '../../support/redis/keys-holding.ts';
import { until } from '../../support/until.ts';

let gateway: TestGateway;
let redis: Redis;
useGateway(
  {
    sandbox: { record: { limit: 5_000, keys: 'clear' } },
    env: { WORKER_CONCURRENCY: '20' },
  },
  (opened) => {
    ({ gateway, redis } = opened);
  },
);
afterEach(() => expectInvariants(gateway.redis.url));

const KEY = { key: KEYS.acme };

test('a batch goes from upload over live counts to results, on the account that it names, beside another tenant’s', async () => {
  const ofUser = acceptedBatch(
    await upload(gateway, lines(40, { model: 'gpt-4o' }, 'byok'), { headers: userKey(OPENAI_KEY) }),
  );
  const ofPlatform = acceptedBatch(await upload(gateway, lines(40, {}, 'platform'), { key: KEYS.beta }));
  expect(ofUser).toMatchObject({
    object: 'batch',
    status: 'in_progress',
    provider: 'openai',
    credential: 'user',
    request_counts: { total: 40 },
    errors: [],
    skipped: 0,
    parent_id: null,
  });

  const [first, second] = await Promise.all([
    finishedBatch(gateway, ofUser.id),
    finishedBatch(gateway, ofPlatform.id, { key: KEYS.beta }),
  ]);
  expect(first).toMatchObject({ status: 'completed', request_counts: { total: 40, completed: 40, queued: 0 } });
  expect(second).toMatchObject({ status: 'completed', provider: 'bedrock', credential: 'platform' });

  const results = await readResults(gateway, ofUser.id, KEY);
  expect(results.map(({ custom_id }) => custom_id).toSorted()).toEqual(
    lines(40, {}, 'byok')
      .map(({ custom_id }) => custom_id)
      .toSorted(),
  );
  for (const { status, result, usage, error } of results) {
    expect({ status, error }).toEqual({ status: 'completed', error: null });
    expect(result?.content).toContain('gpt-4o of openai');
    expect(usage?.total_tokens).toBeGreaterThan(0);
  }
  expect(first.usage.total_tokens).toBe(results.reduce((sum, { usage }) => sum + (usage?.total_tokens ?? 0), 0));
  for (const { provider, key, body } of gateway.sandbox.calls) {
    const isOfUser = JSON.stringify(body).includes('byok');
    expect(provider).toBe(isOfUser ? 'openai' : 'bedrock');
    expect(key === OPENAI_KEY).toBe(isOfUser);
  }
  expect(await keysHolding(redis, OPENAI_KEY)).toEqual([]);
});

test('a batch and its lines are seen by their tenant only', async () => {
  const { id } = acceptedBatch(await upload(gateway, lines(3)));
  await finishedBatch(gateway, id);
  const page = (await gateway.call('GET', `/v1/jobs?batch_id=${id}&limit=2`)).body as Page<Job>;
  expect(page.data).toMatchObject([{ batch_id: id }, { batch_id: id }]);
  const rest = (await gateway.call('GET', `/v1/jobs?batch_id=${id}&limit=2&after=${page.next_cursor}`)).body;
  expect(rest).toMatchObject({ data: [{ batch_id: id, status: 'completed' }], has_more: false });
  expect((await gateway.call('GET', '/v1/jobs')).body).toMatchObject({ data: [] });
  expect((await gateway.call('GET', '/v1/batches?limit=1')).body).toMatchObject({ data: [{ id }] });

  const foreign = { key: KEYS.gamma };
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/results'],
    ['POST', '/cancel'],
    ['POST', '/retry'],
    ['DELETE', ''],
  ] as const) {
    const body = path === '/retry' ? { body: {} } : {};
    expect(await gateway.call(method, `/v1/batches/${id}${path}`, { ...foreign, ...body })).toMatchObject({
      status: 404,
    });
  }
  expect((await gateway.call('GET', `/v1/jobs?batch_id=${id}`, foreign)).status).toBe(404);
  expect((await gateway.call('GET', `/v1/jobs/${page.data[0]?.id}`, foreign)).status).toBe(404);
  expect((await gateway.call('GET', '/v1/batches', foreign)).body).toMatchObject({ data: [] });
});

test('the JSON form says the same, with its options before or behind the requests', async () => {
  for (const body of [
    { metadata: { order: '42' }, deadline_seconds: 60, requests: lines(2) },
    { requests: lines(2), metadata: { order: '42' }, deadline_seconds: 60 },
  ]) {
    const batch = acceptedBatch(await gateway.call('POST', '/v1/batches', { body }));
    expect(batch).toMatchObject({ metadata: { order: '42' }, request_counts: { total: 2 } });
    // The deadline is by what the API knows of Redis' clock, the creation by that clock itself.
    expect(Math.abs(Date.parse(batch.deadline_at) - Date.parse(batch.created_at) - 60_000)).toBeLessThan(5_000);
    expect(await finishedBatch(gateway, batch.id)).toMatchObject({ status: 'completed' });
  }
});

test('an interrupted download goes on behind the last line that came, and takes no cursor of another batch', async () => {
  const { id } = acceptedBatch(await upload(gateway, lines(150)));
  const other = acceptedBatch(await upload(gateway, lines(1)));
  await finishedBatch(gateway, id);
  await finishedBatch(gateway, other.id);
  const all = await readResults(gateway, id, KEY);
  expect(new Set(all.map(({ custom_id }) => custom_id)).size).toBe(150);
  for (const place of [0, 63, 64, 100, 149]) {
    expect(await readResults(gateway, id, { ...KEY, after: all[place]?.cursor })).toEqual(all.slice(place + 1));
  }
  const [foreign] = await readResults(gateway, other.id, KEY);
  for (const after of [foreign?.cursor, 'x', '']) {
    expect((await gateway.call('GET', `/v1/batches/${id}/results?after=${after}`)).body).toMatchObject({
      error: { code: 'invalid_query', param: 'after' },
    });
  }
});

test('results can be read while the batch runs', async () => {
  const { id } = acceptedBatch(
    await upload(gateway, [line('quick'), line('slow', 'sandbox:delay=60000', { timeout_seconds: 60 })]),
  );
  const early = await until('the first result is there', async () => {
    const found = await readResults(gateway, id, KEY);
    return found.length > 0 ? found : null;
  });
  expect(early).toMatchObject([{ custom_id: 'quick', status: 'completed' }]);
  expect(await readBatch(gateway, id)).toMatchObject({
    status: 'in_progress',
    request_counts: { total: 2, completed: 1 },
  });
  const tag = (await gateway.call('GET', `/v1/batches/${id}`)).headers.get('etag') ?? '';
  expect((await gateway.call('GET', `/v1/batches/${id}`, { headers: { 'If-None-Match': tag } })).status).toBe(304);

  expect((await gateway.call('DELETE', `/v1/batches/${id}`)).status).toBe(409);
  expect((await gateway.call('POST', `/v1/batches/${id}/retry`, { body: {} })).status).toBe(409);
  const changed = gateway.call('GET', `/v1/batches/${id}?wait=20`, { headers: { 'If-None-Match': tag } });
  expect([200, 202]).toContain((await gateway.call('POST', `/v1/batches/${id}/cancel`)).status);
  expect((await changed).headers.get('etag')).not.toBe(tag);
  expect(await finishedBatch(gateway, id)).toMatchObject({
    status: 'cancelled',
    request_counts: { completed: 1, cancelled: 1 },
  });
  expect((await gateway.call('POST', `/v1/batches/${id}/cancel`)).status).toBe(200);
  expect((await readResults(gateway, id, KEY)).map(({ custom_id, status }) => [custom_id, status])).toEqual([
    ['quick', 'completed'],
    ['slow', 'cancelled'],
  ]);
});

test('lines that failed are repeated as a child batch, on the user’s key sent again and on no other account', async () => {
  const headers = userKey(ANTHROPIC_KEY, 'anthropic');
  const model = { model: 'claude-sonnet-4-5' };
  const parent = acceptedBatch(
    await upload(gateway, [line('good', 'fine', model), line('bad', 'sandbox:status=400', model)], { headers }),
  );
  expect(await finishedBatch(gateway, parent.id)).toMatchObject({
    status: 'completed',
    request_counts: { completed: 1, failed: 1 },
  });
  const retry = (options: object) => gateway.call('POST', `/v1/batches/${parent.id}/retry`, { body: {}, ...options });
  expect((await retry({})).body).toMatchObject({ error: { code: 'user_key_required' } });
  expect((await retry({ headers: userKey(OPENAI_KEY) })).body).toMatchObject({ error: { code: 'user_key_required' } });
  expect((await retry({ headers, body: { only: ['expired'] } })).body).toMatchObject({ error: { code: 'conflict' } });

  const child = acceptedBatch(await retry({ headers }));
  expect(child).toMatchObject({ parent_id: parent.id, request_counts: { total: 1 }, provider: 'anthropic' });
  await finishedBatch(gateway, child.id);
  expect(await readResults(gateway, child.id, KEY)).toMatchObject([{ custom_id: 'bad', status: 'failed' }]);

  const again = { ...headers, 'Idempotency-Key': 'repeat-1' };
  const once = acceptedBatch(await retry({ headers: again }));
  await finishedBatch(gateway, once.id);
  expect(await retry({ headers: again })).toMatchObject({ status: 200, body: { id: once.id } });
});

test('what ran on the platform’s account is not repeated on a user’s key', async () => {
  const { id } = acceptedBatch(await upload(gateway, [line('bad', 'sandbox:status=400')]));
  expect(await finishedBatch(gateway, id)).toMatchObject({ status: 'failed' });
  const answer = await gateway.call('POST', `/v1/batches/${id}/retry`, { body: {}, headers: userKey() });
  expect(answer.body).toMatchObject({ error: { code: 'invalid_header', param: 'X-User-API-Key' } });
});

test('the usage of a batch is that of its lines, whatever else its tenant used', async () => {
  const { id } = acceptedBatch(await upload(gateway, [...lines(4, {}), line('bad', 'sandbox:status=400')]));
  await gateway.finished((await gateway.submit('beside it')).id);
  const batch = await finishedBatch(gateway, id);
  const usageOf = async (query: string) => (await gateway.call('GET', `/v1/usage?${query}`)).body as Usage;
  const { totals, data } = await usageOf(`batch_id=${id}`);
  const { input_tokens, output_tokens, cached_input_tokens, cost_usd, unpriced_requests } = batch.usage;
  expect(totals).toEqual({
    requests: 5,
    completed: 4,
    failed: 1,
    cancelled: 0,
    expired: 0,
    input_tokens,
    output_tokens,
    cached_input_tokens,
    cost_usd,
    unpriced_requests,
  });
  expect(data).toEqual([expect.objectContaining({ provider: 'bedrock', credential: 'platform', requests: 5 })]);
  expect((await usageOf(`batch_id=${id}&from=2020-01-01&to=2020-01-02`)).totals).toMatchObject({ requests: 0 });
  expect((await usageOf('')).totals.requests).toBeGreaterThan(5);

  const foreign = await gateway.call('GET', `/v1/usage?batch_id=${id}`, { key: KEYS.beta });
  expect(foreign).toMatchObject({ status: 404, body: { error: { code: 'not_found', param: 'batch_id' } } });
  await gateway.call('DELETE', `/v1/batches/${id}`);
  expect((await gateway.call('GET', `/v1/usage?batch_id=${id}`)).status).toBe(410);
});
type Usage = { totals: Record<string, number>; data: Record<string, unknown>[] };

test('a deleted batch is gone with its lines, and its usage stays', async () => {
  const { id } = acceptedBatch(await upload(gateway, lines(3, {}, 'forget-me')));
  await finishedBatch(gateway, id);
  const [one] = await readResults(gateway, id, KEY);
  expect((await gateway.call('DELETE', `/v1/batches/${id}`)).status).toBe(204);
  for (const path of [
    `/v1/batches/${id}`,
    `/v1/batches/${id}/results`,
    `/v1/jobs/${one?.job_id}`,
    `/v1/jobs?batch_id=${id}`,
  ]) {
    expect(await gateway.call('GET', path)).toMatchObject({
      status: 410,
      body: { error: { code: 'result_expired' } },
    });
  }
  expect((await gateway.call('DELETE', `/v1/batches/${id}`)).status).toBe(410);
  await until('nothing of it is left', async () => (await keysHolding(redis, 'forget-me')).length === 0);
});

test('results say how many lines have ended, from wherever they are read', async () => {
  const { id } = acceptedBatch(await upload(gateway, lines(4)));
  await finishedBatch(gateway, id);
  const whole = await readResults(gateway, id, { key: KEYS.acme });
  for (const after of ['', `?after=${whole[1]?.cursor}`]) {
    const url = `${gateway.apis[0]?.url}/v1/batches/${id}/results${after}`;
    const answer = await fetch(url, { headers: { 'X-API-Key': KEYS.acme } });
    expect(answer.headers.get('X-Batch-Lines-Ended')).toBe('4');
    expect((await answer.text()).trim().split('\n')).toHaveLength(after === '' ? 4 : 2);
  }
});

describe('Idempotency-Key:', () => {
  test('the same upload again is the same batch, another one is refused', async () => {
    const headers = { 'Idempotency-Key': 'batch-1' };
    const { id } = acceptedBatch(await upload(gateway, lines(5), { headers }));
    const again = await upload(gateway, lines(5), { headers });
    expect(again.body).toMatchObject({ id });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    for (const other of [
      () => upload(gateway, lines(6), { headers }),
      () => upload(gateway, lines(5), { headers, query: '?deadline_seconds=60' }),
      () => gateway.call('POST', '/v1/batches', { headers, body: { requests: lines(5) } }),
    ]) {
      expect((await other()).body).toMatchObject({ error: { code: 'idempotency_mismatch' } });
    }
    const elsewhere = await upload(gateway, lines(5, { model: 'gpt-4o' }), { headers: { ...headers, ...userKey() } });
    expect(elsewhere.body).toMatchObject({ error: { code: 'idempotency_mismatch' } });
    await finishedBatch(gateway, id);
    expect((await upload(gateway, lines(5), { headers })).status).toBe(200);
  });

  test('the same lines in other words are the same batch, in either form; other values are not', async () => {
    const headers = { 'Idempotency-Key': 'batch-words' };
    const body = { messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 5, metadata: { a: '1', b: '2' } };
    const { id } = acceptedBatch(await upload(gateway, [{ custom_id: 'c1', body }], { headers }));
    const spelt = [
      '{"body":{"metadata":{"b":"2","a":"1"},"max_tokens":5.0,"messages":[{"content":"Hello!","role":"user"}]},"custom_id":"c1"}',
      ' { "custom_id" : "\\u0063\\u0031", "body": {"messages":[{"role":"user","content":"\\u0048ello!"}],"max_tokens":50e-1,"metadata":{"a":"1","b":"2"}} }\r',
    ];
    for (const line of spelt) {
      const again = await upload(gateway, [line], { headers });
      expect(again.body).toMatchObject({ id });
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    }
    for (const other of [
      { ...body, max_tokens: 6 },
      { ...body, metadata: { a: '2', b: '1' } },
    ]) {
      const { status } = await upload(gateway, [{ custom_id: 'c1', body: other }], { headers });
      expect(status).toBe(422);
    }

    const json = { 'Idempotency-Key': 'batch-words-json' };
    const document = { requests: [{ custom_id: 'c1', body }], deadline_seconds: 600, metadata: { x: 'y' } };
    const first = acceptedBatch(await gateway.call('POST', '/v1/batches', { headers: json, body: document }));
    const { requests, deadline_seconds, metadata } = document;
    const turned = { metadata, requests, deadline_seconds };
    expect((await gateway.call('POST', '/v1/batches', { headers: json, body: turned })).body).toMatchObject({
      id: first.id,
    });
    const changed = { ...turned, deadline_seconds: 601 };
    expect((await gateway.call('POST', '/v1/batches', { headers: json, body: changed })).status).toBe(422);
  });

  test('events are a set in either form, and a line that is left out is the same line by its bytes', async () => {
    const url = 'https://example.com/hook';
    const ndjson = (events: string, key: string) =>
      upload(gateway, ['{"custom_id":"c1" , "body":{}', ...lines(2)], {
        headers: { 'Idempotency-Key': key },
        query: `?on_invalid=skip&webhook_url=${encodeURIComponent(url)}&webhook_events=${events}`,
      });
    const { id } = acceptedBatch(await ndjson('batch.completed,batch.failed', 'batch-sets'));
    expect((await ndjson('batch.failed,batch.completed', 'batch-sets')).body).toMatchObject({ id });
    expect((await ndjson('batch.completed', 'batch-sets')).status).toBe(422);
    const other = await upload(gateway, ['{"custom_id":"c2" , "body":{}', ...lines(2)], {
      headers: { 'Idempotency-Key': 'batch-sets' },
      query: `?on_invalid=skip&webhook_url=${encodeURIComponent(url)}&webhook_events=batch.failed,batch.completed`,
    });
    expect(other.status).toBe(422);
    const json = (events: string[]) =>
      gateway.call('POST', '/v1/batches', {
        headers: { 'Idempotency-Key': 'batch-sets-json' },
        body: { requests: lines(1), webhook: { url, events } },
      });
    const first = acceptedBatch(await json(['batch.completed', 'batch.failed']));
    expect((await json(['batch.failed', 'batch.completed'])).body).toMatchObject({ id: first.id });
  });

  test('an upload that the release before accepted is recognised by its bytes', async () => {
    const headers = { 'Idempotency-Key': 'batch-former' };
    const { id } = acceptedBatch(await upload(gateway, lines(3), { headers }));
    const entry = key(
      shardTag(0),
      'IDEMPOTENCY',
      idempotencyEntry('acme' as TenantId, { key: 'batch-former', route: 'POST /v1/batches' }),
    );
    const text = lines(3)
      .map((each) => JSON.stringify(each))
      .join('\n');
    const options = { metadata: {}, webhook: null, durationMs: 86_400_000, onInvalid: 'reject' };
    const request = JSON.stringify([JSON.stringify(options), hash('sha256', text, 'base64url')]);
    const digest = hash('sha256', JSON.stringify([request, 'bedrock', null]), 'base64url').slice(0, 22);
    await redis.set(entry, `${digest} ${id}`, 'KEEPTTL');
    expect((await upload(gateway, lines(3), { headers })).body).toMatchObject({ id });
    expect((await upload(gateway, lines(4), { headers })).status).toBe(422);
  });

  test('a refused upload does not hold it', async () => {
    const headers = { 'Idempotency-Key': 'batch-2' };
    expect((await upload(gateway, ['no JSON'], { headers })).status).toBe(400);
    const { id } = acceptedBatch(await upload(gateway, lines(2), { headers }));
    await finishedBatch(gateway, id);
  });
});
