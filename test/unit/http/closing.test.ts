import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import type { ApiEnv } from '../../../api/http/context.ts';
import { listen } from '../../../api/http/server/listen.ts';
import { createLog } from '../../../shared/process/log.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

const nextAnswer = async (socket: Socket): Promise<string> => {
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString();
};

test('a server that stops still answers what was sent on a connection that it takes for idle, and silent connections hold nothing up', async () => {
  const app = new Hono<ApiEnv>().get('/', (c) => c.text('answered'));
  const log = createLog({ level: 'silent', process: 'api' });
  const server = await listen(app, { host: '127.0.0.1', port: 0, idleMs: 75_000, log, onRefused: () => {} });
  const socket = connect(server.port, server.host);
  const quiet = connect(server.port, server.host);
  socket.write(REQUEST);
  expect(await nextAnswer(socket)).toContain('keep-alive');

  // Both in one tick: the request is in the kernel, where the server has not yet seen it.
  socket.write(REQUEST);
  const closed = server.close(10_000);
  const answer = await nextAnswer(socket);
  expect(answer).toContain('answered');
  expect(answer.toLowerCase()).toContain('connection: close');
  quiet.resume();
  await Promise.all([closed, once(quiet, 'close')]);
});
