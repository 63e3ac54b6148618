import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { acceptedBatch, finishedBatch } from '../../support/clients/batches.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import {
  ANTHROPIC_KEY,
  type Answer,
  type CallOptions,
  KEYS,
  OPENAI_KEY,
  type TestApi,
  type TestGateway,
  userKey,
} from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { until } from '../../support/until.ts';
import { ringText } from '../../unit/keys/rings.ts';

const TAG = shardTag(0);

let gateway: TestGateway;
let redis: Redis;
useGateway({ apis: 2, sandbox: { record: { limit: 5_000, keys: 'clear' } } }, (opened) => {
  ({ gateway, redis } = opened);
});

type Sent = CallOptions & { fields?: object };

/** Sends one message with an Idempotency-Key. */
const send = (idempotencyKey: string, text: string, { fields = {}, headers = {}, ...options }: Sent = {}) =>
  gateway.call('POST', '/v1/complete', {
    ...options,
    headers: { 'Idempotency-Key': idempotencyKey, ...headers },
    body: { messages: [{ role: 'user', content: text }], ...fields },
  });

const idOf = ({ body }: Answer): string => (body as Job).id;
const isReplay = ({ headers }: Answer): boolean => headers.get('Idempotency-Replayed') === 'true';
const countJobs = (tenant: keyof typeof KEYS): Promise<number> => redis.xlen(key(TAG, 'JOBS', tenant));

describe('Idempotency-Key', () => {
  test('the events of a webhook are a set', async () => {
    const ask = (events: string[]) =>
      send('events', 'as a set', { fields: { webhook: { url: 'https://example.com/hook', events } } });
    const first = await ask(['job.completed', 'job.failed']);
    expect(first.status).toBe(202);
    expect(idOf(await ask(['job.failed', 'job.completed']))).toBe(idOf(first));
    expect(idOf(await ask(['job.failed', 'job.completed', 'job.failed']))).toBe(idOf(first));
    expect((await ask(['job.failed'])).status).toBe(422);
  });

  test('the same request again gives the same job, says so, and is sent to the provider once', async () => {
    const first = await send('again', 'only once sandbox:delay=300', { fields: { metadata: { a: '1' } } });
    const second = await send('again', 'only once sandbox:delay=300', { fields: { metadata: { a: '1' } } });
    expect([first.status, isReplay(first)]).toEqual([202, false]);
    expect([second.status, isReplay(second)]).toEqual([202, true]);
    expect(idOf(second)).toBe(idOf(first));
    expect(second.headers.get('Location')).toBe(`/v1/jobs/${idOf(first)}`);

    const done = await gateway.finished(idOf(first));
    const late = await send('again', 'only once sandbox:delay=300', { fields: { metadata: { a: '1' } } });
    expect([late.status, isReplay(late)]).toEqual([200, true]);
    expect(late.body).toEqual(done);
    expect(gateway.callsWith('only once')).toHaveLength(1);
  });

  test('Prefer is no part of the request: a replay may wait for the job', async () => {
    const first = await send('wait for it', 'worth waiting sandbox:delay=300');
    const second = await send('wait for it', 'worth waiting sandbox:delay=300', { headers: { Prefer: 'wait=20' } });
    expect([second.status, isReplay(second), idOf(second)]).toEqual([200, true, idOf(first)]);
    expect(second.body).toMatchObject({ status: 'completed' });
  });

  test('of 50 at the same time on two processes, one is accepted and all get its id', async () => {
    const before = await countJobs('acme');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const api = gateway.apis[index % 2];
        return send('all at once', 'fifty of these', api ? { api } : {});
      }),
    );
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(await countJobs('acme')).toBe(before + 1);
    const [answer] = answers;
    expect(answer && (await gateway.finished(idOf(answer))).status).toBe('completed');
    expect(gateway.callsWith('fifty of these')).toHaveLength(1);
  });

  test('with a different request it is refused, and no job is made', async () => {
    const own = { headers: userKey(), fields: { model: 'gpt-4o' } };
    await send('platform', 'the request');
    await send('own key', 'the request', own);
    const before = await countJobs('acme');
    const different = await Promise.all([
      send('platform', 'another request'),
      send('platform', 'the request', { fields: { temperature: 0.5 } }),
      send('platform', 'the request', { fields: { metadata: { a: '1' } } }),
      send('platform', 'the request', { fields: { deadline_seconds: 60 } }),
      send('platform', 'the request', own),
      send('own key', 'the request', { fields: { model: 'gpt-4o' } }),
      send('own key', 'the request', { ...own, headers: userKey(`${OPENAI_KEY}1`) }),
      send('own key', 'the request', { ...own, headers: userKey(ANTHROPIC_KEY, 'anthropic') }),
    ]);
    for (const { status, body } of different) {
      expect({ status, body }).toMatchObject({
        status: 422,
        body: { error: { code: 'idempotency_mismatch', param: 'Idempotency-Key' } },
      });
    }
    expect(await countJobs('acme')).toBe(before);
    expect(isReplay(await send('own key', 'the request', own))).toBe(true);
  });

  test('the same JSON in another text is the same request', async () => {
    const post = (body: string) =>
      gateway.call('POST', '/v1/complete', { headers: { 'Idempotency-Key': 'texts' }, body });
    const messages = '"messages":[{"role":"user","content":"aé"}]';
    const first = await post(`{${messages},"temperature":1,"metadata":{"a":"1","b":"2"}}`);
    expect(first.status).toBe(202);
    for (const same of [
      `{${messages},"temperature":1,"metadata":{"b":"2","a":"1"}}`,
      `{"metadata":{"a":"1","b":"2"},"temperature":1.0,${messages}}`,
      '{"messages":[{"content":"\\u0061\\u00e9","role":"user"}],"temperature":10e-1,"metadata":{"a":"1","b":"2"}}',
      `\n{ ${messages}, "temperature" : 1, "metadata" : { "a" : "1", "b" : "2" } }`,
    ]) {
      const again = await post(same);
      expect({ same, id: (again.body as Job).id }).toEqual({ same, id: idOf(first) });
    }
    expect((await post(`{${messages},"temperature":1,"metadata":{"a":"2","b":"1"}}`)).status).toBe(422);
  });

  test('another tenant’s same key is another key', async () => {
    const mine = await send('shared name', 'of acme');
    const theirs = await send('shared name', 'of beta', { key: KEYS.beta });
    expect([theirs.status, isReplay(theirs)]).toEqual([202, false]);
    expect(idOf(theirs)).not.toBe(idOf(mine));
  });

  test('a request that was refused leaves the key free', async () => {
    const refused = [
      await send('free', 'x', { fields: { temperature: 9 } }),
      await send('free', 'x', { headers: { 'X-User-API-Key': OPENAI_KEY } }),
      await send('free', 'x', { key: 'no-such-platform-key' }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 401]);
    const accepted = await send('free', 'x');
    expect([accepted.status, isReplay(accepted)]).toEqual([202, false]);
  });

  test('a job that was deleted since is gone, and not made again', async () => {
    const { id } = await gateway.finished(idOf(await send('deleted', 'gone for good')));
    expect((await gateway.call('DELETE', `/v1/jobs/${id}`)).status).toBe(204);
    expect(await send('deleted', 'gone for good')).toMatchObject({
      status: 410,
      body: { error: { code: 'result_expired' } },
    });
    expect(gateway.callsWith('gone for good')).toHaveLength(1);
  });

  test('has 1 to 255 printable ASCII characters', async () => {
    for (const wrong of ['', 'x'.repeat(256), 'naïve', 'tab\tinside']) {
      expect(await send(wrong, 'x')).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid_header', param: 'Idempotency-Key' } },
      });
    }
    for (const right of ['x', 'x'.repeat(255), '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~ a']) {
      expect((await send(right, 'x')).status).toBe(202);
    }
  });
});

test('while the pepper is rotated, a request on a user’s key is the same to processes on either side of it', async () => {
  const [older, newer] = [ringText('older'), ringText('newer')];
  const rings = [`${older},${newer}`, `${newer},${older}`];
  const apis = await Promise.all(rings.map((KEY_PEPPERS) => gateway.addApi({ KEY_PEPPERS })));
  const isReady = async (api: TestApi) => (await gateway.call('GET', '/readyz', { api })).status === 200;
  await until('both are ready', async () => (await Promise.all(apis.map(isReady))).every(Boolean));
  for (const [first, second] of [apis, apis.toReversed()]) {
    const text = `first to ${first?.url}`;
    const through = (api: TestApi | undefined, key = OPENAI_KEY) =>
      send(text, text, { headers: userKey(key), fields: { model: 'gpt-4o' }, ...(api && { api }) });
    const accepted = await through(first);
    const again = await through(second);
    expect([accepted.status, isReplay(accepted), isReplay(again)]).toEqual([202, false, true]);
    expect(idOf(again)).toBe(idOf(accepted));
    expect(await through(second, `${OPENAI_KEY}x`)).toMatchObject({ status: 422 });
  }
});

test.concurrent.each([
  ['a budget, and nobody knows what the model costs', { limits: { monthly_budget_usd: 10 } }, 'model_unpriced'],
  ['a list of models without this one', { allowed_models: ['another'] }, 'model_not_allowed'],
])('what was accepted is given again after the tenant got %s', async (_, change, code) => {
  await withGateway({ env: { ADMIN_TOKEN } }, async (managed) => {
    const operator = operate(managed);
    const tenant = await operator.tenant();
    const { secret } = await operator.issue(tenant);
    const body = { model: 'nobody-knows-this', messages: [{ role: 'user', content: 'sandbox:status=400' }] };
    const post = (path: string, idempotencyKey: string, sent: object) =>
      managed.call('POST', path, { key: secret, headers: { 'Idempotency-Key': idempotencyKey }, body: sent });
    const batch = (idempotencyKey: string, custom_id = 'a') =>
      post('/v1/batches', idempotencyKey, { requests: [{ custom_id, body }] });

    const job = (await post('/v1/complete', 'first', body)).body as Job;
    await managed.finished(job.id, { key: secret });
    const parent = acceptedBatch(await batch('first'));
    await finishedBatch(managed, parent.id, { key: secret });
    const retry = (idempotencyKey: string) => post(`/v1/batches/${parent.id}/retry`, idempotencyKey, {});
    const child = acceptedBatch(await retry('first'));
    await finishedBatch(managed, child.id, { key: secret });

    await operator.change(tenant, change);
    const refusal = { body: { error: { code } } };
    const withoutKey = () => managed.call('POST', '/v1/complete', { key: secret, body });
    await until('it holds', async () => (await withoutKey()).status !== 202);
    expect(await withoutKey()).toMatchObject(refusal);
    expect(await post('/v1/complete', 'another', body)).toMatchObject(refusal);
    expect(await batch('another')).toMatchObject({ body: { error: { code: 'invalid_body', errors: [{ code }] } } });
    expect(await retry('another')).toMatchObject(refusal);

    for (const [answer, id] of [
      [await post('/v1/complete', 'first', body), job.id],
      [await batch('first'), parent.id],
      [await retry('first'), child.id],
    ] as const) {
      expect(answer).toMatchObject({ status: 200, body: { id } });
      expect(isReplay(answer)).toBe(true);
    }
    expect(await post('/v1/complete', 'first', { ...body, temperature: 1 })).toMatchObject({ status: 422 });
    expect(await batch('first', 'b')).toMatchObject({ status: 422 });

    await managed.call('DELETE', `/v1/batches/${parent.id}`, { key: secret });
    expect(await retry('first')).toMatchObject({ status: 200, body: { id: child.id } });
    expect(await retry('another')).toMatchObject({ status: 410 });
  });
});

describe('where the answer to a submission is lost', () => {
  test('because the API was killed: sent again to another API, each request is one job', async () => {
    const victim = await gateway.addApi();
    await until('it is ready', async () => (await gateway.call('GET', '/readyz', { api: victim })).status === 200);
    const before = await countJobs('gamma');
    const texts = Array.from({ length: 300 }, (_, index) => `through a crash ${index}.`);
    const answered = new Map<string, string>();
    const first = texts.map(async (text) => {
      const answer = await send(text, text, { key: KEYS.gamma, api: victim }).catch(() => null);
      if (answer?.status === 202) answered.set(text, idOf(answer));
    });
    await until('it has answered some of them', () => answered.size > 20, { everyMs: 1 });
    victim.signal('SIGKILL');
    await Promise.all(first);
    expect(answered.size).toBeLessThan(texts.length);

    const again = await Promise.all(texts.map((text) => send(text, text, { key: KEYS.gamma })));
    for (const [index, answer] of again.entries()) {
      expect([200, 202]).toContain(answer.status);
      const known = answered.get(texts[index] ?? '');
      if (known !== undefined) expect(idOf(answer)).toBe(known);
    }
    expect(new Set(again.map(idOf)).size).toBe(texts.length);
    expect(await countJobs('gamma')).toBe(before + texts.length);
    const done = await Promise.all(again.map((answer) => gateway.finished(idOf(answer), { key: KEYS.gamma })));
    expect(done.filter(({ status }) => status !== 'completed')).toEqual([]);
    expect(gateway.callsWith('through a crash')).toHaveLength(texts.length);
  });

  test('because Redis did not answer in time: 503 with the job’s id, and sent again it is one job', async () => {
    const before = await countJobs('beta');
    gateway.redis.signal('SIGSTOP');
    const startedMs = performance.now();
    const unknown = await send('frozen', 'into the ice', { key: KEYS.beta });
    const tookMs = performance.now() - startedMs;
    gateway.redis.signal('SIGCONT');
    expect(unknown).toMatchObject({ status: 503, body: { error: { code: 'queue_unavailable' } } });
    expect(tookMs).toBeLessThan(2_500);
    expect(Number(unknown.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
    const { job_id: id = '' } = (unknown.body as Refusal).error;

    const again = await until('Redis is back', async () => {
      const answer = await send('frozen', 'into the ice', { key: KEYS.beta });
      return answer.status !== 503 && answer;
    });
    // It had been accepted: Redis ran the script when it was thawed.
    expect([isReplay(again), idOf(again)]).toEqual([true, id]);
    expect((await gateway.finished(id, { key: KEYS.beta })).status).toBe('completed');
    expect(await countJobs('beta')).toBe(before + 1);
    expect(gateway.callsWith('into the ice')).toHaveLength(1);
  });

  test('nothing is left out of place', () => expectInvariants(gateway.redis.url, { allRecordsStored: true }));
});
