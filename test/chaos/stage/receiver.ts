import { createServer } from 'node:http';
import { serve } from '../../support/network/listen.ts';
import type { Random } from '../../support/random.ts';

export type Received = {
  path: string;
  id: string;
  headers: Record<string, string>;
  body: string;
  /** Unix time in milliseconds. */
  at: number;
};

export type Receiver = {
  port: number;
  received: readonly Received[];
  close: () => Promise<void>;
};

const FAILS = 0.2;
/** Of those that fail: as many never answer. */
const HANGS = 0.1;

export const startReceiver = async (random: Random): Promise<Receiver> => {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const headers: Record<string, string> = {};
      for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
        headers[name] = String(request.headers[name] ?? '');
      }
      received.push({
        path: request.url ?? '',
        id: headers['webhook-id'] ?? '',
        headers,
        body: Buffer.concat(chunks).toString(),
        at: Date.now(),
      });
      if (random.next() >= FAILS) response.writeHead(204).end();
      else if (random.next() >= HANGS) response.writeHead(random.pick([500, 429, 302])).end();
    });
  });
  const { port, close } = await serve(server);
  return {
    port,
    received,
    close,
  };
};
