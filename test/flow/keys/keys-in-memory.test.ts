/** Keys leave the memory of our processes: nothing that a process can still reach holds one when its answer, or its call, is over. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestApi, type TestGateway } from '../../support/processes/gateway.ts';
import { snapshotting, textsHeld } from '../../support/processes/heap.ts';
import type { GatewayProcess } from '../../support/processes/process.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const random = (): string => randomBytes(20).toString('hex');
const PLATFORM_KEY = `acme-${random()}`;
const ADMIN_TOKEN = `operator-${random()}`;

const completion = (text = 'hi', more: object = {}): string =>
  JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: text }], ...more });
const LINE = JSON.stringify({ custom_id: 'a', body: { model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] } });

let gateway: TestGateway;
let api: TestApi;
let worker: GatewayProcess;
const paths = { api: '', worker: '' };
const sockets: Socket[] = [];
beforeAll(async () => {
  const [ofApi, ofWorker] = [await snapshotting(), await snapshotting()];
  paths.api = ofApi.path;
  paths.worker = ofWorker.path;
  gateway = await startGateway({
    apis: 0,
    workers: 0,
    env: { ADMIN_TOKEN, PLATFORM_API_KEYS: `acme:${PLATFORM_KEY}` },
    sandbox: { record: { limit: 100, keys: 'clear' } },
  });
  api = await gateway.addApi(ofApi.env);
  worker = await gateway.addWorker(ofWorker.env);
}, 60_000);
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await gateway.stop();
});

type Sent = { socket: Socket; received: () => string };

/** One request on a connection of its own that stays open. */
const send = async (line: string, headers: readonly string[], body: string, missing = 0): Promise<Sent> => {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  const length = `Content-Length: ${Buffer.byteLength(body) + missing}`;
  socket.write([`${line} HTTP/1.1`, 'Host: gateway', length, ...headers, '', body].join('\r\n'));
  return { socket, received: () => received };
};
const answered = async ({ received }: Sent, status: number): Promise<void> => {
  await until('the answer is there', () => received().includes('\r\n\r\n'), { withinMs: 20_000 });
  expect(received().split('\r\n')[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
};

const JSON_TYPE = 'Content-Type: application/json';
const OWN = `X-API-Key: ${PLATFORM_KEY}`;
const user = (key: string): string[] => [`X-User-API-Key: ${key}`, 'X-User-Provider: openai', JSON_TYPE];

/** Each brings the key that it is given in its own way, and comes to an end with the connection open, or waits. */
const STATES: Record<string, (key: string) => Promise<unknown>> = {
  '202, accepted': async (key) => answered(await send('POST /v1/complete', [OWN, ...user(key)], completion()), 202),
  '200, waited for': async (key) =>
    answered(await send('POST /v1/complete', [OWN, ...user(key), 'Prefer: wait=20'], completion()), 200),
  'an answer that is waited for': async (key) => {
    const text = completion('the one that hangs sandbox:fail=hang');
    await send('POST /v1/complete', [OWN, ...user(key), 'Prefer: wait=40'], text);
    await until('it runs', () => gateway.callsWith('the one that hangs').length > 0);
  },
  '202, of a batch': async (key) =>
    answered(
      await send(
        'POST /v1/batches',
        [OWN, ...user(key).slice(0, 2), 'Content-Type: application/x-ndjson'],
        `${LINE}\n`,
      ),
      202,
    ),
  '200, a list of models': async (key) => answered(await send('GET /openai/v1/models', [OWN, ...user(key)], ''), 200),
  '404, a model that there is not': async (key) =>
    answered(await send('GET /openai/v1/models/none', [OWN, ...user(key)], ''), 404),
  '404, a wrong base URL': async (key) =>
    answered(await send('POST /v1/chat/completions', [`Authorization: Bearer ${key}`, ...user(key)], '{}'), 404),
  '400, a wrong body': async (key) => answered(await send('POST /v1/complete', [OWN, ...user(key)], '{}'), 400),
  '400, a key of another provider': async (key) =>
    answered(
      await send(
        'POST /v1/complete',
        [OWN, `X-User-API-Key: ${key}`, 'X-User-Provider: anthropic', JSON_TYPE],
        completion(),
      ),
      400,
    ),
  '400, two keys': async (key) =>
    answered(await send('POST /v1/complete', [OWN, ...user(key), `X-User-API-Key: ${key}`], completion()), 400),
  '400, in a header that is none of ours': async (key) =>
    answered(await send('POST /v1/complete', [OWN, `OpenAI-Key: ${key}`, `Cookie: k=${key}`, JSON_TYPE], '{'), 400),
  '400, in the query': async (key) =>
    answered(await send(`POST /v1/complete?key=${key}`, [OWN, JSON_TYPE], completion()), 400),
  '401, as platform key': async (key) =>
    answered(await send('POST /v1/complete', [`X-API-Key: ${key}`, ...user(key)], completion()), 401),
  '401, as bearer': async (key) => answered(await send('GET /v1/jobs', [`Authorization: Bearer ${key}`], ''), 401),
  '401, as admin token': async (key) =>
    answered(await send('GET /admin/tenants', [`Authorization: Bearer ${key}`], ''), 401),
  '404': async (key) => answered(await send(`POST /nowhere/${key}`, [OWN, ...user(key)], completion()), 404),
  '413': async (key) => answered(await send('POST /v1/complete', [OWN, ...user(key)], '{', 100_000_000), 413),
  'an upload that was aborted': async (key) => {
    const { socket } = await send('POST /v1/batches', [OWN, ...user(key)], '{', 500);
    await delay(300);
    socket.destroy();
  },
  'a request that is no HTTP': async (key) => {
    const sent = await send('POST /v1/complete', [OWN, ...user(key), 'Bad Header'], completion());
    await answered(sent, 400);
  },
  '503, Redis silent': async (key) => {
    await withRedis(gateway.redis.url, (redis) => redis.call('CLIENT', 'PAUSE', 6_000, 'ALL'));
    await answered(await send('POST /v1/complete', [OWN, ...user(key)], completion()), 503);
    await delay(5_000);
  },
};

describe('with every connection open that brought one, no key can be reached', () => {
  const keys = Object.fromEntries(Object.keys(STATES).map((name) => [name, `sk-proj-${random()}`]));
  beforeAll(async () => {
    for (const [name, come] of Object.entries(STATES)) await come(keys[name] ?? '');
    await until('what was accepted was called', () => gateway.sandbox.calls.length >= 4);
    await delay(500);
  }, 90_000);

  test('in the API: neither users’ keys, nor what was presented, nor the keys that it is configured with', async () => {
    const held = await textsHeld(api, paths.api, [...Object.values(keys), PLATFORM_KEY, ADMIN_TOKEN]);
    expect(named(held, keys)).toEqual([]);
  }, 90_000);

  test('in the worker, whose connections to the provider are open: but for the one of the call that runs', async () => {
    const { 'an answer that is waited for': running = '', ...over } = keys;
    const held = await textsHeld(worker, paths.worker, [...Object.values(over), PLATFORM_KEY, ADMIN_TOKEN]);
    expect(named(held, keys)).toEqual([]);
    // The search finds what is there.
    expect(named(await textsHeld(worker, paths.worker, [running]), keys)).toEqual([
      expect.stringMatching(/^an answer that is waited for: /),
    ]);
  }, 90_000);
});

/** By the state that a key came with. */
const named = (held: readonly string[], keys: Record<string, string>): string[] =>
  held.map((line) => Object.entries(keys).reduce((text, [name, key]) => text.replace(key, name), line));
