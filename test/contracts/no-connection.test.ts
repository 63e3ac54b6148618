/** A provider whose machine takes no more connections. The time for a connection cannot be made shorter from outside, so these wait for it, side by side. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VENDORS } from './vendors.ts';

/** Listens, prints its port, and is stopped before it accepts anything. */
const LISTEN = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
  console.log(this.address().port);
  process.kill(process.pid, 'SIGSTOP');
})`;

let listener: ChildProcess;
let port = 0;
const waiting: Socket[] = [];
beforeAll(async () => {
  listener = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  port = Number(String((await once(listener.stdout ?? listener, 'data'))[0]));
  // The kernel completes as many as its queue holds, and answers no more of them.
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    waiting.push(socket);
    const isTaken = await Promise.race([once(socket, 'connect').then(() => true), delay(500, false)]);
    if (!isTaken) break;
  }
});
afterAll(() => {
  for (const socket of waiting) socket.destroy();
  listener.kill('SIGKILL');
});

test.concurrent.each(VENDORS)('$provider: unavailable, and bills nothing', { timeout: 30_000 }, async (vendor) => {
  const adapter = vendor.open(`http://127.0.0.1:${port}${vendor.basePath}`);
  const outcome = await adapter.complete({
    request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
    userKey: vendor.userKey,
    traceparent: null,
    timeoutMs: 25_000,
    signal: new AbortController().signal,
  });
  await adapter.close();
  expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable', billable: false });
});
