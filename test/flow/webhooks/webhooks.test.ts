import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WebhookSecret } from '../../../api/surfaces/native/webhooks/schema.ts';
import { findFreePort } from '../../../dev/private-redis.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Delivery } from '../../../shared/domain/webhooks/schema.ts';
import type { Page } from '../../../shared/domain/wire.ts';
import { refusedBy } from '../../support/clients/verify-webhook.ts';
import { read } from '../../support/documents.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { type Receiver, startReceiver } from '../../support/network/receiver.ts';
import { runCommand } from '../../support/processes/command.ts';
import { type CallOptions, KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { startSharedRedis } from '../../support/redis/shared-redis.ts';
import { until } from '../../support/until.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    redis: await startSharedRedis(),
    env: { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_RETRY_SCHEDULE_SECONDS: '1,1', RESULT_TTL_SECONDS: '3' },
  });
});
afterAll(() => gateway.stop());

const receivers: Receiver[] = [];
const receive: typeof startReceiver = async (behave) => {
  const receiver = await startReceiver(behave);
  receivers.push(receiver);
  return receiver;
};
afterEach(async () => {
  await expectInvariants(gateway.redis.url, { allRecordsStored: false });
  for (const receiver of receivers.splice(0)) await receiver.close();
});

const eventOf = ({ id }: Pick<Job, 'id'>): string => id.replace('job_', 'evt_');
const told = (receiver: Pick<Receiver, 'url'>, more: object = {}) => ({
  fields: { webhook: { url: receiver.url, ...more } },
});
const arrived = (receiver: Receiver, count = 1) =>
  until(`${count} arrived`, () => receiver.received.length >= count && receiver.received);
const post = async (path: string, body?: object, options: CallOptions = {}) =>
  gateway.call('POST', `/v1/webhooks/${path}`, { ...options, ...(body && { body }) });
const list = async (query = '', options: CallOptions = {}): Promise<Delivery[]> => {
  const { body } = await gateway.call('GET', `/v1/webhooks/deliveries${query}`, options);
  return (body as Page<Delivery>).data;
};
const delivery = async (job: Pick<Job, 'id'>): Promise<Delivery | undefined> => (await list(`?job_id=${job.id}`))[0];
const ended = (job: Pick<Job, 'id'>, status: Delivery['status']) =>
  until(`the delivery is ${status}`, async () => {
    const found = await delivery(job);
    return found?.status === status && found;
  });
const codes = ({ attempts }: Delivery): unknown[] => attempts.map(({ code, status }) => status ?? code);
const secretsNow = async (): Promise<string[]> => {
  const { body } = await gateway.call('GET', '/v1/webhooks/secret');
  const { secret, previous } = body as WebhookSecret;
  return previous ? [secret, previous.secret] : [secret];
};

describe('the event of a final job', () => {
  test('tells the job as the API shows it, once, and verifies with both verifiers', async () => {
    const receiver = await receive();
    const { id } = await gateway.submit('tell me', told({ url: `${receiver.url}/hook?x=1` }));
    const job = await gateway.finished(id);
    const [first] = await arrived(receiver);
    expect(first).toMatchObject({
      path: '/hook?x=1',
      id: eventOf(job),
      headers: { 'content-type': 'application/json' },
    });
    expect(JSON.parse(first?.body ?? '')).toEqual({ type: 'job.completed', timestamp: job.finished_at, data: job });
    expect(first && (await refusedBy(first, await secretsNow()))).toEqual([]);
    expect(first && (await refusedBy({ ...first, body: `${first.body} ` }, await secretsNow()))).toHaveLength(2);
    expect(await ended(job, 'delivered')).toMatchObject({
      type: 'job.completed',
      job_id: id,
      url: `${receiver.url}/hook?x=1`,
    });
    expect(receiver.received).toHaveLength(1);
  });

  const ENDS: [string, string, object, (id: string) => Promise<unknown>][] = [
    ['failed', 'no sandbox:status=400', {}, async () => {}],
    ['cancelled', 'no sandbox:fail=hang', {}, (id) => gateway.call('POST', `/v1/jobs/${id}/cancel`)],
    ['expired', 'no sandbox:fail=hang', { deadline_seconds: 1 }, async () => {}],
  ];
  test.each(ENDS)('is job.%s where that is its end, and nothing else is told', async (status, text, fields, act) => {
    const receiver = await receive();
    const { id } = await gateway.submit(text, { fields: { ...told(receiver).fields, ...fields } });
    await act(id);
    const [first] = await arrived(receiver);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ type: `job.${status}`, data: { id, status } });
    await ended({ id }, 'delivered');
    expect(receiver.received).toHaveLength(1);
  });

  test('is told only where the webhook asks for it', async () => {
    const receiver = await receive();
    const job = await gateway.finished((await gateway.submit('hush', told(receiver, { events: ['job.failed'] }))).id);
    expect(job.status).toBe('completed');
    expect(await list(`?job_id=${job.id}`)).toEqual([]);
    expect(receiver.received).toEqual([]);
  });
});

describe('a delivery that fails', () => {
  test('is tried again on schedule with the same id and body, also past the retention of its job', async () => {
    const receiver = await receive(() => (receiver.received.length < 3 ? 503 : 200));
    const { id } = await gateway.submit('again', told(receiver));
    await arrived(receiver, 3);
    const found = await ended({ id }, 'delivered');
    expect(codes(found)).toEqual([503, 503, 200]);
    expect(new Set(receiver.received.map((each) => each.id))).toEqual(new Set([eventOf({ id })]));
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const each of receiver.received) expect(await refusedBy(each, await secretsNow())).toEqual([]);
    await until(
      'the job can no longer be read',
      async () => (await gateway.call('GET', `/v1/jobs/${id}`)).status === 410,
    );
  });

  test('ends as failed when the schedule is used up, and is sent again on demand under its id', async () => {
    let status = 500;
    const receiver = await receive(() => status);
    const { id } = await gateway.submit('never', told(receiver));
    expect(codes(await ended({ id }, 'failed'))).toEqual([500, 500, 500]);
    // The record is kept for it, and for nobody else.
    await until(
      'the job can no longer be read',
      async () => (await gateway.call('GET', `/v1/jobs/${id}`)).status === 410,
    );

    status = 204;
    const path = `deliveries/${eventOf({ id })}/redeliver`;
    expect(await post(path, undefined, { key: KEYS.beta })).toMatchObject({ status: 404 });
    expect(await post(path)).toMatchObject({ status: 202, body: { id: eventOf({ id }), status: 'pending' } });
    expect(codes(await ended({ id }, 'delivered'))).toEqual([500, 500, 500, 204]);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    await until('the job is gone', async () => (await post(path)).status === 410);
  });

  test('is sent again with all others that failed since a time, and no other', async () => {
    let status = 500;
    const receiver = await receive(() => status);
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => (await gateway.submit('many', told(receiver))).id),
    );
    for (const id of ids) await ended({ id }, 'failed');
    const failed = await list('?status=failed&limit=100');
    expect(failed.map(({ job_id }) => job_id)).toEqual(expect.arrayContaining(ids));
    status = 200;
    const [newest] = failed.toSorted((a, b) => (b.finished_at ?? '').localeCompare(a.finished_at ?? ''));
    const later = new Date(Date.parse(newest?.finished_at ?? '') + 1).toISOString();
    expect(await post('deliveries/redeliver', { since: later })).toMatchObject({ status: 202, body: { count: 0 } });
    const since = new Date(Date.now() - 60_000).toISOString();
    expect(await post('deliveries/redeliver', { since }, { key: KEYS.beta })).toMatchObject({ body: { count: 0 } });
    expect(await post('deliveries/redeliver', { since })).toMatchObject({
      status: 202,
      body: { count: failed.length },
    });
    for (const id of ids) await ended({ id }, 'delivered');
  });

  test('is sent again at most once in 10 seconds, alone or with all others, and each call counts toward the requests', async () => {
    const receiver = await receive(() => 500);
    const { id } = await gateway.submit('again and again', told(receiver));
    await ended({ id }, 'failed');
    const path = `deliveries/${eventOf({ id })}/redeliver`;
    const first = await post(path);
    expect([first.status, first.headers.has('ratelimit')]).toEqual([202, true]);
    const since = new Date(Date.now() - 60_000).toISOString();
    for (let count = 0; count < 5; count++) {
      const again = await post(path);
      expect(again).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
      expect(again.headers.get('retry-after')).toBe('10');
    }
    await ended({ id }, 'failed');
    const sentBefore = receiver.of(eventOf({ id })).length;
    const all = await post('deliveries/redeliver', { since });
    expect([all.status, all.headers.has('ratelimit')]).toEqual([202, true]);
    expect((await list(`?job_id=${id}`)).map(({ status }) => status)).toEqual(['failed']);
    expect(receiver.of(eventOf({ id }))).toHaveLength(sentBefore);
  });

  test('with 410 disables its URL, and nothing is sent there until a redelivery or a test enables it again', async () => {
    let status = 410;
    const receiver = await receive(() => status);
    const { id: first } = await gateway.submit('gone', told(receiver));
    expect(codes(await ended({ id: first }, 'failed'))).toEqual([410]);
    const { id: second } = await gateway.submit('gone too', told(receiver));
    expect(await ended({ id: second }, 'failed')).toMatchObject({ reason: 'url_disabled', attempts: [] });
    // Another URL of the same endpoint, and the same URL of another tenant, are none of its business.
    const { id: other } = await gateway.submit('elsewhere', told({ url: `${receiver.url}/other` }));
    const foreign = await gateway.submit('not mine', { ...told(receiver), key: KEYS.beta });
    status = 200;
    await until(
      'both were tried',
      () => receiver.of(eventOf(foreign)).length + receiver.of(eventOf({ id: other })).length === 2,
    );

    expect(await post(`deliveries/${eventOf({ id: second })}/redeliver`)).toMatchObject({ status: 202 });
    await ended({ id: second }, 'delivered');
    await ended(await gateway.submit('welcome', told(receiver)), 'delivered');

    status = 410;
    await ended(await gateway.submit('gone again', told(receiver)), 'failed');
    status = 200;
    expect(await post('test', { url: receiver.url })).toMatchObject({ body: { delivered: true } });
    await ended(await gateway.submit('welcome back', told(receiver)), 'delivered');
  });

  test('of a job that was deleted ends, and tells nobody what was deleted', async () => {
    const receiver = await receive(() => 500);
    const { id } = await gateway.submit('forget me', told(receiver));
    await gateway.finished(id);
    expect(await gateway.call('DELETE', `/v1/jobs/${id}`)).toMatchObject({ status: 204 });
    const found = await ended({ id }, 'failed');
    expect(found.reason).toBe('subject_gone');
    expect(receiver.received.length).toBeLessThan(3);
    expect(await post(`deliveries/${eventOf({ id })}/redeliver`)).toMatchObject({ status: 410 });
  });
});

describe('a test event', () => {
  test('is signed, and answers with status and milliseconds', async () => {
    const receiver = await receive((_, response) => {
      response.writeHead(201).end('not for the tenant');
      return undefined;
    });
    const { status, body } = await post('test', { url: receiver.url });
    expect({ status, body }).toMatchObject({ status: 200, body: { delivered: true, status: 201, code: null } });
    expect(JSON.stringify(body)).not.toContain('not for');
    const [first] = receiver.received;
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ type: 'webhook.test', data: {} });
    expect(first && (await refusedBy(first, await secretsNow()))).toEqual([]);
  });

  test('says why it failed, and is not repeated', async () => {
    const receiver = await receive(() => 302);
    expect(await post('test', { url: receiver.url })).toMatchObject({
      body: { delivered: false, status: 302, code: 'redirect' },
    });
    expect(receiver.received).toHaveLength(1);
    await receiver.close();
    expect(await post('test', { url: receiver.url })).toMatchObject({
      body: { delivered: false, status: null, code: 'connect_failed' },
    });
    expect(await post('test', { url: 'ftp://example.com' })).toMatchObject({
      status: 400,
      body: { error: { code: 'webhook_url_refused', param: 'url' } },
    });
  });
});

describe('the secret', () => {
  test('is the same at each reading, and another tenant’s is another', async () => {
    const [mine] = await secretsNow();
    expect(mine).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect((await gateway.call('GET', '/v1/webhooks/secret')).body).toMatchObject({ secret: mine });
    const { body } = await gateway.call('GET', '/v1/webhooks/secret', { key: KEYS.beta });
    expect((body as WebhookSecret).secret).not.toBe(mine);
  });

  test('that is rotated under load: every delivery verifies with the old or the new one throughout', async () => {
    const receiver = await receive();
    const known = new Set(await secretsNow());
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < 120; index++) {
      sent.push(gateway.submit('load', told(receiver)));
      if (index % 40 === 20) {
        await arrived(receiver);
        const { body } = await post('secret/rotate', {});
        known.add((body as WebhookSecret).secret);
      }
      await sent.at(-3);
    }
    await Promise.all(sent);
    await arrived(receiver, 120);
    for (const each of receiver.received) expect(await refusedBy(each, [...known])).toEqual([]);
    expect(known.size).toBe(4);
    // Each was signed by the secret before and by the new one: a receiver that has either is content.
    const signatures = receiver.received.map(({ headers }) => String(headers['webhook-signature']).split(' ').length);
    expect(new Set(signatures)).toEqual(new Set([1, 2]));
  });

  test('before it signs no more once the overlap is over', async () => {
    const [old] = await secretsNow();
    expect(await post('secret/rotate', { overlap_seconds: 0 })).toMatchObject({
      status: 200,
      body: { previous: null },
    });
    const receiver = await receive();
    await post('test', { url: receiver.url });
    const [first] = receiver.received;
    expect(first && (await refusedBy(first, [old ?? '']))).toHaveLength(2);
    expect(first && (await refusedBy(first, await secretsNow()))).toEqual([]);
  });
});

test('the list goes through all deliveries in pages, newest first, and shows a tenant only its own', async () => {
  const all: Delivery[] = [];
  let query = '?limit=7';
  for (;;) {
    const { body } = await gateway.call('GET', `/v1/webhooks/deliveries${query}`);
    const { data, next_cursor } = body as Page<Delivery>;
    all.push(...data);
    if (next_cursor === null) break;
    query = `?limit=7&after=${next_cursor}`;
  }
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(all.length).toBeGreaterThan(120);
  const times = all.map(({ created_at }) => created_at);
  expect(times).toEqual(times.toSorted().toReversed());
  const foreign = await list('?limit=100', { key: KEYS.beta });
  expect(foreign.filter(({ id }) => all.some((each) => each.id === id))).toEqual([]);
  const { job_id } = all.find((each) => each.job_id !== null) ?? {};
  expect(await list(`?job_id=${job_id}`)).toHaveLength(1);
  expect(await list(`?job_id=${job_id}`, { key: KEYS.beta })).toEqual([]);
});

test('`npm run job` prints a job with its attempts and its delivery, and nothing of what was asked and answered', async () => {
  // A failed one keeps its job, which would otherwise be gone in 3 seconds.
  const receiver = await receive(() => 503);
  const fields = { ...told(receiver).fields, metadata: { order: 'a-private-number' } };
  const { id } = await gateway.submit('a private question sandbox:status=503 times=1', { fields });
  await ended({ id }, 'failed');
  const env = { ...gateway.env, SANDBOX: 'false' };
  const { code, stdout } = await runCommand('job', [id, '--json'], env);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    job: { id, tenant: 'acme', status: 'completed', attempts: [{ outcome: 'unavailable' }, { outcome: 'completed' }] },
    delivery: { id: eventOf({ id }), status: 'failed', attempts: [{ status: 503 }, { status: 503 }, { status: 503 }] },
  });
  const table = await runCommand('job', [id], env);
  expect(table).toMatchObject({ code: 0, stderr: '' });
  for (const { stdout: text } of [table, { stdout }]) expect(text).not.toMatch(/private|sandbox speaking/);
  expect(table.stdout).toMatch(/2 +\S+ +\S+ +completed/);
  expect(table.stdout).toMatch(/1 +\S+ +\d+ +503 +status/);
  expect(await runCommand('job', ['job_0'], env)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('looks like'),
  });
  const unknown = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`;
  expect(await runCommand('job', [unknown], env)).toMatchObject({ code: 1, stderr: expect.stringContaining('No job') });
});

describe('what the guide to webhooks shows', () => {
  /** Its pieces of code that verify; all but their port as they stand there. */
  const guide = read('docs/guides/webhooks.md');
  const [receiving = '', unwrapping = ''] = [...guide.matchAll(/```js\n([^`]*WEBHOOK_SECRET[^`]*)```/g)].map(
    ([, code = '']) => code,
  );
  const runIt = (code: string, secret: string) =>
    spawn(process.execPath, ['--input-type=module', '-e', code], {
      env: { PATH: process.env.PATH, WEBHOOK_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  test('as a receiver takes a test event and the outcome of a job, and refuses what another secret signed', async () => {
    const port = await findFreePort();
    const [secret = ''] = await secretsNow();
    const child = runIt(receiving.replace('5999', String(port)), secret);
    try {
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        told += text;
      });
      const url = `http://127.0.0.1:${port}`;
      await until('the receiver listens', () => fetch(url).then(Boolean, () => false));
      expect(await post('test', { url })).toMatchObject({ body: { status: 204 } });
      expect(await post('test', { url }, { key: KEYS.beta })).toMatchObject({ body: { status: 400 } });
      const job = await gateway.submit('for the receiver', { fields: { webhook: { url } } });
      await ended(job, 'delivered');
      const lines = told.trim().split('\n');
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(/^evt_\S+ webhook.test /);
      expect(lines[1]).toBe(`${eventOf(job)} job.completed ${job.id}`);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });

  test("for the OpenAI SDK verifies an event's body and headers", async () => {
    const receiver = await receive();
    await post('test', { url: receiver.url });
    const [first] = receiver.received;
    const [secret = ''] = await secretsNow();
    const given = `const body = ${JSON.stringify(first?.body)}; const headers = ${JSON.stringify(first?.headers)};\n`;
    const child = runIt(`${given}${unwrapping}\nconsole.log(event.type);`, secret);
    expect(await textOf(child.stdout)).toBe('webhook.test\n');
  });
});
