/** Answers come as they are written: through the queue, byte for byte, once, and with an end that says how they ended. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { type RecordingProvider, startRecordingProvider } from '../../support/network/recording-provider.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

let provider: RecordingProvider;
let gateway: TestGateway;
beforeAll(async () => {
  provider = await startRecordingProvider();
  gateway = await startGateway({
    apis: 2,
    env: {
      PROVIDER_OPENAI_URL: provider.urls.openai,
      PROVIDER_ANTHROPIC_URL: provider.urls.anthropic,
    },
  });
});
afterAll(async () => {
  release();
  if (gateway) await expectInvariants(gateway.redis.url);
  await gateway?.stop();
  await provider?.close();
});

const SSE = { 'content-type': 'text/event-stream; charset=utf-8' };
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const USAGE = `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } })}\n\n`;
const CHAT = [
  chunk({ role: 'assistant', content: '' }),
  ...['Hel', 'lo', ' wörld'].map((content) => chunk({ content })),
  chunk({}, 'stop'),
  USAGE,
  'data: [DONE]\n\n',
];
const typed = (event: { type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const MESSAGE = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 9, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ...['Hel', 'lo'].map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
  { type: 'message_stop' },
].map(typed);

/** The provider stops before event `at` until it is told to go on, and breaks off if it is told to. */
let release: (then?: 'go on' | 'break off') => void = () => {};
const answers = (events: readonly string[], at = events.length): void => {
  release();
  const { promise, resolve } = Promise.withResolvers<'go on' | 'break off'>();
  release = (then = 'go on') => resolve(then);
  provider.answerWith(() => ({
    headers: SSE,
    body: (async function* () {
      yield* events.slice(0, at);
      if (at < events.length && (await promise) === 'break off') throw new Error('broken');
      yield* events.slice(at);
    })(),
  }));
};
beforeEach(() => {
  provider.calls.length = 0;
});

const urlOf = (api = 0): string => gateway.apis[api]?.url ?? '';
const CALLS = {
  chat: {
    path: '/openai/v1/chat/completions',
    key: OPENAI_KEY,
    events: CHAT,
    shown: CHAT.filter((event) => event !== USAGE),
  },
  messages: { path: '/anthropic/v1/messages', key: ANTHROPIC_KEY, events: MESSAGE, shown: MESSAGE },
} as const;
type Call = keyof typeof CALLS;
let asked = 0;
const newText = (): string => {
  asked += 1;
  return `question ${asked}`;
};
const post = (
  call: Call,
  { text = newText(), headers = {}, signal = null as AbortSignal | null, api = 0, more = {} } = {},
) =>
  fetch(`${urlOf(api)}${CALLS[call].path}`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'm',
      max_tokens: 9,
      stream: true,
      messages: [{ role: 'user', content: text }],
      ...more,
    }),
    headers: {
      Authorization: `Bearer ${KEYS.acme}`,
      'Content-Type': 'application/json',
      'X-User-API-Key': CALLS[call].key,
      ...headers,
    },
    signal,
  });
const withoutComments = (text: string): string => text.replaceAll(/^: .*\n\n/gm, '');
const jobs = async (): Promise<Job[]> => ((await gateway.call('GET', '/v1/jobs')).body as { data: Job[] }).data;
/** Reads until the text is there; the answer goes on. */
const readUntil = async (reader: ReadableStreamDefaultReader<Uint8Array>, wanted: string): Promise<string> => {
  let text = '';
  while (!text.includes(wanted)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`ended before ${wanted}: ${text}`);
    text += Buffer.from(value).toString('utf8');
  }
  return text;
};
const readerOf = (answer: Response): ReadableStreamDefaultReader<Uint8Array> => {
  if (answer.body === null) throw new Error('no body');
  return answer.body.getReader();
};
const restOf = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => {
  const pieces: Uint8Array[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
  return Buffer.concat(pieces).toString('utf8');
};

describe.each<Call>(['chat', 'messages'])('%s', (call) => {
  const { events, shown } = CALLS[call];

  test('the client gets the provider’s events as they come, byte for byte, and the job has them', async () => {
    answers(events, 4);
    const answer = await post(call);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    const reader = readerOf(answer);
    const first = await readUntil(reader, 'Hel');
    release();
    expect(withoutComments(first + (await restOf(reader)))).toBe(shown.join(''));
    const [job] = await jobs();
    expect(job).toMatchObject({
      status: 'completed',
      usage: { input_tokens: 9, output_tokens: 3 },
      attempts: [{ number: 1 }],
    });
    const kept = await fetch(`${urlOf()}/v1/jobs/${job?.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(await kept.text()).toBe(shown.join(''));
  });

  test('a provider that breaks off makes an error in the stream, one charge, and no second call', async () => {
    answers(events, 4);
    const reader = readerOf(await post(call));
    await readUntil(reader, 'Hel');
    release('break off');
    const rest = await restOf(reader);
    expect(rest).toContain('"stream_interrupted"');
    expect(rest).not.toContain('[DONE]');
    expect((await jobs())[0]).toMatchObject({ status: 'failed', attempts: [{ number: 1 }] });
    expect(provider.calls).toHaveLength(1);
  });

  test('a worker that dies after the first text makes an error in the stream; before it, another attempt that nobody sees', async () => {
    answers(events, 1);
    const worker = gateway.workers.at(-1);
    const before = readerOf(await post(call));
    await until('it runs', () => provider.calls.length === 1);
    await gateway.addWorker();
    worker?.signal('SIGKILL');
    await until('another attempt', () => provider.calls.length === 2, { withinMs: 40_000 });
    release();
    expect(withoutComments(await restOf(before))).toBe(shown.join(''));

    answers(events, 4);
    const after = readerOf(await post(call));
    await readUntil(after, 'Hel');
    await gateway.addWorker();
    gateway.workers.at(-2)?.signal('SIGKILL');
    expect(await restOf(after)).toContain('"stream_interrupted"');
    expect((await jobs())[0]).toMatchObject({ status: 'failed', attempts: [{ outcome: 'unknown' }] });
    expect(provider.calls).toHaveLength(3);
  }, 120_000);

  test('a job that fails before its first event is told with its status', async () => {
    provider.answerWith(() => ({
      status: 401,
      body: JSON.stringify({
        type: 'error',
        error: { message: 'no', type: 'authentication_error', code: 'invalid_api_key' },
      }),
    }));
    const answer = await post(call);
    expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([401, 'false']);
  });

  test('the same request again, through another API, gets all from the first event on', async () => {
    answers(events, 4);
    const gone = new AbortController();
    const text = `again ${call}`;
    const reader = readerOf(await post(call, { text, signal: gone.signal }));
    await readUntil(reader, 'Hel');
    const [first] = await jobs();
    gone.abort();
    const again = await until('it is left', async () => {
      const aborter = new AbortController();
      const answer = await post(call, {
        text,
        api: 1,
        headers: { 'x-stainless-retry-count': '1' },
        signal: aborter.signal,
      });
      if (answer.headers.get('x-gateway-job-id') === first?.id) return answer;
      aborter.abort();
      return null;
    });
    const rest = readerOf(again);
    const sofar = await readUntil(rest, 'Hel');
    release();
    expect(withoutComments(sofar + (await restOf(rest)))).toBe(shown.join(''));
  });
});

test('both SDKs put a stream together, with usage only if it was asked for', async () => {
  answers(CHAT);
  const openai = new OpenAI({
    apiKey: KEYS.acme,
    baseURL: `${urlOf()}/openai/v1`,
    defaultHeaders: { 'X-User-API-Key': OPENAI_KEY },
  });
  const messages = [{ role: 'user' as const, content: 'sdk' }];
  const quiet = await openai.chat.completions.stream({ model: 'm', messages }).finalChatCompletion();
  expect([quiet.choices[0]?.message.content, quiet.usage]).toEqual(['Hello wörld', undefined]);
  const told = await openai.chat.completions
    .stream({ model: 'm', messages, stream_options: { include_usage: true } })
    .finalChatCompletion();
  expect(told.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 3 });
  answers(MESSAGE);
  const anthropic = new Anthropic({
    apiKey: KEYS.acme,
    baseURL: `${urlOf()}/anthropic`,
    defaultHeaders: { 'X-User-API-Key': ANTHROPIC_KEY },
  });
  const message = await anthropic.messages.stream({ model: 'm', max_tokens: 32_000, messages }).finalMessage();
  expect(message).toMatchObject({ content: [{ type: 'text', text: 'Hello' }], usage: { output_tokens: 3 } });
});
