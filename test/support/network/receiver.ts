/** An endpoint for webhooks, which keeps what it got and answers as it is told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { serve } from './listen.ts';

export type Received = {
  path: string;
  headers: IncomingHttpHeaders;
  /** The event's id, the same at every attempt. */
  id: string;
  body: string;
  atMs: number;
  /** What was answered; 0 where nothing was. */
  status: number;
};

export type Receiver = {
  url: string;
  received: Received[];
  /** Requests of one event, oldest first. */
  of: (id: string) => Received[];
  close: () => Promise<void>;
};

/** A status to answer with, or how to answer; 0 leaves the request without an answer. */
type Behaviour = (received: Received, response: ServerResponse) => number | undefined;

export const startReceiver = async (behave: Behaviour = () => 204): Promise<Receiver> => {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const atMs = Date.now();
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const one = {
        path,
        headers,
        id: String(headers['webhook-id']),
        body: Buffer.concat(chunks).toString(),
        atMs,
        status: 0,
      };
      received.push(one);
      const status = behave(one, response);
      if (status === undefined) return;
      one.status = status;
      if (status !== 0) response.writeHead(status).end();
    });
  });
  const { url, close } = await serve(server);
  return {
    url,
    received,
    of: (id) => received.filter((each) => each.id === id),
    close,
  };
};
