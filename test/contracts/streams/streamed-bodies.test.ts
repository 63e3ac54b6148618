/** Streamed answers at the adapters: handed on event by event in their own bytes, and judged by what they come to. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { EventSink } from '../../../providers/call/provider.ts';
import { perProvider, type UserProvider } from '../../../providers/catalogue.ts';
import { createProviders } from '../../../providers/registry.ts';
import { Secret } from '../../../shared/keys/secret.ts';
import { type RawServer, startRawServer } from '../raw-server.ts';
import { EXAMPLES, type Example, STREAMED_FORMATS, type StreamedFormat, written } from './examples.ts';

const KEY = 'sk-ant-api03-Zq8Wv3Xn5Lp7Rt9Yb2Mc4';
const BODY = '{"model":"m","stream":true,"stream_options":{"include_usage":true}}';

const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

type Given = { text: string; kind: 'prelude' | 'content' };
type Options = {
  provider?: UserProvider;
  body?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onEvent?: (given: readonly Given[]) => void;
};

const DEFAULT_PROVIDER: Record<StreamedFormat, UserProvider> = {
  'openai.chat': 'openai',
  'openai.responses': 'openai',
  'anthropic.messages': 'anthropic',
};

/** A call of `format` at a server that answers with what `answer` writes. */
const pass = async (
  format: StreamedFormat,
  answer: (response: ServerResponse) => void,
  { provider = DEFAULT_PROVIDER[format], body = BODY, timeoutMs = 10_000, signal, onEvent }: Options = {},
) => {
  const server: RawServer = await startRawServer((_request, response) => answer(response));
  const providers = createProviders({
    urls: perProvider((each) => server.url + (each === 'anthropic' ? '' : '/v1')),
    awsRegion: 'us-east-1',
    bedrockAuth: { kind: 'default_chain' },
  });
  open.push(server, ...Object.values(providers));
  const given: Given[] = [];
  const sink: EventSink = {
    event: (bytes, kind) => {
      given.push({ text: bytes.toString(), kind });
      onEvent?.(given);
    },
  };
  const outcome = await providers[provider].pass({
    request: { format, body: Buffer.from(body), headers: {} },
    userKey: new Secret(KEY),
    traceparent: null,
    timeoutMs,
    signal: signal ?? new AbortController().signal,
    events: sink,
  });
  const bytes = outcome.kind === 'completed' && 'bytes' in outcome.result ? outcome.result.bytes.toString() : null;
  return { outcome, given, bytes, sent: server.received[0]?.body ?? '' };
};

const MEDIA_TYPE = 'text/event-stream; charset=utf-8';
const HEAD = { 'content-type': MEDIA_TYPE, 'x-request-id': 'req_1', 'request-id': 'req_1' };
const streams =
  (...parts: readonly (string | Buffer)[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, HEAD);
    for (const part of parts) response.write(part);
    response.end();
  };
const textOf = (events: readonly Example[]): string => events.map((event) => written(event)).join('');

describe.each(STREAMED_FORMATS)('%s', (format) => {
  const events = EXAMPLES[format];
  const text = textOf(events);

  test('each event is handed on in its own bytes, and together they are the answer', async () => {
    const { outcome, given, bytes } = await pass(format, streams(text));
    expect(outcome).toMatchObject({
      kind: 'completed',
      result: { mediaType: MEDIA_TYPE },
      usage: { inputTokens: 9, outputTokens: 3 },
      billable: true,
      providerRequestId: 'req_1',
    });
    expect(given.map((each) => each.text)).toEqual(events.map((event) => written(event)));
    expect(bytes).toBe(text);
  });

  test('what a second attempt may say in its own words is told from content', async () => {
    const { given } = await pass(format, streams(text));
    const kinds = events.map(({ kind }) => (kind === 'hidden' ? 'prelude' : kind));
    expect(given.map(({ kind }) => kind)).toEqual(kinds);
  });

  test('an event is handed on before the next one comes', async () => {
    const first = events.slice(0, 3).map((event) => written(event));
    let seen: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const { outcome } = await pass(
      format,
      (response) => {
        response.writeHead(200, HEAD).write(first.join(''));
        void arrived.then(() => response.end(text.slice(first.join('').length)));
      },
      { onEvent: (given) => given.length === 3 && seen() },
    );
    expect(outcome.kind).toBe('completed');
  });

  test('an answer that ends before its last event is broken, wherever it ends', async () => {
    const whole = events.map((event) => written(event));
    // Chat Completions are over when each choice has its reason.
    const enough = format === 'openai.chat' ? 4 : whole.length;
    for (let count = 0; count < enough; count += 1) {
      const { outcome, given } = await pass(format, streams(...whole.slice(0, count), 'data: {"type":"pi'));
      expect(outcome, `${count}`).toMatchObject({
        kind: 'unavailable',
        code: 'provider_bad_response',
        providerStatus: 200,
        billable: true,
        usage: null,
      });
      expect(given.map((each) => each.text)).toEqual(whole.slice(0, count));
    }
  });

  test('an answer whose connection breaks is broken', async () => {
    const { outcome, given } = await pass(format, (response) => {
      response.writeHead(200, HEAD);
      response.write(written(events[0] as Example), () => response.destroy());
    });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_bad_response', billable: true });
    expect(given).toHaveLength(1);
  });
});
