/** A proxy in front of the gateway that keeps what a client sends and gets: the client itself stays as it is. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { serve } from '../../support/network/listen.ts';

export type Exchange = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Null until the gateway has answered, and for good if the client left before. */
  answer: { status: number; headers: IncomingHttpHeaders } | null;
};

export type Front = {
  url: string;
  /** Oldest first. */
  exchanges: readonly Exchange[];
  close: () => Promise<void>;
};

const OF_ONE_CONNECTION: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** Header lines as Node gives them, names and values by turns, less those of one connection. */
const passedOn = (raw: readonly string[]): string[] =>
  raw.filter((_, index) => !OF_ONE_CONNECTION.has((raw[index - (index % 2)] ?? '').toLowerCase()));

/** `gateway` is asked at each request for the address to send it to. */
export const openFront = async (gateway: () => string): Promise<Front> => {
  const exchanges: Exchange[] = [];
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers, rawHeaders } = incoming;
    const body = await buffer(incoming);
    const exchange: Exchange = { method, path, headers, body, answer: null };
    exchanges.push(exchange);
    const passed = request(`${gateway()}${path}`, { method, headers: passedOn(rawHeaders) });
    // A client that leaves, and an API that dies, break the connection on the other side too.
    outgoing.on('close', () => passed.destroy());
    passed.on('error', () => outgoing.destroy());
    passed.on('response', (answer) => {
      const { statusCode: status = 0, headers: answered } = answer;
      exchange.answer = { status, headers: answered };
      outgoing.sendDate = false;
      outgoing.writeHead(status, passedOn(answer.rawHeaders));
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    });
    passed.end(body);
  };
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const { url, close } = await serve(server);
  return { url, exchanges, close };
};
