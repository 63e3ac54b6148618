import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../../api/interface.ts';
import { createDocument, documentPath } from '../../../api/operations/openapi/document.ts';
import type { Batch } from '../../../shared/domain/batches/schema.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { line } from '../../support/clients/batches.ts';
import { createAnswerCheck, createEventCheck } from '../../support/clients/openapi.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { startReceiver } from '../../support/network/receiver.ts';
import {
  ANTHROPIC_KEY,
  type CallOptions,
  KEYS,
  OPENAI_KEY,
  startGateway,
  type TestGateway,
  userKey,
} from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const document = createDocument(OPERATIONS, () => true);

const CHROMIUM = ['chromium', 'chromium-browser'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
if (CHROMIUM === undefined)
  process.stdout.write('Skipped: this machine has no Chromium, so no browser opens the page of the interface.\n');

test('every call of the interface is in the document, and no other', () => {
  const calls = OPERATIONS.map(({ method, path }) => `${method} ${documentPath(path)}`);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.toSorted()).toEqual(calls.toSorted());
});

test('it is a valid OpenAPI 3.1 document, of which every part that is named exists', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  const named = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name,
  );
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining([...new Set(named)]));
});

test('requests are described as they are checked', () => {
  const { CompletionRequest, Message } = document.components.schemas;
  expect(CompletionRequest).toMatchObject({
    required: ['messages'],
    additionalProperties: false,
    properties: {
      messages: { type: 'array', minItems: 1, maxItems: 1_000, items: { $ref: '#/components/schemas/Message' } },
      max_tokens: { type: 'integer', minimum: 1, maximum: 1_000_000 },
      metadata: { type: 'object', maxProperties: 16, additionalProperties: { type: 'string', maxLength: 512 } },
    },
  });
  expect(Message?.oneOf).toMatchObject([
    { required: ['role', 'content'], additionalProperties: false },
    { required: ['role', 'content'], additionalProperties: false },
    { required: ['role', 'content'], additionalProperties: false },
    { required: ['role', 'tool_call_id', 'content'], additionalProperties: false },
  ]);
  expect(document.paths['/v1/jobs']?.get?.parameters).toContainEqual({
    name: 'limit',
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
  });
});

test('what can be said of a completion is explained, field by field', () => {
  const { CompletionRequest, BatchRequest, BatchLine } = document.components.schemas;
  const fields = [CompletionRequest, BatchRequest, BatchLine].flatMap((schema) =>
    Object.entries((schema?.properties ?? {}) as Record<string, { description?: string }>),
  );
  expect(fields.length).toBeGreaterThan(10);
  expect(fields.filter(([, { description }]) => !description)).toEqual([]);
});

test('without an operator’s token there is no word of the operator’s calls', () => {
  expect(JSON.stringify(createDocument(OPERATIONS, ({ access }) => access !== 'operator'))).not.toMatch(
    /\/admin|ADMIN_TOKEN/,
  );
});

describe('a running gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ env: { WEBHOOK_ALLOW_PRIVATE: 'true', ADMIN_TOKEN } });
  });
  afterAll(() => gateway.stop());

  const check = createAnswerCheck(document);
  const seen = new Set<string>();
  /** Makes a call, and fails where its answer is not as described. */
  const call = async (of: string, path: string, options: CallOptions = {}) => {
    const [method = ''] = of.split(' ');
    const answer = await gateway.call(method, path, options);
    expect(check(of, answer)).toBeNull();
    seen.add(`${of} ${answer.status}`);
    return answer;
  };
  const SLOW = [{ role: 'user', content: 'Hello! sandbox:delay=2500' }] as const;
  const REJECTED = [{ role: 'user', content: 'sandbox:status=400' }] as const;
  /** A call that is held until its job ends, hop by hop. */
  const held = async (path: string, body: object): Promise<void> => {
    const base = path.startsWith('/openai') ? '/openai/v1' : '/anthropic/v1';
    const key = base === '/openai/v1' ? OPENAI_KEY : ANTHROPIC_KEY;
    let [of, at]: [string, string | null] = [`POST ${path}`, path];
    while (at !== null) {
      const isFirst = of.startsWith('POST');
      const answer = await fetch(`${gateway.apis[0]?.url}${at}`, {
        method: isFirst ? 'POST' : 'GET',
        redirect: 'manual',
        headers: {
          'X-API-Key': KEYS.acme,
          Prefer: 'wait=1',
          ...(isFirst ? { 'Content-Type': 'application/json', 'X-User-API-Key': key } : {}),
        },
        ...(isFirst ? { body: JSON.stringify(body) } : {}),
      });
      const text = await answer.text();
      expect(
        check(of, {
          status: answer.status,
          headers: answer.headers,
          body: answer.status < 400 ? null : JSON.parse(text),
        }),
      ).toBeNull();
      seen.add(`${of} ${answer.status}`);
      [of, at] = [`GET ${base}/_wait/{id}`, answer.headers.get('location')];
    }
  };
  const admin = async (of: string, path: string, body?: unknown) => {
    const [method = ''] = of.split(' ');
    const answer = await operate(gateway).call(method, path, body);
    expect(check(of, answer)).toBeNull();
    seen.add(`${of} ${answer.status}`);
    return answer.body as { id: string };
  };

  test('serves the document, and a page that carries all it needs', async () => {
    expect((await call('GET /openapi.json', '/openapi.json')).body).toEqual(JSON.parse(JSON.stringify(document)));
    const page = await fetch(`${gateway.apis[0]?.url}/docs`);
    expect(check('GET /docs', { status: page.status, headers: page.headers, body: null })).toBeNull();
    seen.add(`GET /docs ${page.status}`);
    for (const path of ['/openapi.json', '/docs']) {
      const { headers } = await fetch(`${gateway.apis[0]?.url}${path}`);
      for (const tag of [headers.get('etag') ?? '', `W/${headers.get('etag')}`, `"other", ${headers.get('etag')}`]) {
        const again = await fetch(`${gateway.apis[0]?.url}${path}`, { headers: { 'If-None-Match': tag } });
        expect(again.status).toBe(304);
        expect(check(`GET ${path}`, { status: 304, headers: again.headers, body: null })).toBeNull();
      }
      seen.add(`GET ${path} 304`);
      const plain = await fetch(`${gateway.apis[0]?.url}${path}`, { headers: { 'Accept-Encoding': 'gzip;q=0, br' } });
      expect(plain.headers.has('content-encoding')).toBe(false);
      expect(plain.headers.get('etag')).not.toBe(headers.get('etag'));
      expect(headers.get('content-encoding')).toBe('gzip');
    }
    const home = await fetch(`${gateway.apis[0]?.url}/`, { redirect: 'manual' });
    expect(check('GET /', { status: home.status, headers: home.headers, body: null })).toBeNull();
    expect(home.headers.get('location')).toBe('/docs');
    seen.add(`GET / ${home.status}`);
    const metrics = await fetch(`${gateway.apis[0]?.url}/metrics`);
    expect(check('GET /metrics', { status: metrics.status, headers: metrics.headers, body: null })).toBeNull();
    seen.add(`GET /metrics ${metrics.status}`);
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    const html = await page.text();
    expect(html).not.toMatch(/ (?:src|href)="(?![#/])| style="| on\w+="|@import|url\(/);
    for (const path of Object.keys(document.paths)) expect(html).toContain(`<code>${path}</code>`);
  });

  test.skipIf(CHROMIUM === undefined)('the page works in a browser under its own policy', async () => {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr', '--dump-dom'];
    const { stdout, stderr } = await promisify(execFile)(CHROMIUM ?? '', [...flags, `${gateway.apis[0]?.url}/docs`], {
      maxBuffer: 64 * 1_048_576,
    });
    expect(stderr.match(/^.*(Refused|Content Security Policy|Uncaught).*$/gim)).toBeNull();
    // The script shows the field.
    expect(stdout).toContain('<p><label for="filter">');
  });

  test('answers as the document says, whatever succeeds', async () => {
    const body = { messages: [{ role: 'user', content: 'Hello!' }], metadata: { order: '42' } };
    const headers = { 'Idempotency-Key': 'openapi-1' };
    const { id } = (await call('POST /v1/complete', '/v1/complete', { body, headers })).body as Job;
    await gateway.finished(id);
    await call('POST /v1/complete', '/v1/complete', { body, headers });
    await call('POST /v1/complete', '/v1/complete', {
      body: { ...body, model: 'gpt-4o' },
      headers: { ...userKey(), Prefer: 'wait=20' },
    });
    for (const [path, foreign, provider] of [
      ['/openai/v1/chat/completions', { model: 'gpt-4o-mini', messages: body.messages }, 'openai'],
      ['/openai/v1/responses', { model: 'gpt-4o-mini', input: 'Hello!' }, 'openai'],
      ['/openai/v1/embeddings', { model: 'text-embedding-3-small', input: 'Hello!' }, 'openai'],
      ['/anthropic/v1/messages', { model: 'claude-opus-4-8', max_tokens: 10, messages: body.messages }, 'anthropic'],
      ['/anthropic/v1/messages/count_tokens', { model: 'claude-opus-4-8', messages: body.messages }, 'anthropic'],
    ] as const) {
      const asked = {
        body: foreign,
        headers: {
          ...userKey(provider === 'openai' ? OPENAI_KEY : ANTHROPIC_KEY, provider),
          Prefer: 'respond-async',
          'Idempotency-Key': `openapi ${path}`,
        },
      };
      const job = (await call(`POST ${path}`, path, asked)).body as Job;
      expect((await gateway.finished(job.id)).status).toBe('completed');
      await call(`POST ${path}`, path, asked);
      await call('GET /v1/jobs/{id}/answer', `/v1/jobs/${job.id}/answer`);
    }
    await Promise.all([
      held('/openai/v1/chat/completions', { model: 'gpt-4o-mini', messages: SLOW }),
      held('/openai/v1/responses', { model: 'gpt-4o-mini', input: SLOW[0].content }),
      held('/openai/v1/embeddings', { model: 'text-embedding-3-small', input: SLOW[0].content }),
      held('/anthropic/v1/messages', { model: 'claude-opus-4-8', max_tokens: 10, messages: SLOW }),
      held('/anthropic/v1/messages/count_tokens', { model: 'claude-opus-4-8', messages: SLOW }),
      held('/openai/v1/chat/completions', { model: 'gpt-4o-mini', messages: REJECTED }),
      held('/anthropic/v1/messages', { model: 'claude-opus-4-8', max_tokens: 10, messages: REJECTED }),
    ]);
    for (const [list, id] of [
      ['/openai/v1/models', 'amazon.nova-lite-v1:0'],
      ['/anthropic/v1/models', 'amazon.nova-lite-v1:0'],
    ] as const) {
      await call(`GET ${list}`, list);
      await call(`GET ${list}/{model}`, `${list}/${id}`);
      await call(`GET ${list}/{model}`, `${list}/none`);
    }
    const failing = await gateway.submit('sandbox:status=400');
    await gateway.finished(failing.id);
    await call('GET /v1/jobs/{id}', `/v1/jobs/${failing.id}`);
    const read = await call('GET /v1/jobs/{id}', `/v1/jobs/${id}?wait=1`);
    await call('GET /v1/jobs/{id}', `/v1/jobs/${id}`, {
      headers: { 'If-None-Match': read.headers.get('etag') ?? '' },
    });
    const running = await gateway.submit('sandbox:fail=hang');
    await until('it runs', async () => (await gateway.read(running.id)).status === 'in_progress');
    await call('GET /v1/jobs/{id}', `/v1/jobs/${running.id}`);
    await call('GET /v1/jobs', '/v1/jobs?limit=2');
    // While its worker stands still the call goes on.
    gateway.workers[0]?.signal('SIGSTOP');
    await call('POST /v1/jobs/{id}/cancel', `/v1/jobs/${running.id}/cancel`);
    gateway.workers[0]?.signal('SIGCONT');
    await gateway.finished(running.id);
    await call('POST /v1/jobs/{id}/cancel', `/v1/jobs/${running.id}/cancel`);
    await call('GET /v1/usage', '/v1/usage');
    await call('GET /v1/usage', '/v1/usage?group_by=model');
    await call('DELETE /v1/jobs/{id}', `/v1/jobs/${id}`);
    await call('GET /healthz', '/healthz');
    await call('GET /readyz', '/readyz');

    const receiver = await startReceiver();
    const webhooks = '/v1/webhooks';
    await call('GET /v1/webhooks/secret', `${webhooks}/secret`);
    await call('POST /v1/webhooks/secret/rotate', `${webhooks}/secret/rotate`);
    const test = await call('POST /v1/webhooks/test', `${webhooks}/test`, { body: { url: receiver.url } });
    await receiver.close();
    await call('GET /v1/webhooks/deliveries', `${webhooks}/deliveries`);
    const { id: delivery } = test.body as { id: string };
    await call('POST /v1/webhooks/deliveries/{id}/redeliver', `${webhooks}/deliveries/${delivery}/redeliver`);
    const since = { since: '2026-01-01T00:00:00Z' };
    await call('POST /v1/webhooks/deliveries/redeliver', `${webhooks}/deliveries/redeliver`, { body: since });

    const tenant = await admin('POST /admin/tenants', '/admin/tenants', { name: 'described' });
    const place = `/admin/tenants/${tenant.id}`;
    await admin('GET /admin/tenants', '/admin/tenants');
    await admin('GET /admin/tenants/{id}', place);
    await admin('PATCH /admin/tenants/{id}', place, { weight: 3, allowed_models: ['gpt-4o'] });
    const key = await admin('POST /admin/tenants/{id}/keys', `${place}/keys`, { name: 'described' });
    await admin('POST /admin/tenants/{id}/keys/{keyId}/rotate', `${place}/keys/${key.id}/rotate`);
    await admin('GET /admin/tenants/{id}/keys', `${place}/keys`);
    await admin('DELETE /admin/tenants/{id}/keys/{keyId}', `${place}/keys/${key.id}`);
    await admin('POST /admin/tenants/{id}/cancel', `${place}/cancel`);
    await admin('DELETE /admin/tenants/{id}', place);
    await admin('GET /admin/tenants/{id}/work', `${place}/work`);
    await admin('GET /admin/audit', '/admin/audit');
    await admin('GET /admin/queues', '/admin/queues');
  });

  test('answers as the document says, whatever becomes of a batch', async () => {
    const submitted = {
      body: { requests: [line('a', 'sandbox:status=400')], metadata: { order: '42' } },
      headers: { 'Idempotency-Key': 'openapi-2' },
    };
    const batch = (await call('POST /v1/batches', '/v1/batches', submitted)).body as { id: string };
    const place = `/v1/batches/${batch.id}`;
    await until('it has ended', async () => {
      const { body } = await call('GET /v1/batches/{id}', `${place}?wait=1`);
      return (body as Batch).finished_at !== null;
    });
    await call('POST /v1/batches', '/v1/batches', submitted);
    const tag = (await call('GET /v1/batches/{id}', place)).headers.get('etag') ?? '';
    await call('GET /v1/batches/{id}', place, { headers: { 'If-None-Match': tag } });
    await call('GET /v1/batches', '/v1/batches');
    await call('GET /v1/jobs', `/v1/jobs?batch_id=${batch.id}`);
    await call('GET /v1/batches/{id}/results', `${place}/results`);
    const again = { headers: { 'Idempotency-Key': 'openapi-3' } };
    const child = (await call('POST /v1/batches/{id}/retry', `${place}/retry`, again)).body as { id: string };
    await until('it has ended too', async () => {
      const { status } = await call('POST /v1/batches/{id}/retry', `${place}/retry`, again);
      return status === 200;
    });
    await call('POST /v1/batches/{id}/cancel', `/v1/batches/${child.id}/cancel`);
    const slow = { body: { requests: [line('a', 'sandbox:fail=hang')] } };
    const hanging = (await call('POST /v1/batches', '/v1/batches', slow)).body as { id: string };
    await until('it runs', async () => {
      const { body } = await call('GET /v1/batches/{id}', `/v1/batches/${hanging.id}`);
      return (body as Batch).request_counts.in_progress === 1;
    });
    // It cannot end the call before the answer is made.
    const [worker] = gateway.workers;
    worker?.signal('SIGSTOP');
    await call('POST /v1/batches/{id}/cancel', `/v1/batches/${hanging.id}/cancel`);
    worker?.signal('SIGCONT');
    await call('DELETE /v1/batches/{id}', place);
  });

  test('answers a test event that is pending when nobody can wait any longer with its delivery, which arrives all the same', async () => {
    let answer = (): void => {};
    const receiver = await startReceiver((_, response) => {
      answer = () => response.writeHead(204).end();
      return undefined;
    });
    const api = await gateway.addApi();
    gateway.apis.splice(gateway.apis.indexOf(api), 1);
    await until('it is ready', async () => (await gateway.call('GET', '/readyz', { api })).status === 200);
    const asked = call('POST /v1/webhooks/test', '/v1/webhooks/test', { body: { url: receiver.url }, api });
    await until('it is under way', () => receiver.received.length === 1);
    await api.stop();
    const { status, body } = await asked;
    expect({ status, body }).toMatchObject({ status: 202, body: { type: 'webhook.test', status: 'pending' } });
    answer();
    await until('it arrived', async () => {
      const delivered = await gateway.call('GET', '/v1/webhooks/deliveries?status=delivered');
      return JSON.stringify(delivered.body).includes((body as { id: string }).id);
    });
    await receiver.close();
  });

  test('events come as the document says', async () => {
    const wrong = createEventCheck(document);
    const receiver = await startReceiver();
    const webhook = { url: receiver.url };
    await gateway.submit('told of', { fields: { webhook } });
    await gateway.submit('sandbox:status=400', { fields: { webhook } });
    await call('POST /v1/batches', '/v1/batches', { body: { requests: [line('a', 'Hello!')], webhook } });
    await until('all arrived', () => receiver.received.length === 3);
    for (const { body } of receiver.received) {
      const event = JSON.parse(body) as { type: string };
      expect(wrong(event.type.startsWith('job.') ? 'JobEvent' : 'BatchEvent', event)).toBeNull();
      expect(wrong(event.type.startsWith('job.') ? 'BatchEvent' : 'JobEvent', event)).not.toBeNull();
    }
    await receiver.close();
  });

  test('answers as the document says, whatever is refused', async () => {
    const complete = 'POST /v1/complete';
    const body = { messages: [{ role: 'user', content: 'Hello!' }] };
    await call(complete, '/v1/complete', { key: 'wrong', body });
    await call(complete, '/v1/complete', { body: '{' });
    await call(complete, '/v1/complete', { body: {} });
    await call(complete, '/v1/complete?a=b', { body });
    await call(complete, '/v1/complete', { body, headers: { 'Content-Type': 'text/plain' } });
    await call(complete, '/v1/complete', { body: 'x'.repeat(1_048_577) });
    await call(complete, '/v1/complete', { body, headers: { 'X-User-Provider': 'openai' } });
    await call(complete, '/v1/complete', { body, headers: { Prefer: 'wait=0' } });
    await call(complete, '/v1/complete', { body, headers: { 'Idempotency-Key': 'openapi-1' } });
    await call('GET /v1/jobs', '/v1/jobs?limit=0');
    await call('GET /v1/jobs', '/v1/jobs?batch_id=batch_0');
    await call('POST /v1/batches', '/v1/batches', { body: { requests: [{}] } });
    await call('GET /v1/batches/{id}', '/v1/batches/batch_0');
    await call('GET /v1/jobs/{id}', '/v1/jobs/job_0');
    await call('DELETE /v1/jobs/{id}', '/v1/jobs/job_0');
    await call('POST /v1/jobs/{id}/cancel', '/v1/jobs/job_0/cancel');
    await call('GET /v1/usage', '/v1/usage?from=2026-02-30');
    for (const path of [
      '/openai/v1/chat/completions',
      '/openai/v1/responses',
      '/openai/v1/embeddings',
      '/anthropic/v1/messages',
      '/anthropic/v1/messages/count_tokens',
    ]) {
      await call(`POST ${path}`, path, { key: 'wrong', body: {} });
      await call(`POST ${path}`, path, { body: {} });
      await call(`POST ${path}`, path, { body: '{', headers: userKey() });
      await call(`POST ${path}`, path, { body: {}, headers: { ...userKey(), Prefer: 'respond-async' } });
      await call(`POST ${path}`, `${path}?a=b`, { body: {} });
    }
    await call('GET /v1/jobs/{id}/answer', '/v1/jobs/job_0/answer');
    await admin('GET /admin/tenants/{id}', '/admin/tenants/ten_0');
    await admin('POST /admin/tenants', '/admin/tenants', { name: '' });
    await call('GET /admin/queues', '/admin/queues');
  });

  test('every answer that the document promises was seen by these tests', () => {
    const promised = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.keys(responses)
          .filter((status) => Number(status) < 400)
          .map((status) => `${method.toUpperCase()} ${path} ${status}`),
      ),
    );
    expect(promised.filter((answer) => !seen.has(answer))).toEqual([]);
  });
});
