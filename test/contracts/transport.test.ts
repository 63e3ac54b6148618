import { createServer, type Server, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync, constants as zlibConstants, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { listen } from '../support/network/listen.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';
import { VENDORS } from './vendors.ts';

const LIMIT_BYTES = 32 * 1024 * 1024;

const ENCODINGS: Record<string, (body: string) => Buffer> = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  br: (body) => brotliCompressSync(body, { params: { [zlibConstants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd: (body) => zstdCompressSync(body),
  'gzip, br': (body) => brotliCompressSync(gzipSync(body)),
  Identity: (body) => Buffer.from(body),
};

describe.each(VENDORS)('$provider', (vendor) => {
  const servers: (RawServer | Server)[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0))
      await ('received' in server ? server.close() : server[Symbol.asyncDispose]());
  });

  const callAt = async (url: string): Promise<Outcome> => {
    const adapter = vendor.open(url + vendor.basePath);
    try {
      return await adapter.complete({
        request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
        userKey: vendor.userKey,
        traceparent: null,
        timeoutMs: 20_000,
        signal: new AbortController().signal,
      });
    } finally {
      await adapter.close();
    }
  };
  const ask = async (answer: Parameters<typeof startRawServer>[0]) => {
    const server = await startRawServer(answer);
    servers.push(server);
    return { outcome: await callAt(server.url), received: server.received };
  };
  const encoded =
    (status: number, encoding: string, content: Buffer, headers: Record<string, string> = {}) =>
    (...[, response]: Parameters<Parameters<typeof startRawServer>[0]>): void => {
      const told = { 'content-type': 'application/json', 'content-encoding': encoding, ...headers };
      response.writeHead(status, told).end(content);
    };

  test('it is asked to encode nothing', async () => {
    const { received } = await ask(json(200, vendor.answerBody('Hi.')));
    expect(received.map(({ headers }) => headers['accept-encoding'])).toEqual(['identity']);
  });

  test.each(Object.entries(ENCODINGS))('an answer that comes as %s all the same is read', async (encoding, encode) => {
    const { outcome } = await ask(encoded(200, encoding, encode(JSON.stringify(vendor.answerBody('Hi.')))));
    expect(outcome).toMatchObject({ kind: 'completed', result: { content: 'Hi.' }, usage: { outputTokens: 2 } });
    const refusal = encode(JSON.stringify(vendor.errorBody('No such thing.')));
    expect((await ask(encoded(400, encoding, refusal, vendor.errorHeaders))).outcome).toMatchObject({
      kind: 'rejected',
      detail: 'No such thing.',
    });
  });

  test.each(Object.entries(ENCODINGS))('the limit of an answer counts what %s decodes to', async (encoding, encode) => {
    const long = 'x'.repeat(LIMIT_BYTES);
    const answer = encode(JSON.stringify(vendor.answerBody(long)));
    expect((await ask(encoded(200, encoding, answer))).outcome).toMatchObject({
      kind: 'rejected',
      code: 'provider_bad_response',
      billable: true,
      usage: null,
    });
    // An error that nobody can read to its end explains nothing.
    const error = encode(JSON.stringify(vendor.errorBody(long)));
    const { outcome } = await ask(encoded(400, encoding, error, vendor.errorHeaders));
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable', providerStatus: 400 });
  });

  test('an endless body that decodes to nothing is cut off', async () => {
    const { outcome } = await ask((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      // Gzip without content, again and again.
      const nothing = Buffer.concat(Array.from({ length: 50_000 }, () => gzipSync('')));
      const write = (): void => {
        while (!response.destroyed && response.write(nothing));
        if (!response.destroyed) response.once('drain', write);
      };
      write();
    });
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_bad_response' });
  });

  test.each([
    ['of a coding that nobody knows', 'aws-chunked', Buffer.from('{}')],
    ['of thousands of codings', Array.from({ length: 2_000 }, () => 'gzip').join(), gzipSync('{}')],
    ['that is not what it says', 'gzip', Buffer.from('{}')],
    ['that is cut off', 'gzip', gzipSync(JSON.stringify(vendor.answerBody('Hi.'))).subarray(0, 40)],
  ])('an answer %s is broken', async (_, encoding, content) => {
    expect((await ask(encoded(200, encoding, content))).outcome).toMatchObject({
      kind: 'unavailable',
      code: 'provider_bad_response',
    });
  });

  describe('a call for which no connection came about is not billed', () => {
    const nobody = {
      kind: 'unavailable',
      code: 'provider_unavailable',
      providerStatus: null,
      billable: false,
    };
    const listening = (onSocket: (socket: Socket) => void): Promise<number> => {
      const server = createServer((socket) => onSocket(socket.on('error', () => {}).resume()));
      servers.push(server);
      return listen(server);
    };
    test.each<[string, (socket: Socket) => void]>([
      ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy())],
      ['hangs up', (socket) => socket.once('data', () => socket.end())],
      ['hangs up at once', (socket) => socket.end()],
      ['answers in plain HTTP', (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))],
      [
        'answers with an alert',
        (socket) => socket.once('data', () => socket.end(Buffer.from('15030300020228', 'hex'))),
      ],
      ['answers with noise', (socket) => socket.once('data', () => socket.end('noise'.repeat(50)))],
    ])('whoever listens where TLS should be %s', async (_, onSocket) => {
      expect(await callAt(`https://127.0.0.1:${await listening(onSocket)}`)).toMatchObject(nobody);
    });

    test('one that broke after it had come about may be', async () => {
      const port = await listening((socket) => socket.once('data', () => socket.resetAndDestroy()));
      expect(await callAt(`http://127.0.0.1:${port}`)).toMatchObject({ ...nobody, billable: true });
    });
  });
});
