/** How calls in a provider's own words end without an answer: their job failed, or their client is gone. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import {
  type PlannedAnswer,
  type RecordingProvider,
  startRecordingProvider,
  WHOLE_ANSWERS,
} from '../../support/network/recording-provider.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

let provider: RecordingProvider;
let gateway: TestGateway;
beforeAll(async () => {
  provider = await startRecordingProvider();
  gateway = await startGateway({
    env: {
      PROVIDER_OPENAI_URL: provider.urls.openai,
      PROVIDER_ANTHROPIC_URL: provider.urls.anthropic,
      MAX_ATTEMPTS: '1',
      WORKER_CONCURRENCY: '1',
    },
  });
});
afterAll(async () => {
  if (gateway) await expectInvariants(gateway.redis.url);
  await gateway?.stop();
  await provider?.close();
});
beforeEach(() => {
  provider.calls.length = 0;
});

const SURFACES = {
  openai: {
    path: '/openai/v1/chat/completions',
    key: OPENAI_KEY,
    answer: WHOLE_ANSWERS['/v1/chat/completions'],
    error: (status: number) => ({ error: { message: `no: ${status}`, type: 'x', param: null, code: null } }),
  },
  anthropic: {
    path: '/anthropic/v1/messages',
    key: ANTHROPIC_KEY,
    answer: WHOLE_ANSWERS['/v1/messages'],
    error: (status: number) => ({ type: 'error', error: { type: 'x', message: `no: ${status}` } }),
  },
} as const;
type Surface = keyof typeof SURFACES;

const call = (
  surface: Surface,
  text: string,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
) =>
  fetch(`${gateway.apis[0]?.url}${SURFACES[surface].path}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: text }] }),
    headers: {
      Authorization: `Bearer ${KEYS.acme}`,
      'Content-Type': 'application/json',
      'X-User-API-Key': SURFACES[surface].key,
      ...headers,
    },
    signal,
  });
type Refusal = { error: { code: string; type: string; param: string | null; job_id: string } };
const refusal = async (answer: Response): Promise<Refusal['error']> => ((await answer.json()) as Refusal).error;
const jobs = async (): Promise<Job[]> => ((await gateway.call('GET', '/v1/jobs')).body as { data: Job[] }).data;

describe.each<Surface>(['openai', 'anthropic'])('%s: a job that failed', (surface) => {
  const { error } = SURFACES[surface];
  test.each<[answer: PlannedAnswer & { status: number }, status: number, code: string]>([
    [{ status: 400, body: '' }, 400, 'provider_rejected_request'],
    [{ status: 404, body: '' }, 404, 'provider_rejected_request'],
    [{ status: 413, body: '' }, 413, 'provider_rejected_request'],
    [{ status: 422, body: '' }, 422, 'provider_rejected_request'],
    [{ status: 401, body: '' }, 401, 'user_key_rejected'],
    [{ status: 500, body: '' }, 502, 'provider_unavailable'],
    [{ status: 200, body: '{}' }, 502, 'provider_bad_response'],
  ])('%j is told once, with status %i, and no SDK is to send it again', async (planned, status, code) => {
    provider.answerWith(() => ({ ...planned, body: planned.body || JSON.stringify(error(planned.status)) }));
    const answer = await call(surface, `fail ${planned.status}`);
    const told = await refusal(answer);
    expect([answer.status, told.code]).toEqual([status, code]);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(answer.headers.get('x-gateway-job-id')).toBe(told.job_id);
    expect(provider.calls).toHaveLength(1);
  });
});

/** The provider answers no call before its time. */
const hold = (): (() => void) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  provider.answerWith(async ({ path }) => {
    await promise;
    return { body: WHOLE_ANSWERS[path as keyof typeof WHOLE_ANSWERS] };
  });
  return resolve;
};

describe('a client that is gone', () => {
  test('its job ends if it has not begun, and goes on if it runs, as the client said', async () => {
    const release = hold();
    const clients: AbortController[] = [];
    const send = (headers: Record<string, string> = {}): Promise<Response | null> => {
      const client = new AbortController();
      clients.push(client);
      return call('openai', `gone ${clients.length}`, headers, client.signal).catch(() => null);
    };
    const ofStatus = async (status: string): Promise<number> =>
      (await jobs()).filter((job) => job.status === status).length;
    const running = send({ 'X-Gateway-On-Disconnect': 'cancel' });
    await until('the only place is taken', () => provider.calls.length === 1);
    const waiting = [
      send(),
      send({ 'X-Gateway-On-Disconnect': 'keep' }),
      send({ 'X-Gateway-On-Disconnect': 'cancel' }),
    ];
    const served = call('openai', 'stays', {});
    await until('the others wait', async () => (await ofStatus('queued')) === 4);
    for (const client of clients) client.abort();
    await Promise.all([running, ...waiting]);
    await until('nobody waits for them', async () => (await ofStatus('cancelled')) === 3, { withinMs: 45_000 });
    release();
    expect((await served).status).toBe(200);
    await until('what is kept ran', async () => (await ofStatus('completed')) === 2);
    // One was aborted while it ran; two never reached the provider.
    expect(provider.calls).toHaveLength(3);
  }, 90_000);

  test('a job that is cancelled by somebody else is told as such', async () => {
    const release = hold();
    const answer = call('anthropic', 'to be cancelled');
    const job = await until(
      'it runs',
      async () => (await jobs()).find(({ status }) => status === 'in_progress') ?? null,
    );
    await gateway.call('POST', `/v1/jobs/${job.id}/cancel`);
    expect([(await answer).status, (await refusal(await answer)).code]).toEqual([400, 'job_cancelled']);
    release();
  });

  test.each(['stop', ''])('%j is no way to treat its job', async (value) => {
    const answer = await call('openai', 'x', { 'X-Gateway-On-Disconnect': value });
    expect([answer.status, (await refusal(answer)).param]).toEqual([400, 'X-Gateway-On-Disconnect']);
  });
});
