/** HTTP as bytes on a socket, for what no client library lets through. */
import { connect } from 'node:net';
import type { Received } from '../clients/refusal.ts';
import { until } from '../until.ts';

export type Connection = {
  /** Text is sent as latin1, one byte a character. */
  send: (bytes: string | Buffer) => void;
  /** The next answer; fails when none comes in time. */
  answer: (options?: { withinMs?: number; toHead?: boolean }) => Promise<Received>;
  /** What came and was not taken as an answer. */
  rest: () => string;
  /** Whether the server has closed its side. */
  hasEnded: () => boolean;
  /** Whether the server has let go of the connection, whatever this side does. */
  isCut: () => boolean;
  close: () => void;
};

export const openConnection = (url: string): Connection => {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let received = '';
  let ended = false;
  let cut = false;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('end', () => {
    ended = true;
  });
  socket.on('error', () => {
    cut = true;
  });

  const take = (toHead: boolean): Received | null => {
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) return null;
    const [statusLine = '', ...lines] = received.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const headers = new Headers(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      }),
    );
    const length = toHead || status < 200 ? 0 : Number(headers.get('content-length') ?? 0);
    const start = end + 4;
    if (received.length < start + length) return null;
    const text = Buffer.from(received.slice(start, start + length), 'latin1').toString();
    received = received.slice(start + length);
    if (status < 200) return take(toHead);
    return { status, headers, body: text === '' ? null : JSON.parse(text) };
  };

  return {
    send: (bytes) => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    },
    answer: ({ withinMs = 5_000, toHead = false } = {}) => until('an answer comes', () => take(toHead), { withinMs }),
    rest: () => received,
    hasEnded: () => ended,
    isCut: () => cut,
    close: () => socket.destroy(),
  };
};

/** Sends the bytes on a connection of their own and takes the first answer. */
export const exchange = async (url: string, bytes: string | Buffer): Promise<Received> => {
  const connection = openConnection(url);
  try {
    connection.send(bytes);
    return await connection.answer();
  } finally {
    connection.close();
  }
};

/** A request of HTTP/1.1 with these header lines and body, and nothing added but Host and the length of the body. */
export const request = (line: string, headers: readonly string[] = [], body: string | null = null): string =>
  [
    `${line} HTTP/1.1`,
    'Host: gateway.test',
    ...headers,
    ...(body === null ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`]),
    '',
    body ?? '',
  ].join('\r\n');
