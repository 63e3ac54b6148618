/** Calls in a provider's own words wait for their jobs: held in hops, found again by whoever sends them again, ended with their clients. */
import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { type RecordingProvider, WHOLE_ANSWERS } from '../../support/network/recording-provider.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, type TestApi, type TestGateway } from '../../support/processes/gateway.ts';
import { useRecordedGateway } from '../../support/processes/use-recorded-gateway.ts';
import { untilLeft } from '../../support/redis/until-left.ts';
import { until } from '../../support/until.ts';

let provider: RecordingProvider;
let gateway: TestGateway;
/** It holds calls longer than the first. */
let patient: TestApi;
useRecordedGateway(
  { env: { MAX_WAIT_SECONDS: '1' } },
  {
    opened: async (used) => {
      ({ gateway, provider } = used);
      patient = await gateway.addApi({ MAX_WAIT_SECONDS: '50' });
    },
    closing: () => release(),
  },
);

/** The provider answers when it is told to. */
let release: () => void = () => {};
const hold = (): void => {
  release();
  const { promise, resolve } = Promise.withResolvers<void>();
  release = resolve;
  provider.answerWith(async ({ path }) => {
    await promise;
    return { body: WHOLE_ANSWERS[path as keyof typeof WHOLE_ANSWERS] };
  });
};
beforeEach(() => {
  provider.answerWith(({ path }) => ({ body: WHOLE_ANSWERS[path as keyof typeof WHOLE_ANSWERS] }));
});

const urlOf = (api?: TestApi): string => (api ?? gateway.apis[0])?.url ?? '';
const CHAT = '/openai/v1/chat/completions';
let asked = 0;
/** A request like no other. */
const question = () => {
  asked += 1;
  return { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: `question ${asked}` }] };
};

type Options = { key?: string; headers?: Record<string, string>; signal?: AbortSignal; api?: TestApi };
const headersOf = ({ key = KEYS.acme, headers = {} }: Options) => ({
  Authorization: `Bearer ${key}`,
  'Content-Type': 'application/json',
  'X-User-API-Key': OPENAI_KEY,
  ...headers,
});
const post = (body: unknown, options: Options = {}): Promise<Response> =>
  fetch(`${urlOf(options.api)}${CHAT}`, {
    method: 'POST',
    body: JSON.stringify(body),
    redirect: 'manual',
    headers: headersOf(options),
    signal: options.signal ?? null,
  });
const follow = (answer: Response, options: Options = {}): Promise<Response> =>
  fetch(new URL(answer.headers.get('location') ?? '', urlOf(options.api)), {
    redirect: 'manual',
    headers: headersOf(options),
    signal: options.signal ?? null,
  });
const again = { 'x-stainless-retry-count': '1' };
const jobOf = (answer: Response): string => answer.headers.get('x-gateway-job-id') ?? '';
const jobs = async (): Promise<Job[]> => ((await gateway.call('GET', '/v1/jobs')).body as { data: Job[] }).data;

describe('hops', () => {
  test('a call that lasts is held in hops of the same origin, and both SDKs follow them to one answer of one job', async () => {
    hold();
    const openai = new OpenAI({
      apiKey: KEYS.acme,
      baseURL: `${urlOf()}/openai/v1`,
      defaultHeaders: { 'X-User-API-Key': OPENAI_KEY },
    });
    const anthropic = new Anthropic({
      apiKey: KEYS.beta,
      baseURL: `${urlOf()}/anthropic`,
      defaultHeaders: { 'X-User-API-Key': ANTHROPIC_KEY },
    });
    const before = (await jobs()).length;
    setTimeout(() => release(), 3_500);
    const [chat, message] = await Promise.all([
      openai.chat.completions.create(question()).withResponse(),
      anthropic.messages.create({ ...question(), max_tokens: 9 }).withResponse(),
    ]);
    expect(chat.data.choices[0]?.message.content).toBe('Hello.');
    expect(message.data.content).toEqual([{ type: 'text', text: 'Hello.' }]);
    expect(Number(chat.response.headers.get('openai-processing-ms'))).toBeGreaterThan(3_000);
    expect(message.response.headers.get('request-id')).toBe(message.response.headers.get('x-request-id'));
    expect(provider.calls).toHaveLength(2);
    const made = await jobs();
    expect(made).toHaveLength(before + 1);
    expect(made[0]).toMatchObject({ id: jobOf(chat.response), status: 'completed', attempts: [{ number: 1 }] });
  });

  test('only the key that sent the request follows its hops', async () => {
    hold();
    const answer = await post(question());
    expect(answer.status).toBe(303);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const location = answer.headers.get('location') ?? '';
    expect(location).toMatch(/^\/openai\/v1\/_wait\/job_\w{34}\?until=\d{13}$/);
    expect((await follow(answer, { key: KEYS.beta })).status).toBe(404);
    for (const [path, status] of [
      [location.replace(/until=\d+/, 'until=tomorrow'), 400],
      [location.replace(/\?.*/, ''), 400],
      [location.replace(/job_\w/, 'job_7'), 404],
      [location.replace('/openai/', '/anthropic/'), 303],
      [location.replace(/until=\d+/, 'until=1'), 504],
      [location.replace(/until=\d+/, 'until=999999999999999'), 303],
    ] as const) {
      const forged = await fetch(`${urlOf()}${path}`, { redirect: 'manual', headers: headersOf({}) });
      expect([path, forged.status]).toEqual([path, status]);
    }
    // A job that no call waits for is none to wait for.
    const native = await gateway.submit('no hop leads here');
    const other = location.replace(/job_\w+/, native.id);
    expect((await fetch(`${urlOf()}${other}`, { headers: headersOf({}) })).status).toBe(404);
    release();
    const last = await follow(answer);
    expect([last.status, await last.text()]).toEqual([200, WHOLE_ANSWERS['/v1/chat/completions']]);
  });
});

describe('the same request again', () => {
  test('a client that gave up finds its job again: one job, one call, one answer', async () => {
    hold();
    const openai = new OpenAI({
      apiKey: KEYS.acme,
      baseURL: `${urlOf()}/openai/v1`,
      defaultHeaders: { 'X-User-API-Key': OPENAI_KEY },
      timeout: 800,
      maxRetries: 4,
    });
    const before = (await jobs()).length;
    setTimeout(() => release(), 2_000);
    const { data, response } = await openai.chat.completions.create(question()).withResponse();
    expect(data.choices[0]?.message.content).toBe('Hello.');
    expect(response.headers.get('x-gateway-joined') ?? 'hop').toMatch(/true|hop/);
    expect(provider.calls).toHaveLength(1);
    expect(await jobs()).toHaveLength(before + 1);
  });

  test('a request that is sent again takes over one that was left, and none that is waited for', async () => {
    hold();
    const body = question();
    const gone = new AbortController();
    const cut = post(body, { signal: gone.signal, api: patient }).catch(() => null);
    await until('it runs', () => provider.calls.length === 1);
    const [first] = await jobs();
    const beside = await post(body, { headers: again });
    expect([beside.status, jobOf(beside) === first?.id]).toEqual([303, false]);
    gone.abort();
    await cut;
    await untilLeft(gateway.redis.url, first?.id ?? '');
    const taken = await post(body, { headers: again });
    expect(jobOf(taken)).toBe(first?.id);
    expect(taken.headers.get('x-gateway-joined')).toBe('true');
    // Another request, key or user’s key is another one.
    expect(jobOf(await post(question(), { headers: again }))).not.toBe(first?.id);
    release();
    expect((await follow(taken)).status).toBe(200);
    // Once it is answered nobody finds it.
    expect(jobOf(await post(body, { headers: again }))).not.toBe(first?.id);
  });

  test('a call whose API was killed is taken over at once, through another one', async () => {
    hold();
    const doomed = await gateway.addApi({ MAX_WAIT_SECONDS: '30' });
    const body = question();
    const cut = post(body, { api: doomed }).catch(() => null);
    await until('it runs', () => provider.calls.length === 1);
    const [first] = await jobs();
    doomed.signal('SIGKILL');
    await cut;
    const taken = await post(body, { headers: again });
    expect([jobOf(taken), taken.headers.get('x-gateway-joined')]).toEqual([first?.id, 'true']);
    release();
    expect(await (await follow(taken)).text()).toBe(WHOLE_ANSWERS['/v1/chat/completions']);
    expect(provider.calls).toHaveLength(1);
  });

  test('with an Idempotency-Key that alone decides', async () => {
    hold();
    const body = question();
    const key = { 'Idempotency-Key': `k${asked}` };
    const first = await post(body, { headers: key });
    const second = await post(body, { headers: { ...key, ...again } });
    expect([jobOf(second), second.headers.get('idempotency-replayed')]).toEqual([jobOf(first), 'true']);
    release();
    expect((await follow(first)).status).toBe(200);
    const replayed = await post(body, { headers: key });
    expect([replayed.status, jobOf(replayed)]).toEqual([200, jobOf(first)]);
    expect(provider.calls).toHaveLength(1);
  });

  test('an Idempotency-Key that came with respond-async may come with a call that waits, which never ends that job', async () => {
    hold();
    const body = question();
    const key = { 'Idempotency-Key': `k${asked}` };
    const accepted = await post(body, { headers: { ...key, Prefer: 'respond-async' } });
    const { id } = (await accepted.json()) as Job;
    const waits = await post(body, { headers: key });
    expect([waits.status, jobOf(waits)]).toEqual([303, id]);
    setTimeout(() => release(), 100);
    const last = await follow(waits);
    expect([last.status, await last.text()]).toEqual([200, WHOLE_ANSWERS['/v1/chat/completions']]);
    expect(provider.calls).toHaveLength(1);
  });

  test('an answer that was lost on its way to a hop is found, though its job had ended when the hop came', async () => {
    const long = WHOLE_ANSWERS['/v1/chat/completions'].replace(/\}$/, `,"x":"${'x'.repeat(20_000_000)}"}`);
    provider.answerWith(async () => {
      await delay(1_200);
      return { body: long };
    });
    const body = question();
    const first = await post(body);
    await until('it has ended', async () => (await jobs())[0]?.status === 'completed');
    // A client that reads nothing, and goes.
    const gone = new AbortController();
    await follow(first, { signal: gone.signal });
    gone.abort();
    await untilLeft(gateway.redis.url, jobOf(first));
    const taken = await post(body, { headers: again });
    expect(taken.headers.get('x-gateway-joined')).toBe('true');
    expect(jobOf(taken)).toBe(jobOf(first));
  });
});
