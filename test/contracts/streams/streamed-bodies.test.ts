/** Streamed answers at the adapters: handed on event by event in their own bytes, and judged by what they come to. */
import type { ServerResponse } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import type { EventSink } from '../../../providers/call/provider.ts';
import { perProvider, type UserProvider } from '../../../providers/catalogue.ts';
import { createProviders } from '../../../providers/registry.ts';
import { Secret } from '../../../shared/keys/secret.ts';
import { WHOLE_ANSWERS } from '../../support/network/recording-provider.ts';
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

const LIMIT_BYTES = 32 * 1024 * 1024;
const PATHS = {
  'openai.chat': '/v1/chat/completions',
  'openai.responses': '/v1/responses',
  'anthropic.messages': '/v1/messages',
} as const satisfies Record<StreamedFormat, keyof typeof WHOLE_ANSWERS>;
const ENCODERS = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: (text: string) => brotliCompressSync(text),
  zstd: (text: string) => zstdCompressSync(text),
} as const;

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
    // Cleanly, within an event, and behind one that lacks its blank line.
    const rests = ['', 'data: {"type":"pi', ': so far', 'data: {"type":"ping"}\n'];
    for (const [count, rest] of rests.flatMap((each) => whole.slice(0, enough).map((_, at) => [at, each] as const))) {
      const { outcome, given } = await pass(format, streams(...whole.slice(0, count), rest));
      expect(outcome, `${count} ${rest}`).toMatchObject({
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

  test('an answer is over with its last event, though its connection stays open', async () => {
    const closed = Promise.withResolvers<void>();
    const { outcome, bytes } = await pass(format, (response) => {
      response.writeHead(200, HEAD).write(text);
      response.once('close', closed.resolve);
    });
    expect(outcome).toMatchObject({ kind: 'completed', usage: { outputTokens: 3 } });
    expect(bytes).toBe(text);
    await closed.promise;
  });

  test.each<[string, number, object]>([
    [
      'a refusal',
      400,
      { kind: 'rejected', code: 'provider_rejected_request', billable: false, detail: 'No [removed]' },
    ],
    ['a limit', 429, { kind: 'throttled', code: 'provider_rate_limited', billable: false }],
    ['a failure', 500, { kind: 'unavailable', code: 'provider_unavailable', billable: false }],
  ])('%s with a status of its own is judged as ever, whatever it calls itself', async (_, status, expected) => {
    const type = status === 429 ? 'rate_limit_error' : status === 500 ? 'api_error' : 'invalid_request_error';
    const body = JSON.stringify({ type: 'error', error: { type, code: null, message: `No ${KEY}.` } });
    for (const mediaType of ['application/json', MEDIA_TYPE]) {
      const { outcome, given } = await pass(format, (response) => {
        response.writeHead(status, { ...HEAD, 'content-type': mediaType }).end(body);
      });
      expect(outcome).toMatchObject(expected);
      expect(given).toEqual([]);
    }
  });

  test.each<[string, string, string]>([
    ['a page', 'text/html', '<html>data: [DONE]</html>'],
    ['an object of another form', 'application/json', '{"hello":1}'],
    ['events under another name', 'text/plain', text],
  ])('%s is no answer', async (_, mediaType, body) => {
    const { outcome, given } = await pass(format, (response) => {
      response.writeHead(200, { ...HEAD, 'content-type': mediaType }).end(body);
    });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_bad_response', billable: true });
    expect(given).toEqual([]);
  });

  test('an answer in one piece is the answer, of which the sink gets nothing', async () => {
    const whole = WHOLE_ANSWERS[PATHS[format]];
    const { outcome, given, bytes } = await pass(format, (response) => {
      response.writeHead(200, { ...HEAD, 'content-type': 'application/json' }).end(whole);
    });
    expect(outcome).toMatchObject({ kind: 'completed', result: { mediaType: 'application/json' } });
    expect([given, bytes]).toEqual([[], whole]);
  });

  test.each(Object.keys(ENCODERS) as (keyof typeof ENCODERS)[])('it may be encoded as %s', async (encoding) => {
    const { outcome, given, bytes } = await pass(format, (response) => {
      response.writeHead(200, { ...HEAD, 'content-encoding': encoding }).end(ENCODERS[encoding](text));
    });
    expect(outcome.kind).toBe('completed');
    expect([bytes, given.length]).toEqual([text, events.length]);
  });

  test('one that is too long is cut off, and not asked for again', async () => {
    const long = Buffer.from(`: ${'x'.repeat(1_048_573)}\n\n`);
    const { outcome, given } = await pass(format, (response) => {
      response.writeHead(200, HEAD).write(written(events[0] as Example));
      const write = (): void => {
        while (!response.destroyed && response.write(long));
        if (!response.destroyed) response.once('drain', write);
      };
      write();
    });
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_bad_response', billable: true, usage: null });
    expect(given.length).toBeLessThanOrEqual(LIMIT_BYTES / long.length + 1);
  });

  test('a call that is aborted closes its socket, and hands on nothing more', async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    const { outcome, given } = await pass(
      format,
      (response) => {
        response.once('close', closed.resolve);
        response.writeHead(200, HEAD).write(text.slice(0, text.length / 2));
      },
      { signal: controller.signal, onEvent: (all) => all.length === 2 && controller.abort() },
    );
    expect(outcome).toMatchObject({ kind: 'cancelled', billable: true, usage: null });
    expect(given).toHaveLength(2);
    await closed.promise;
  });

  test('a call whose time is up closes its socket', async () => {
    const closed = Promise.withResolvers<void>();
    const { outcome, given } = await pass(
      format,
      (response) => {
        response.once('close', closed.resolve);
        response.writeHead(200, HEAD).write(written(events[0] as Example));
      },
      { timeoutMs: 300 },
    );
    expect(outcome).toMatchObject({ kind: 'timed_out', code: 'provider_timeout', billable: true });
    expect(given).toHaveLength(1);
    await closed.promise;
  });

  test('its own SDK puts together what the sink was given', async () => {
    const { bytes } = await pass(format, streams(text));
    expect(await SDK_TEXTS[format](bytes ?? '')).toBe('Hélló.');
  });
});

/** What an official SDK reads of a stream. */
const SDK_TEXTS: Record<StreamedFormat, (stream: string) => Promise<unknown>> = {
  'openai.chat': async (stream) => {
    const completion = await openai(stream).chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion();
    return completion.choices[0]?.message.content;
  },
  'openai.responses': async (stream) =>
    (await openai(stream).responses.stream({ model: 'm', input: '' }).finalResponse()).output_text,
  'anthropic.messages': (stream) =>
    new Anthropic({ apiKey: 'k', fetch: answering(stream) }).messages
      .stream({ model: 'm', max_tokens: 1, messages: [] })
      .finalText(),
};
const answering =
  (stream: string): typeof fetch =>
  async () =>
    new Response(stream, { headers: { 'content-type': MEDIA_TYPE } });
const openai = (stream: string) => new OpenAI({ apiKey: 'k', fetch: answering(stream) });

describe('an error that comes as an event', () => {
  const secret = `I will not serve ${KEY}.`;
  const openaiError = { error: { type: 'server_error', code: null, message: secret } };
  type Row = [UserProvider, StreamedFormat, string, string];
  const overloaded = { type: 'overloaded_error', message: secret };
  const rows: Row[] = [
    ['openai', 'openai.chat', `data: ${JSON.stringify(openaiError)}\n\n`, 'provider_unavailable'],
    ['openai', 'openai.chat', `event: error\ndata: ${JSON.stringify(openaiError)}\n\n`, 'provider_unavailable'],
    [
      'groq',
      'openai.chat',
      `data: ${JSON.stringify({ error: { message: secret, type: 'invalid_request_error', code: 'capacity_exceeded' } })}\n\n`,
      'throttled provider_unavailable',
    ],
    [
      'groq',
      'openai.chat',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], x_groq: { error: secret } })}\n\n`,
      'provider_bad_response',
    ],
    [
      'gemini',
      'openai.chat',
      `data: ${JSON.stringify([{ error: { code: 503, message: secret, status: 'UNAVAILABLE' } }])}\n\n`,
      'provider_unavailable',
    ],
    [
      'gemini',
      'openai.chat',
      `data: ${JSON.stringify({ error: { code: 429, message: secret, status: 'RESOURCE_EXHAUSTED' } })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'mistral',
      'openai.chat',
      `data: ${JSON.stringify({ object: 'error', message: secret, type: 'x', code: null, raw_status_code: 429 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.responses',
      `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'rate_limit_exceeded', message: secret, param: null, sequence_number: 2 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.responses',
      `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: 'rate_limit_error', message: secret }, sequence_number: 2 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.chat',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'error' }], ...openaiError })}\n\n`,
      'provider_unavailable',
    ],
    [
      'openai',
      'openai.responses',
      `data: ${JSON.stringify({ type: 'response.failed', response: { object: 'response', status: 'failed', error: null } })}\n\n`,
      'provider_bad_response',
    ],
    [
      'openai',
      'openai.responses',
      `data: ${JSON.stringify({ type: 'response.failed', response: { object: 'response', status: 'failed', error: { code: 'server_error', message: secret }, usage: null } })}\n\n`,
      'provider_unavailable',
    ],
    [
      'anthropic',
      'anthropic.messages',
      `event: error\ndata: ${JSON.stringify({ type: 'error', error: overloaded })}\n\n`,
      'provider_unavailable',
    ],
  ];

  test.each(rows)('of %s (%s): %s is judged, and handed on to nobody', async (provider, format, error, code) => {
    const contentAt = EXAMPLES[format].findIndex(({ kind }) => kind === 'content');
    for (const [count, billable] of [
      [0, false],
      [contentAt, false],
      [contentAt + 1, true],
    ] as const) {
      const before = EXAMPLES[format].slice(0, count).map((event) => written(event));
      const { outcome, given } = await pass(format, streams(...before, error, text(format)), { provider });
      expect(outcome, `${count}`).toMatchObject({
        kind: code.startsWith('throttled ') ? 'throttled' : 'unavailable',
        code: code.replace('throttled ', ''),
        providerStatus: 200,
        // Of what is no error in a known form nobody knows whether it is billed.
        billable: billable || code === 'provider_bad_response',
      });
      expect(given.map((each) => each.text)).toEqual(before);
      expect(JSON.stringify(outcome)).not.toContain('Zq8');
    }
  });

  test('its words are shown where such an error’s words are', async () => {
    const error = { type: 'error', error: { type: 'invalid_request_error', message: 'Too long.' } };
    const { outcome } = await pass('anthropic.messages', streams(`event: error\ndata: ${JSON.stringify(error)}\n\n`));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_rejected_request', detail: 'Too long.' });
  });

  const text = (format: StreamedFormat): string => textOf(EXAMPLES[format]);
});

describe('a chat’s usage', () => {
  const events = EXAMPLES['openai.chat'];
  const shown = textOf(events.filter(({ kind }) => kind !== 'hidden'));

  test.each<[UserProvider, string, string]>([
    ['openai', '{"model":"m","stream":true}', '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
    ['groq', ' {"stream":true }', ' {"stream":true,"stream_options":{"include_usage":true} }'],
    ['openai', '{"stream_options":null,"a":1}', '{"stream_options":{"include_usage":true},"a":1}'],
    ['openai', '{"stream_options": {} }', '{"stream_options": {"include_usage":true} }'],
    [
      'openai',
      '{"stream_options":{"include_obfuscation" : false, "x":1.0}}',
      '{"stream_options":{"include_obfuscation" : false, "x":1.0,"include_usage":true}}',
    ],
    [
      'openai',
      '{"stream_options":{ "include_usage": false, "é":"\\u00e9" }}',
      '{"stream_options":{ "include_usage": true, "é":"\\u00e9" }}',
    ],
    ['openai', '{"stream_options":{"incl\\u0075de_usage":null}}', '{"stream_options":{"incl\\u0075de_usage":true}}'],
  ])('is asked for at %s by %s, and not shown', async (provider, body, sent) => {
    const call = await pass('openai.chat', streams(textOf(events)), { provider, body });
    expect(call.sent).toBe(sent);
    expect(call.outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
    expect(call.bytes).toBe(shown);
    expect(call.given.map(({ text }) => text).join('')).toBe(shown);
  });

  test.each<[UserProvider, string]>([
    ['openai', BODY],
    ['openai', '{"stream_options": {"x":1, "include_usage" :true}}'],
    ['openai', '{"stream_options":"usage"}'],
    ['openai', '{"stream_options":{"include_usage":true,"include_usage":false}}'],
    ['mistral', '{"model":"m","stream":true}'],
    ['gemini', '{"model":"m","stream":true}'],
  ])('is as the client has it at %s for %s', async (provider, body) => {
    const call = await pass('openai.chat', streams(textOf(events)), { provider, body });
    expect(call.sent).toBe(body);
    expect(call.outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
    expect(call.bytes).toBe(textOf(events));
  });

  test('counts if it comes with the last choice, and that is shown', async () => {
    const last = {
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 3 },
    };
    for (const provider of ['openai', 'groq', 'mistral', 'gemini'] as const) {
      const stream = `${written({ data: last })}data: [DONE]\n\n`;
      const { outcome, bytes } = await pass('openai.chat', streams(stream), { provider, body: '{}' });
      expect(outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
      expect(bytes).toBe(stream);
    }
  });

  test('stays known if a later chunk has none', async () => {
    const { outcome } = await pass(
      'openai.chat',
      streams(textOf([...events.slice(0, 5), ...events.slice(0, 1), ...events.slice(5)])),
    );
    expect(outcome).toMatchObject({ kind: 'completed', usage: { inputTokens: 9, outputTokens: 3 } });
  });

  test('has no price of the list if the web was searched, or another tier served it', async () => {
    for (const more of [
      { choices: [{ index: 0, delta: { annotations: [{ type: 'file' }, { type: 'url_citation', url: 'u' }] } }] },
      { choices: [], service_tier: 'priority' },
    ]) {
      const stream = written({ data: more }) + textOf(events);
      expect((await pass('openai.chat', streams(stream))).outcome).toMatchObject({
        kind: 'completed',
        usage: { inputTokens: 9, offList: true },
      });
    }
    expect((await pass('openai.chat', streams(textOf(events)))).outcome.usage).not.toHaveProperty('offList');
  });
});

test('a chat without [DONE] is whole if each of its choices has its reason', async () => {
  const said = (index: number, finish_reason: string | null) =>
    written({ data: { choices: [{ index, delta: { content: 'x' }, finish_reason }] } });
  const kindOf = async (...parts: string[]) => (await pass('openai.chat', streams(...parts))).outcome.kind;
  expect(await kindOf(said(0, 'stop'))).toBe('completed');
  expect(await kindOf(said(0, null), said(1, 'stop'), said(0, 'length'))).toBe('completed');
  expect(await kindOf(said(0, null), said(1, 'stop'))).toBe('unavailable');
  expect(await kindOf(said(0, null), 'data: [DONE]\n\n')).toBe('completed');
  expect(await kindOf('data: [DONE]\n\n')).toBe('unavailable');
  expect(await kindOf(': hello\n\n')).toBe('unavailable');
});

test('a message’s usage is that of its beginning, and of its end what that says anew', async () => {
  const cache = { cache_creation_input_tokens: 4, cache_read_input_tokens: 5 };
  const start = { input_tokens: 9, output_tokens: 1, service_tier: 'standard', ...cache };
  const end = { output_tokens: 30, input_tokens: null, server_tool_use: { web_search_requests: 2 } };
  const stream = [
    { name: 'message_start', data: { type: 'message_start', message: { type: 'message', content: [], usage: start } } },
    {
      name: 'message_delta',
      data: { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } },
    },
    { name: 'message_delta', data: { type: 'message_delta', delta: {}, usage: end } },
    { name: 'message_stop', data: { type: 'message_stop' } },
  ].map((event) => written(event));
  expect((await pass('anthropic.messages', streams(...stream))).outcome).toMatchObject({
    kind: 'completed',
    usage: { inputTokens: 18, outputTokens: 30, cachedInputTokens: 5, cacheWriteTokens: 4, webSearches: 2 },
  });
});

test('a response that is incomplete is an answer; a tool of the provider’s makes its price unknown', async () => {
  const usage = { input_tokens: 9, output_tokens: 3 };
  const output = [{ type: 'web_search_call', id: 'w' }];
  const response = { object: 'response', status: 'incomplete', error: null, output, usage };
  const stream = written({ name: 'response.incomplete', data: { type: 'response.incomplete', response } });
  expect((await pass('openai.responses', streams(stream))).outcome).toMatchObject({
    kind: 'completed',
    usage: { inputTokens: 9, outputTokens: 3, offList: true },
  });
});
