import type { IncomingMessage, RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test, vi } from 'vitest';
import { drawWebhookSecret } from '../../../shared/keys/signing/sign.ts';
import { createLog } from '../../../shared/process/log.ts';
import type { Network } from '../../../worker/deliveries/network.ts';
import { createSendWebhook, DELIVERY_LIMITS } from '../../../worker/deliveries/send-webhook.ts';
import { until } from '../../support/until.ts';
import { createInternet, HOST, type Listener, PUBLIC_V4, PUBLIC_V6, URL_OF_HOST } from './internet.ts';

const internet = createInternet();
const limits = { ...DELIVERY_LIMITS, connectMs: 400, exchangeMs: 800 };
const KIB = 1_024;
const NOW = Date.parse('2026-11-22T12:00:00Z');

type Overrides = Partial<Parameters<ReturnType<typeof createSendWebhook>>[0]>;

const send = (network: Network, overrides: Overrides = {}, { allowPrivate = false } = {}) =>
  createSendWebhook({
    allowPrivate,
    network,
    now: () => NOW,
    log: createLog({ level: 'silent', process: 'test' }),
    limits,
  })({
    url: URL_OF_HOST,
    id: 'msg_1',
    timestampSeconds: Math.floor(Date.now() / 1_000),
    body: '{"type":"job.completed"}',
    secrets: [drawWebhookSecret()],
    traceparent: null,
    signal: new AbortController().signal,
    ...overrides,
  });
const sendTo = (endpoint: Listener, overrides: Overrides = {}) =>
  send(internet.networkTo({ [PUBLIC_V4]: endpoint }), overrides);

const delivered = (status = 200) => ({ kind: 'delivered', status, ms: expect.any(Number) });
const failed = (code: string, more: object = {}) => ({
  kind: 'failed',
  code,
  status: null,
  retryAfterMs: null,
  gone: false,
  ms: expect.any(Number),
  ...more,
});

/** Everything that the client has read from the connection, TLS records included. */
const bytesRead = (): number => internet.dialled.reduce((sum, { socket }) => sum + socket.bytesRead, 0);

/** Does it again and again until the connection is gone. */
const endlessly = (socket: Socket, chunk: string | Buffer): void => {
  const more = () => {
    while (!socket.destroyed && socket.write(chunk)) {}
  };
  socket.on('drain', more);
  more();
};

/** Once the request has begun to arrive: an answer before it would be none. */
const afterRequest = (answer: (socket: TLSSocket) => void) => (socket: TLSSocket) =>
  void socket.once('data', () => {
    socket.resume();
    answer(socket);
  });

const listenRaw = (answer: (socket: TLSSocket) => void) => internet.serveTls(afterRequest(answer));
const answerRaw = (text: string) => listenRaw((socket) => void socket.write(text));

describe('a delivery', () => {
  const receive = async (overrides: Overrides = {}) => {
    const received: { request: IncomingMessage; body: Buffer }[] = [];
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push({ request, body: Buffer.concat(chunks) });
        response.writeHead(204).end();
      });
    };
    const outcome = await sendTo(await internet.serve(listener), overrides);
    const [first] = received;
    if (received.length !== 1 || first === undefined) throw new Error(`${received.length} requests arrived`);
    return {
      outcome,
      headers: first.request.headers,
      method: first.request.method,
      path: first.request.url,
      body: first.body,
    };
  };

  test('is one POST of the body as it is, with no header but these', async () => {
    const body = JSON.stringify({ text: 'ünïcödé 🚀 \u2028', long: 'x'.repeat(200 * KIB) });
    const {
      outcome,
      headers,
      method,
      path,
      body: got,
    } = await receive({ body, id: 'msg_a-B_9', timestampSeconds: 1_790_000_000 });
    expect(outcome).toEqual(delivered(204));
    expect({ method, path }).toEqual({ method: 'POST', path: '/in?x=1' });
    expect(got.equals(Buffer.from(body))).toBe(true);
    expect(headers).toEqual({
      host: HOST,
      connection: 'close',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': 'llm-gateway',
      'webhook-id': 'msg_a-B_9',
      'webhook-timestamp': '1790000000',
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
    });
  });

  test('verifies with each active secret and with no other, for two independent verifiers', async () => {
    const [old, current, foreign] = [drawWebhookSecret(), drawWebhookSecret(), drawWebhookSecret()];
    const { headers, body } = await receive({ body: '{"a":"ü🚀"}', secrets: [current, old] });
    const openai = new OpenAI({ apiKey: 'sk-none' });
    const text = body.toString();
    // Node gives these headers as one text each.
    const sent = headers as Record<string, string>;
    for (const secret of [current, old]) {
      expect(new Webhook(secret.reveal()).verify(text, sent)).toEqual({ a: 'ü🚀' });
      await openai.webhooks.verifySignature(text, sent, secret.reveal());
    }
    expect(() => new Webhook(foreign.reveal()).verify(text, sent)).toThrow();
    await expect(openai.webhooks.verifySignature(text, sent, foreign.reveal())).rejects.toThrow();
    expect(() => new Webhook(current.reveal()).verify(`${text} `, sent)).toThrow();
  });

  test.each([200, 201, 202, 204, 206, 299])('is done with %i', async (status) => {
    const endpoint = await internet.serve((_request, response) => response.writeHead(status).end());
    expect(await sendTo(endpoint)).toEqual(delivered(status));
  });

  test.each([400, 401, 404, 409, 429, 500, 502, 503, 599])('has failed with %i', async (status) => {
    const endpoint = await internet.serve((_request, response) => response.writeHead(status).end('no'));
    expect(await sendTo(endpoint)).toEqual(failed('status', { status }));
  });

  test('has failed for good with 410', async () => {
    const endpoint = await internet.serve((_request, response) => response.writeHead(410).end());
    expect(await sendTo(endpoint)).toEqual(failed('status', { status: 410, gone: true }));
  });

  test.each<[wish: string | string[], ms: number | null]>([
    ['120', 120_000],
    ['0', 0],
    [' 7 ', 7_000],
    ['86400', 86_400_000],
    ['86401', 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['Sun, 22 Nov 2026 12:01:30 GMT', 90_000],
    ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
    ['Sun, 22 Nov 2037 11:00:00 GMT', 86_400_000],
    ['-5', null],
    ['soon', null],
    ['', null],
    [['1', '2'], null],
  ])('that fails with Retry-After %j waits %s ms', async (wish, ms) => {
    const endpoint = await internet.serve((_request, response) => {
      response.setHeader('Retry-After', wish).setHeader('retry-after-ms', '1').writeHead(503).end();
    });
    expect(await sendTo(endpoint)).toEqual(failed('status', { status: 503, retryAfterMs: ms }));
  });
});

describe('an endpoint that hangs', () => {
  /** All that took longer than a limit allows, with room for a busy machine. */
  const within = async <T>(limitMs: number, promise: Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const value = await promise;
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThanOrEqual(limitMs / 2);
    expect(tookMs).toBeLessThan(limitMs + 350);
    return value;
  };

  test('in DNS is left after the connect limit', async () => {
    const network = internet.networkTo({}, () => new Promise(() => {}));
    expect(await within(limits.connectMs, send(network))).toEqual(failed('dns_failed'));
  });

  test('before the connection stands is left after the connect limit', async () => {
    const network = internet.networkTo({ [PUBLIC_V4]: 'silent' });
    expect(await within(limits.connectMs, send(network))).toEqual(failed('connect_timeout'));
  });

  test('at each of many addresses is left after the one connect limit, and 8 addresses', async () => {
    const addresses = Array.from({ length: 100 }, (_, index) => `93.184.216.${index}`);
    const network = internet.networkTo(Object.fromEntries(addresses.map((address) => [address, 'silent'])), addresses);
    expect(await within(limits.connectMs, send(network))).toEqual(failed('connect_timeout'));
    expect(internet.dialled).toHaveLength(8);
  });

  test('in TLS is left after the connect limit', async () => {
    const endpoint = await internet.serveTcp(() => {});
    expect(await within(limits.connectMs, sendTo(endpoint))).toEqual(failed('connect_timeout'));
  });

  test('before reading the request is left after the exchange limit', async () => {
    const endpoint = await internet.serveTls((socket) => socket.pause());
    expect(await within(limits.exchangeMs, sendTo(endpoint, { body: 'x'.repeat(20_000 * KIB) }))).toEqual(
      failed('timeout'),
    );
  });

  test('before its headers is left after the exchange limit', async () => {
    const endpoint = await internet.serve(() => {});
    expect(await within(limits.exchangeMs, sendTo(endpoint))).toEqual(failed('timeout'));
  });

  test('in its headers is left after the exchange limit', async () => {
    const endpoint = await answerRaw('HTTP/1.1 200 OK\r\nx-a: ');
    expect(await within(limits.exchangeMs, sendTo(endpoint))).toEqual(failed('timeout'));
  });

  test('in the body of a 2xx answer is left after the exchange limit, and has taken the event', async () => {
    const endpoint = await answerRaw('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab');
    expect(await within(limits.exchangeMs, sendTo(endpoint))).toEqual(delivered());
  });

  test('in the body of another answer is left at once', async () => {
    const endpoint = await answerRaw('HTTP/1.1 500 Oh\r\ncontent-length: 5\r\n\r\nab');
    expect(await within(0, sendTo(endpoint))).toEqual(failed('status', { status: 500 }));
  });

  test('by dripping its headers is left after the exchange limit', async () => {
    const endpoint = await listenRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx-a: ');
      const drip = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(drip));
    });
    expect(await within(limits.exchangeMs, sendTo(endpoint))).toEqual(failed('timeout'));
  });

  test('by dripping its body is left after the exchange limit', async () => {
    const endpoint = await listenRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const drip = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(drip));
    });
    expect(await within(limits.exchangeMs, sendTo(endpoint))).toEqual(delivered());
  });
});

test('the limits are those that are promised: connected within 5 s, done within 15 s, 64 KiB of answer', () => {
  expect(DELIVERY_LIMITS).toMatchObject({ connectMs: 5_000, exchangeMs: 15_000, answerBytes: 65_536 });
});

describe('of an endless answer at most about 64 KiB are read:', () => {
  const SLACK = 100 * KIB; // What a last read brings, and TLS.
  const endless: [title: string, head: string, chunk: string | Buffer, outcome: object][] = [
    ['a body', 'HTTP/1.1 200 OK\r\n\r\n', 'a'.repeat(KIB), delivered()],
    ['an announced body', `HTTP/1.1 200 OK\r\ncontent-length: ${10 ** 12}\r\n\r\n`, 'a'.repeat(KIB), delivered()],
    ['a chunked body', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n'.repeat(200), delivered()],
    [
      'the extension of a chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;',
      'a'.repeat(KIB),
      delivered(),
    ],
    [
      'trailers',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n',
      `x-a: ${'a'.repeat(KIB)}\r\n`,
      delivered(),
    ],
    ['headers', 'HTTP/1.1 200 OK\r\n', `x-a: ${'a'.repeat(100)}\r\n`, failed('bad_response')],
    ['one header', 'HTTP/1.1 200 OK\r\nx-a: ', 'a'.repeat(KIB), failed('bad_response')],
    ['a status line', 'HTTP/1.1 200 ', 'a'.repeat(KIB), failed('bad_response')],
    ['interim answers', '', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(20), failed('bad_response')],
    ['empty lines', '', '\r\n'.repeat(500), failed('bad_response')],
  ];
  test.each(endless)('%s', async (_title, head, chunk, outcome) => {
    const endpoint = await listenRaw((socket) => {
      socket.write(head);
      endlessly(socket, chunk);
    });
    expect(await sendTo(endpoint)).toEqual(outcome);
    expect(bytesRead()).toBeLessThan(64 * KIB + SLACK);
  });
});

test('an answer that has come whole ends the delivery at once, and leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const endpoint = await answerRaw('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  const before = timers();
  const { ms } = await sendTo(endpoint);
  expect(ms).toBeLessThan(limits.exchangeMs / 2);
  expect(timers()).toBeLessThanOrEqual(before);
});

test('an answer that ends by itself is read to its end, so that the endpoint is not cut off', async () => {
  let cutOff = false;
  const endpoint = await internet.serve((_request, response) => {
    response.on('close', () => {
      cutOff = !response.writableFinished;
    });
    response.write('a'.repeat(KIB));
    setTimeout(() => response.end('b'), 100);
  });
  expect(await sendTo(endpoint)).toEqual(delivered());
  expect(cutOff).toBe(false);
});

test('a compressed answer is neither asked for nor unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(30_000 * KIB));
  const endpoint = await internet.serve((request, response) => {
    expect(request.headers['accept-encoding']).toBeUndefined();
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
  });
  expect(await sendTo(endpoint)).toEqual(delivered());
  expect(bytesRead()).toBeLessThan(bomb.length + 10 * KIB);
});

describe('an answer that is not HTTP/1.1 is a bad one:', () => {
  test.each([
    'hello\r\n\r\n',
    'SSH-2.0-OpenSSH_9.2\r\n',
    '* OK IMAP4 ready\r\n',
    '<html>no</html>',
    '\u0000\u0001\u0002',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 -200 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nbad header\r\n\r\n',
    'HTTP/1.1 200 OK\r\nx: a\u0000b\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(17 * KIB)}\r\n\r\n`,
  ])('%j', async (answer) => {
    expect(await sendTo(await answerRaw(answer))).toEqual(failed('bad_response'));
  });

  test('but interim answers before the real one are none', async () => {
    const endpoint = await answerRaw('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n');
    expect(await sendTo(endpoint)).toEqual(delivered(202));
  });

  test('but only the first of two answers counts', async () => {
    const answer = 'HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
    expect(await sendTo(await answerRaw(answer))).toEqual(failed('status', { status: 500 }));
  });

  test.each([
    ['a length that does not come true', 'content-length: 5\r\n\r\nab'],
    ['a chunk that is none', 'transfer-encoding: chunked\r\n\r\nzz\r\n'],
  ])('but after a 2xx status, %s changes nothing', async (_title, rest) => {
    const endpoint = await listenRaw((socket) => void socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    expect(await sendTo(endpoint)).toEqual(delivered());
  });
});

describe('a connection that breaks', () => {
  test('before TLS is reset', async () => {
    const endpoint = await internet.serveTcp((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    expect(await sendTo(endpoint)).toEqual(failed('reset'));
  });

  test('because the other side closes it before TLS is reset', async () => {
    const endpoint = await internet.serveTcp((socket) => socket.end());
    expect(await sendTo(endpoint)).toEqual(failed('reset'));
  });

  test('right after TLS is reset, and no second one is made', async () => {
    const endpoint = await internet.serveTls((socket) => socket.end());
    expect(await sendTo(endpoint)).toEqual(failed('reset'));
    expect(endpoint.connections()).toBe(1);
  });

  test.each(['', 'HTTP/1.1 200 OK\r\nx-a: b'])('after the request and %j is reset', async (begin) => {
    const endpoint = await listenRaw((socket) => {
      if (begin !== '') socket.write(begin);
      setTimeout(() => socket.destroy(), 20);
    });
    expect(await sendTo(endpoint)).toEqual(failed('reset'));
    expect(endpoint.connections()).toBe(1);
  });

  // Where it breaks before the request is sent, undici by itself would connect again and again, and never give way to anything else.
  test.each(Array.from({ length: 14 }, (_, turns) => turns))('%i turns after it was made is reset', async (turns) => {
    const endpoint = await internet.serveTcp(() => {});
    const network = internet.networkTo({ '127.0.0.1': endpoint });
    const fragile: Network = {
      ...network,
      dial: (address, port) => {
        const socket = network.dial(address, port);
        const breakIn = (left: number): void =>
          left > 0 ? queueMicrotask(() => breakIn(left - 1)) : void socket.destroy();
        return socket.on('connect', () => breakIn(turns));
      },
    };
    expect(await send(fragile, { url: 'http://127.0.0.1/' }, { allowPrivate: true })).toEqual(failed('reset'));
    expect(endpoint.connections()).toBe(1);
  });

  test('in the middle of the request is reset', async () => {
    const endpoint = await listenRaw((socket) => void socket.destroy());
    expect(await sendTo(endpoint, { body: 'x'.repeat(5_000 * KIB) })).toEqual(failed('reset'));
  });
});

describe('no connection', () => {
  test('to something that does not speak TLS', async () => {
    const endpoint = await internet.serveTcp((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    expect(await sendTo(endpoint)).toEqual(failed('tls_failed'));
  });

  test('to something that speaks HTTP/2 only', async () => {
    const endpoint = await internet.serve((_request, response) => response.end(), { ALPNProtocols: ['h2'] });
    expect(await sendTo(endpoint)).toEqual(failed('tls_failed'));
  });

  test('where it is refused', async () => {
    expect(await send(internet.networkTo({ [PUBLIC_V4]: 'refusing' }))).toEqual(failed('connect_failed'));
  });

  test.each<[title: string, answers: () => Promise<string[]>]>([
    ['has no address', async () => []],
    ['does not exist', () => Promise.reject(Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' }))],
  ])('where the name %s', async (_title, answers) => {
    expect(await send(internet.networkTo({}, answers))).toEqual(failed('dns_failed'));
  });

  test.each(['refusing', 'silent'] as const)('at a %s address, but then at the next', async (first) => {
    const endpoint = await internet.serve((_request, response) => response.end());
    const network = internet.networkTo({ [PUBLIC_V6]: first, [PUBLIC_V4]: endpoint }, [PUBLIC_V6, PUBLIC_V4]);
    expect(await send(network)).toEqual(delivered());
  });
});

describe('the caller’s signal ends it at once', () => {
  const stages: [stage: string, network: () => Promise<Network>, isReached: () => boolean][] = [
    ['in DNS', async () => internet.networkTo({}, () => new Promise(() => {})), () => true],
    [
      'while connecting',
      async () => internet.networkTo({ [PUBLIC_V4]: 'silent' }),
      () => internet.dialled.length === 1,
    ],
    [
      'in TLS',
      async () => internet.networkTo({ [PUBLIC_V4]: await internet.serveTcp(() => {}) }),
      () => (internet.dialled[0]?.socket.bytesWritten ?? 0) > 0,
    ],
    [
      'while waiting for the answer',
      async () => internet.networkTo({ [PUBLIC_V4]: await internet.serve(() => {}) }),
      () => bytesRead() > 200,
    ],
  ];
  test.each(stages)('%s', async (_stage, network, isReached) => {
    const controller = new AbortController();
    const sending = send(await network(), { signal: controller.signal });
    await until('the stage is reached', isReached);
    const abortedAt = performance.now();
    controller.abort();
    expect(await sending).toEqual({ kind: 'aborted', ms: expect.any(Number) });
    expect(performance.now() - abortedAt).toBeLessThan(200);
  });

  test('before it began', async () => {
    const endpoint = await internet.serve((_request, response) => response.end());
    const networks = [
      internet.networkTo({ [PUBLIC_V4]: endpoint }),
      internet.networkTo({}, () => new Promise(() => {})),
    ];
    for (const network of networks) {
      const outcome = await send(network, { signal: AbortSignal.abort() });
      expect(outcome).toEqual({ kind: 'aborted', ms: expect.any(Number) });
    }
    expect(internet.dialled).toEqual([]);
  });

  test('and is listened to no longer afterwards', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const endpoint = await internet.serve((_request, response) => response.end());
    await sendTo(endpoint, { signal });
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });
});

test('nothing of the answer but its status and its wish to wait is in the outcome', async () => {
  const canary = 'canary-4711';
  const endpoint = await internet.serve((_request, response) => {
    response.writeHead(500, canary, { 'x-canary': canary, 'retry-after': canary }).end(canary);
  });
  expect(JSON.stringify(await sendTo(endpoint))).not.toContain(canary);
});

test('a mistake on our side is an outcome as well, and logged without what was to be sent', async () => {
  const lines: unknown[] = [];
  const log = {
    ...createLog({ level: 'silent', process: 'test' }),
    error: (...line: unknown[]) => void lines.push(line),
  };
  const broken = createSendWebhook({
    allowPrivate: false,
    network: internet.networkTo({}),
    now: Date.now,
    log,
    limits,
  });
  const outcome = await broken({
    url: URL_OF_HOST,
    id: 'not.an\nid',
    timestampSeconds: 1,
    body: '{}',
    secrets: [drawWebhookSecret()],
    traceparent: null,
    signal: new AbortController().signal,
  });
  expect(outcome).toEqual(failed('internal_error'));
  expect(lines).toEqual([['delivery_broke', { code: 'RangeError', stack: expect.any(Array) }]]);
  expect(internet.dialled).toEqual([]);
});
