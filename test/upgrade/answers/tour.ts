/** A call of every kind, and a refusal of every kind that is cheap to bring about. */
import type { RecordedAnswer } from './exchange.ts';
import type { SentRequest, Stage } from './stage.ts';

type More = Partial<Pick<SentRequest, 'as' | 'headers' | 'body'>>;

export type Guide = {
  /**
   * Sends a request and records the answer; of a tenant of the configuration, if not said
   * otherwise.
   */
  ask: (call: string, path: string, more?: More) => Promise<RecordedAnswer>;
  /** The same until the answer is like that, which alone is recorded. */
  wait: (
    call: string,
    path: string,
    isLike: (answer: RecordedAnswer) => boolean,
    more?: More,
  ) => Promise<RecordedAnswer>;
};

/** The casts of this file: each answer is one of the tour's own, and its form is known. */
const memberOf = (answer: RecordedAnswer, name: string): string => {
  const value = (answer.body as Record<string, unknown>)[name];
  if (typeof value !== 'string') throw new Error(`no ${name} in ${JSON.stringify(answer)}`);
  return value;
};
const idOf = (answer: RecordedAnswer): string => memberOf(answer, 'id');
const statusIs =
  (...statuses: string[]) =>
  ({ body }: RecordedAnswer): boolean =>
    statuses.includes(String((body as { status?: unknown }).status));

const saying = (content: string, more: object = {}) => ({ messages: [{ role: 'user', content }], ...more });
const lineOf = (custom_id: string, text = custom_id) => ({ custom_id, body: saying(text) });
const USER = { 'X-User-API-Key': 'sk-proj-test0000000000000000', 'X-User-Provider': 'openai' };
const AT_ONCE = { Prefer: 'wait=20' };
const operator = { as: 'operator' };

export const COMPLETE = 'POST /v1/complete';
const READ_JOB = 'GET /v1/jobs/{id}';
const SUBMIT_BATCH = 'POST /v1/batches';
const READ_BATCH = 'GET /v1/batches/{id}';

const jobs = async ({ ask, wait }: Guide): Promise<void> => {
  const submitted = { headers: { 'Idempotency-Key': 'job-1' }, body: saying('Hello!', { metadata: { order: '42' } }) };
  const id = idOf(await ask(COMPLETE, '/v1/complete', submitted));
  const done = await wait(READ_JOB, `/v1/jobs/${id}?wait=10`, statusIs('completed'));
  const etag = done.headers.etag ?? '';
  await ask(READ_JOB, `/v1/jobs/${id}`, { headers: { 'If-None-Match': etag } });
  await ask(COMPLETE, '/v1/complete', submitted);
  await ask(COMPLETE, '/v1/complete', { ...submitted, body: saying('Another.') });
  await ask(COMPLETE, '/v1/complete', { headers: AT_ONCE, body: saying('Hello!') });
  await ask(COMPLETE, '/v1/complete', { headers: { ...AT_ONCE, ...USER }, body: saying('Hi.', { model: 'gpt-4o' }) });
  for (const refusal of ['status=400', 'status=404', 'status=422', 'fail=error-in-200'])
    await ask(COMPLETE, '/v1/complete', { headers: AT_ONCE, body: saying(`sandbox:${refusal}`) });
  for (const refusal of ['status=401', 'status=402', 'fail=quota']) {
    const headers = { ...AT_ONCE, ...USER };
    await ask(COMPLETE, '/v1/complete', { headers, body: saying(`sandbox:${refusal}`, { model: 'gpt-4o' }) });
  }
  const page = await ask('GET /v1/jobs', '/v1/jobs?limit=2');
  const cursor = memberOf(page, 'next_cursor');
  await ask('GET /v1/jobs', `/v1/jobs?limit=2&after=${cursor}`);
  await ask('GET /v1/jobs', '/v1/jobs?status=failed&limit=1');
  await ask('POST /v1/jobs/{id}/cancel', `/v1/jobs/${id}/cancel`);
  await ask('DELETE /v1/jobs/{id}', `/v1/jobs/${id}`);
  await ask(READ_JOB, `/v1/jobs/${id}`);
};

const batches = async ({ ask, wait }: Guide): Promise<void> => {
  const submitted = {
    headers: { 'Idempotency-Key': 'batch-1' },
    body: { requests: [lineOf('a', 'sandbox:status=400')], metadata: { order: '42' } },
  };
  const id = idOf(await ask(SUBMIT_BATCH, '/v1/batches', submitted));
  const place = `/v1/batches/${id}`;
  const done = await wait(READ_BATCH, `${place}?wait=10`, statusIs('failed'));
  const etag = done.headers.etag ?? '';
  await ask(READ_BATCH, place, { headers: { 'If-None-Match': etag } });
  await ask(SUBMIT_BATCH, '/v1/batches', submitted);
  await ask('GET /v1/batches', '/v1/batches');
  await ask('GET /v1/jobs', `/v1/jobs?batch_id=${id}`);
  const results = await ask('GET /v1/batches/{id}/results', `${place}/results`);
  const [first] = results.body as { cursor: string }[];
  await ask('GET /v1/batches/{id}/results', `${place}/results?after=${first?.cursor}`);
  const again = { headers: { 'Idempotency-Key': 'batch-2' }, body: { only: ['failed'] } };
  const child = idOf(await ask('POST /v1/batches/{id}/retry', `${place}/retry`, again));
  await wait(READ_BATCH, `/v1/batches/${child}?wait=10`, statusIs('failed'));
  await ask('POST /v1/batches/{id}/retry', `${place}/retry`, again);
  await ask('POST /v1/batches/{id}/cancel', `/v1/batches/${child}/cancel`);
  const ndjson = ['b', 'c'].map((each) => JSON.stringify(lineOf(each))).join('\n');
  const upload = { headers: { 'Content-Type': 'application/x-ndjson' }, body: ndjson };
  const whole = idOf(await ask(SUBMIT_BATCH, '/v1/batches', upload));
  await wait(READ_BATCH, `/v1/batches/${whole}?wait=10`, statusIs('completed'));
  await ask('POST /v1/batches/{id}/retry', `/v1/batches/${whole}/retry`, again);
  await ask('POST /v1/batches/{id}/retry', `/v1/batches/${whole}/retry`, { body: { only: ['failed'] } });
  await ask('GET /v1/usage', `/v1/usage?batch_id=${whole}`);
  await ask(SUBMIT_BATCH, '/v1/batches', { body: { requests: [{}, lineOf('a')] } });
  await ask('DELETE /v1/batches/{id}', place);
  await ask(READ_BATCH, place);
  await ask(READ_BATCH, '/v1/batches/batch_0');
};

const webhooks = async ({ ask, wait }: Guide, { receiver }: Stage): Promise<void> => {
  const all = '/v1/webhooks';
  await ask('GET /v1/webhooks/secret', `${all}/secret`);
  await ask('POST /v1/webhooks/secret/rotate', `${all}/secret/rotate`, { body: { overlap_seconds: 60 } });
  const tested = await ask('POST /v1/webhooks/test', `${all}/test`, { body: { url: receiver.url } });
  const webhook = { url: receiver.url, events: ['job.completed'] };
  const headers = AT_ONCE;
  const { id } = (await ask(COMPLETE, '/v1/complete', { headers, body: saying('Told.', { webhook }) })).body as {
    id: string;
  };
  await wait('GET /v1/webhooks/deliveries', `${all}/deliveries?job_id=${id}`, ({ body }) =>
    JSON.stringify(body).includes('"status":"delivered"'),
  );
  await ask('POST /v1/webhooks/deliveries/{id}/redeliver', `${all}/deliveries/${idOf(tested)}/redeliver`);
  const since = { since: '2026-01-01T00:00:00Z' };
  await ask('POST /v1/webhooks/deliveries/redeliver', `${all}/deliveries/redeliver`, { body: since });
  await ask('POST /v1/webhooks/test', `${all}/test`, { body: { url: 'ftp://example.com' } });
};

const tenants = async ({ ask, wait }: Guide): Promise<void> => {
  const tenant = idOf(await ask('POST /admin/tenants', '/admin/tenants', { ...operator, body: { name: 'Recorded' } }));
  const place = `/admin/tenants/${tenant}`;
  await ask('GET /admin/tenants', '/admin/tenants', operator);
  await ask('GET /admin/tenants/{id}', place, operator);
  const issued = await ask('POST /admin/tenants/{id}/keys', `${place}/keys`, { ...operator, body: { name: 'first' } });
  const keys = `${place}/keys`;
  const narrow = { name: 'narrow', scopes: ['usage:read'] };
  const reads = memberOf(await ask('POST /admin/tenants/{id}/keys', keys, { ...operator, body: narrow }), 'secret');
  // Before jobs run, whose rows come when they come.
  await ask('GET /admin/audit', `/admin/audit?tenant=${tenant}`, operator);
  await ask(COMPLETE, '/v1/complete', { as: reads, body: saying('Hello!') });
  const change = async (changes: object): Promise<void> => {
    const { status, body } = await ask('PATCH /admin/tenants/{id}', place, { ...operator, body: changes });
    if (status !== 200) throw new Error(`not changed: ${status} ${JSON.stringify(body)}`);
  };
  /**
   * By a key of its own: a change holds at once for one that nobody remembers, and within seconds
   * for the others.
   */
  const refused = async (code: string, body: object = saying('Hello!'), headers: Record<string, string> = {}) => {
    const as = memberOf(
      await ask('POST /admin/tenants/{id}/keys', keys, { ...operator, body: { name: code } }),
      'secret',
    );
    const isRefused = (answer: RecordedAnswer): boolean => JSON.stringify(answer.body).includes(`"${code}"`);
    await wait(COMPLETE, '/v1/complete', isRefused, { as, headers, body });
  };
  await change({ allowed_models: ['gpt-4o'], weight: 3 });
  await refused('model_not_allowed');
  await change({ allowed_models: null, limits: { monthly_budget_usd: 0.01, monthly_user_budget_usd: 1 } });
  await refused('budget_exceeded', saying('Hello!', { max_tokens: 100_000 }));
  await refused('model_unpriced', saying('Hello!', { model: 'no-such-model' }), USER);
  await change({ limits: { monthly_budget_usd: null, max_stored_bytes: 1 } });
  await refused('body_too_large');
  await change({ limits: { max_stored_bytes: 4_096 } });
  await refused('too_many_stored_bytes');
  await change({ limits: { max_stored_bytes: null, max_queued: 1, max_in_flight: 1 } });
  await refused('too_many_queued', saying('sandbox:fail=hang'));
  await change({ limits: { max_queued: null, requests_per_minute: 1 } });
  await refused('rate_limited');
  await change({ disabled: true });
  await refused('tenant_disabled');
  const { id } = issued.body as { id: string };
  // When a key was last used is noted a little later; the first was not.
  const isNoted = ({ body }: RecordedAnswer) => JSON.stringify(body).split('"last_used_at":null').length === 2;
  await wait('GET /admin/tenants/{id}/keys', keys, isNoted, operator);
  const rotated = await ask('POST /admin/tenants/{id}/keys/{keyId}/rotate', `${keys}/${id}/rotate`, operator);
  await ask('DELETE /admin/tenants/{id}/keys/{keyId}', `${keys}/${idOf(rotated)}`, operator);
  await ask('POST /admin/tenants/{id}/cancel', `${place}/cancel`, operator);
  await ask('GET /admin/tenants/{id}/work', `${place}/work`, operator);
  await ask('DELETE /admin/tenants/{id}', place, operator);
  await ask('GET /admin/queues', '/admin/queues', operator);
  await ask('GET /admin/tenants/{id}', '/admin/tenants/ten_0', operator);
  await ask('POST /admin/tenants', '/admin/tenants', { ...operator, body: { name: '' } });
  await ask('GET /admin/queues', '/admin/queues');
};

const operations = async ({ ask }: Guide): Promise<void> => {
  await ask('GET /v1/usage', '/v1/usage');
  await ask('GET /v1/usage', '/v1/usage?group_by=day,provider,model,credential');
  for (const path of ['/', '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs'])
    await ask(`GET ${path}`, path, { as: null });
};

const refusals = async ({ ask }: Guide): Promise<void> => {
  const complete = (more: More = {}, query = '') =>
    ask(COMPLETE, `/v1/complete${query}`, { body: saying('Hello!'), ...more });
  await complete({ as: null });
  await complete({ as: 'no-such-key' });
  await complete({ body: '{' });
  await complete({ body: {} });
  await complete({ body: saying('Hello!', { unknown: 1 }) });
  await complete({}, '?a=b');
  await complete({ headers: { 'Content-Type': 'text/plain' } });
  await complete({ headers: { Prefer: 'wait=0' } });
  await complete({ headers: { 'X-User-Provider': 'openai' } });
  await complete({ headers: { ...USER, 'X-User-Provider': 'no-such-provider' } });
  await complete({ headers: { 'X-User-API-Key': USER['X-User-API-Key'] } });
  await complete({ headers: { ...USER, 'X-User-API-Key': 'no-such-key-0000' } });
  const anthropic = { 'X-User-API-Key': 'sk-ant-api03-test0000000000000000', 'X-User-Provider': 'anthropic' };
  await complete({ headers: anthropic, body: saying('Hello!', { model: 'model-1', temperature: 1.1 }) });
  await complete({ body: saying('Hello!', { webhook: { url: 'ftp://example.com' } }) });
  await complete({ headers: { 'X-Other': 'x'.repeat(17_000) } });
  await ask(COMPLETE, '/v1/complet%65', { body: saying('Hello!') });
  await ask('PATCH /v1/complete', '/v1/complete');
  await ask('GET /v1/no-such-path', '/v1/no-such-path');
  await ask('GET /v1/jobs', '/v1/jobs?limit=0');
  await ask(READ_JOB, '/v1/jobs/job_0');
  await ask('DELETE /v1/jobs/{id}', '/v1/jobs/job_0');
  await ask('POST /v1/jobs/{id}/cancel', '/v1/jobs/job_0/cancel');
  await ask('GET /v1/usage', '/v1/usage?from=2026-02-30');
};

/** The same way each time, on a gateway that nobody has used. */
export const tour = async (guide: Guide, stage: Stage): Promise<void> => {
  await jobs(guide);
  await batches(guide);
  await webhooks(guide, stage);
  await tenants(guide);
  await operations(guide);
  await refusals(guide);
};
