/** Streamed answers at the adapters: handed on event by event in their own bytes, and judged by what they come to. */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { WHOLE_ANSWERS } from '../../support/network/recording-provider.ts';
import {
  EXAMPLES,
  type Example,
  STREAMED_FORMATS,
  type StreamedFormat,
  written,
} from '../../support/network/stream-examples.ts';
import { HEAD, KEY, MEDIA_TYPE, pass, streams, textOf } from './pass-stream.ts';

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
