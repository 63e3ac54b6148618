/** An answer that breaks off must not look whole, least of all to HTTP/1.0, for which the end of the connection is its end. */
import { connect } from 'node:net';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import type { ApiEnv } from '../../../api/http/context.ts';
import { listen } from '../../../api/http/server/listen.ts';
import { createLog } from '../../../shared/process/log.ts';

const log = createLog({ level: 'silent', process: 'api' });

const serve = () => {
  const app = new Hono<ApiEnv>();
  const pieces = (pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void) =>
    new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  let count = 0;
  app.get('/breaks', (c) =>
    c.body(
      pieces((controller) => {
        if (++count % 3 === 0) controller.error(new Error('Redis went away'));
        else controller.enqueue(Buffer.from('line\n'));
      }),
    ),
  );
  app.get('/never-ends', (c) =>
    c.body(new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from('line\n')) })),
  );
  return listen(app, { host: '127.0.0.1', port: 0, idleMs: 1_000, log, onRefused: () => {} });
};

/** How the connection ended: `reset`, or `end` in good order. */
const ending = (port: number, path: string, version: string): Promise<string> => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', (error: NodeJS.ErrnoException) =>
    resolve(error.code === 'ECONNRESET' ? 'reset' : `${error.code}`),
  );
  socket.on('end', () => resolve('end'));
  socket.resume();
  socket.write(`GET ${path} HTTP/${version}\r\nHost: x\r\n\r\n`);
  return promise;
};

test.each(['1.0', '1.1'])(
  'in HTTP/%s it ends by a reset: when its source fails, and when the drain is over',
  async (version) => {
    const server = await serve();
    expect(await ending(server.port, '/breaks', version)).toBe('reset');
    const cut = ending(server.port, '/never-ends', version);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.close(300);
    expect(await cut).toBe('reset');
  },
);
