import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ApiEnv } from '../../../api/http/context.ts';
import { type ListeningServer, listen } from '../../../api/http/server/listen.ts';
import { createLog } from '../../../shared/process/log.ts';
import { openConnection, request } from '../../support/network/raw.ts';
import { until } from '../../support/until.ts';

/** More than the kernel keeps for a client that does not read. */
const LARGE_BYTES = 32 * 1_048_576;
/** What it takes at 64 KB/s. */
const SLOWLY_MS = LARGE_BYTES / 64;
const PIECE = Buffer.alloc(1_048_576, 'x');
/** More than an answer has sent ahead of a client that stopped reading. */
const MORE_BYTES = 8 * PIECE.length;

let server: ListeningServer;
let url: string;
let called: string[];
let running: number;
let mostRunning: number;
let gate: PromiseWithResolvers<void>;
let isEnough: boolean;

beforeEach(async () => {
  // Those of the connections' upkeep alone: Node's own are none of these.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  called = [];
  running = 0;
  mostRunning = 0;
  gate = Promise.withResolvers<void>();
  isEnough = false;
  const app = new Hono<ApiEnv>();
  app.use(async (c, next) => {
    called.push(c.req.path);
    running += 1;
    mostRunning = Math.max(mostRunning, running);
    await next();
    running -= 1;
  });
  app.get('/gated', async (c) => {
    await gate.promise;
    return c.json('gated');
  });
  app.get('/large', (c) => c.json('x'.repeat(LARGE_BYTES)));
  app.get('/pieces', (c) => {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      if (isEnough) controller.close();
      else controller.enqueue(PIECE);
    };
    return c.body(new ReadableStream({ pull }, { highWaterMark: 0 }));
  });
  app.get('/:number', async (c) => {
    await new Promise(setImmediate);
    return c.json(c.req.param('number'));
  });
  const log = createLog({ level: 'silent', process: 'api' });
  server = await listen(app, { host: '127.0.0.1', port: 0, idleMs: 75_000, log, onRefused: () => {} });
  url = `http://${server.host}:${server.port}`;
});
afterEach(async () => {
  gate.resolve();
  await server.close(1_000);
  vi.useRealTimers();
});

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const ask = (path: string): string => request(`GET /${path}`);

/** A client that reads nothing. */
const askUnread = async (...paths: string[]): Promise<Socket> => {
  const socket = connect(server.port, server.host).pause();
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(paths.map(ask).join(''));
  return socket;
};

test('requests that are sent ahead run one after the other, and are answered in their order', async () => {
  const connection = openConnection(url);
  connection.send(numbers(33).map(ask).join(''));
  for (const number of numbers(33)) expect((await connection.answer()).body).toBe(number);
  expect(mostRunning).toBe(1);
  connection.send(ask('again'));
  expect((await connection.answer()).body).toBe('again');
  connection.close();
});

test('a client that sends more ahead than may wait is let go, and what waited never runs', async () => {
  const connection = openConnection(url);
  connection.send(['gated', ...numbers(33)].map(ask).join(''));
  await until('the connection is cut', () => connection.hasEnded() || connection.isCut());
  gate.resolve();
  expect(await (await fetch(`${url}/other`)).json()).toBe('other');
  expect(called).toEqual(['/gated', '/other']);
  connection.close();
});

test('what a client sent ahead before it went away never runs', async () => {
  const socket = await askUnread('gated', 'ahead');
  await until('the first one runs', () => called.length === 1);
  socket.destroy();
  expect(await (await fetch(`${url}/other`)).json()).toBe('other');
  gate.resolve();
  expect(await (await fetch(`${url}/other`)).json()).toBe('other');
  expect(called).toEqual(['/gated', '/other', '/other']);
});

test('of answers that a client does not read one is held, and none a minute after it could have been read slowly', async () => {
  const socket = await askUnread('large', '1', '2', '3');
  await until('the first one runs', () => called.length === 1);
  expect(await (await fetch(`${url}/other`)).json()).toBe('other');
  vi.advanceTimersByTime(60_000 + SLOWLY_MS);
  expect(await (await fetch(`${url}/other`)).json()).toBe('other');
  expect(called).toEqual(['/large', '/other', '/other']);

  vi.advanceTimersByTime(10_000);
  socket.resume();
  await once(socket, 'close');
  expect(socket.bytesRead).toBeLessThan(LARGE_BYTES);
  expect(called).toEqual(['/large', '/other', '/other']);
});

test('a client that takes slowly what was written at once gets all of it', async () => {
  const socket = await askUnread('large');
  socket.on('data', () => socket.pause());
  for (let look = 0; look < 15; look++) {
    const arrived = once(socket, 'data');
    socket.resume();
    await arrived;
    vi.advanceTimersByTime(5_000);
  }
  socket.removeAllListeners('data').resume();
  await until('all of it came', () => socket.bytesRead > LARGE_BYTES);
  socket.destroy();
});

test('a client that takes a long answer slowly, or waits long for one, is not let go', async () => {
  const slow = await askUnread('pieces', 'behind');
  const patient = openConnection(url);
  patient.send(ask('gated'));
  await until('both run', () => called.length === 2);
  for (let round = 0; round < 6; round++) {
    vi.advanceTimersByTime(50_000);
    const read = slow.bytesRead;
    slow.resume();
    await until('more of it came', () => slow.bytesRead > read + MORE_BYTES);
    slow.pause();
  }
  gate.resolve();
  expect((await patient.answer()).body).toBe('gated');
  isEnough = true;
  slow.resume();
  await until('what is behind it runs', () => called.includes('/behind'));
  patient.close();
  slow.destroy();
});
