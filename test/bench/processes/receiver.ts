/** The endpoint's process: when the first byte of each event arrived, by the number of its job. */
import { createServer } from 'node:net';
import { clockMs } from '../figures/clock.ts';
import { serveParent } from './remote.ts';

const arrivals = new Map<string, number>();

const calls = {
  /** Answers 204 to everything, or takes connections and never answers. */
  listen: async ({ silent }: { silent: boolean }): Promise<string> => {
    const server = createServer((socket) => {
      let text = '';
      let atMs = 0;
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        if (atMs === 0) atMs = clockMs();
        if (silent) return;
        text += chunk.toString('latin1');
        const [head = '', body] = text.split('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        if (body === undefined || body.length < length) return;
        const [, id = ''] = /webhook-id: (\S+)/i.exec(head) ?? [];
        if (!arrivals.has(id)) arrivals.set(id, atMs);
        socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n');
      });
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', 8_192, resolve);
    await promise;
    const address = server.address();
    return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}/`;
  },
  arrivals: (): [id: string, atMs: number][] => [...arrivals],
};

export type ReceiverCalls = typeof calls;
serveParent(calls);
