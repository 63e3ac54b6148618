/** Answers come as they are written: through the queue, byte for byte, once, and with an end that says how they ended. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { RecordingProvider } from '../../support/network/recording-provider.ts';
import { EXAMPLES, STREAMED_FORMATS, type StreamedFormat, written } from '../../support/network/stream-examples.ts';
import { ANTHROPIC_KEY, KEYS, OPENAI_KEY, type TestGateway } from '../../support/processes/gateway.ts';
import { useRecordedGateway } from '../../support/processes/use-recorded-gateway.ts';
import { untilLeft } from '../../support/redis/until-left.ts';
import { until } from '../../support/until.ts';

let provider: RecordingProvider;
let gateway: TestGateway;
useRecordedGateway(
  { apis: 2 },
  {
    opened: (used) => {
      ({ gateway, provider } = used);
    },
    closing: () => release(),
  },
);

const SSE = { 'content-type': 'text/event-stream; charset=utf-8' };
const eventsOf = (format: StreamedFormat): string[] => EXAMPLES[format].map((example) => written(example));

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

const urlOf = (api = 0): string => gateway.apis[api]?.url ?? '';
const CALLS = {
  'openai.chat': { path: '/openai/v1/chat/completions', key: OPENAI_KEY },
  'openai.responses': { path: '/openai/v1/responses', key: OPENAI_KEY },
  'anthropic.messages': { path: '/anthropic/v1/messages', key: ANTHROPIC_KEY },
} as const satisfies Record<StreamedFormat, object>;
/** What only the gateway asked for is not shown. */
const shownOf = (format: StreamedFormat): string =>
  EXAMPLES[format].flatMap((example) => (example.kind === 'hidden' ? [] : written(example))).join('');
/** So many events are before the second with content. */
const begunAt = (format: StreamedFormat): number => EXAMPLES[format].findIndex(({ kind }) => kind === 'content') + 1;
let asked = 0;
const newText = (): string => {
  asked += 1;
  return `question ${asked}`;
};
const post = (
  call: StreamedFormat,
  { text = newText(), headers = {}, signal = null as AbortSignal | null, api = 0 } = {},
) =>
  fetch(`${urlOf(api)}${CALLS[call].path}`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'm',
      stream: true,
      ...(call === 'openai.responses' ? { input: text } : { messages: [{ role: 'user', content: text }] }),
      ...(call === 'anthropic.messages' ? { max_tokens: 9 } : {}),
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

describe.each(STREAMED_FORMATS)('%s', (call) => {
  const [events, shown, at] = [eventsOf(call), shownOf(call), begunAt(call)];

  test('the client gets the provider’s events as they come, byte for byte, and the job has them', async () => {
    answers(events, at);
    const answer = await post(call);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    const reader = readerOf(answer);
    const first = await readUntil(reader, 'Hél');
    release();
    expect(withoutComments(first + (await restOf(reader)))).toBe(shown);
    const [job] = await jobs();
    expect(job).toMatchObject({
      status: 'completed',
      usage: { input_tokens: 9, output_tokens: 3 },
      attempts: [{ number: 1 }],
    });
    const kept = await fetch(`${urlOf()}/v1/jobs/${job?.id}/answer`, { headers: { 'X-API-Key': KEYS.acme } });
    expect(await kept.text()).toBe(shown);
  });

  test('a provider that breaks off makes an error in the stream, one charge, and no second call', async () => {
    answers(events, at);
    const reader = readerOf(await post(call));
    await readUntil(reader, 'Hél');
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
    expect(withoutComments(await restOf(before))).toBe(shown);

    answers(events, at);
    const after = readerOf(await post(call));
    await readUntil(after, 'Hél');
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
    answers(events, at);
    const gone = new AbortController();
    const text = `again ${call}`;
    const reader = readerOf(await post(call, { text, signal: gone.signal }));
    await readUntil(reader, 'Hél');
    const [first] = await jobs();
    gone.abort();
    await untilLeft(gateway.redis.url, first?.id ?? '');
    const again = await post(call, { text, api: 1, headers: { 'x-stainless-retry-count': '1' } });
    expect(again.headers.get('x-gateway-job-id')).toBe(first?.id);
    const rest = readerOf(again);
    const sofar = await readUntil(rest, 'Hél');
    release();
    expect(withoutComments(sofar + (await restOf(rest)))).toBe(shown);
  });
});

test('both SDKs put a stream together, with usage only if it was asked for', async () => {
  answers(eventsOf('openai.chat'));
  const openai = new OpenAI({
    apiKey: KEYS.acme,
    baseURL: `${urlOf()}/openai/v1`,
    defaultHeaders: { 'X-User-API-Key': OPENAI_KEY },
  });
  const messages = [{ role: 'user' as const, content: 'sdk' }];
  const quiet = await openai.chat.completions.stream({ model: 'm', messages }).finalChatCompletion();
  expect([quiet.choices[0]?.message.content, quiet.usage ?? null]).toEqual(['Hélló.', null]);
  const told = await openai.chat.completions
    .stream({ model: 'm', messages, stream_options: { include_usage: true } })
    .finalChatCompletion();
  expect(told.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 3 });
  answers(eventsOf('anthropic.messages'));
  const anthropic = new Anthropic({
    apiKey: KEYS.acme,
    baseURL: `${urlOf()}/anthropic`,
    defaultHeaders: { 'X-User-API-Key': ANTHROPIC_KEY },
  });
  const message = await anthropic.messages.stream({ model: 'm', max_tokens: 32_000, messages }).finalMessage();
  expect(message).toMatchObject({ content: [{ type: 'text', text: 'Hélló.' }], usage: { output_tokens: 3 } });
});
