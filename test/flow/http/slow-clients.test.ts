/** Slow clients. Limits in time cannot be made shorter from outside, so these wait for them, side by side. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { ResultLine } from '../../../shared/domain/batches/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { acceptedBatch, finishedBatch, line, lines, readResults, upload } from '../../support/clients/batches.ts';
import { expectNoJobs, expectRefusal, HELLO, type Received } from '../../support/clients/refusal.ts';
import { type Connection, openConnection, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { until } from '../../support/until.ts';

const MIB = 1_048_576;
const LINES = 400;
const RESULT_BYTES = MIB / 4;
const PATIENT_LINES = 4;
const TIMEOUT = { status: 408, code: 'request_timeout', message: /in time/ };
const TEXT = JSON.stringify(HELLO);

let gateway: TestGateway;
let redis: Redis;
useGateway({ sandbox: { record: { limit: 1_000, keys: 'digest' } } }, (opened) => {
  ({ gateway, redis } = opened);
});

const uploadOf = (tenant: keyof typeof KEYS): string =>
  request('POST /v1/batches', [
    `X-API-Key: ${KEYS[tenant]}`,
    'Content-Type: application/x-ndjson',
    'Transfer-Encoding: chunked',
  ]);
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Sends the start at once and then, over and over, a byte that never ends the request. */
const drip = async (
  start: string,
  byte: string,
): Promise<{ connection: Connection; answer: Received; tookMs: number }> => {
  const connection = openConnection(gateway.apis[0]?.url ?? '');
  const startMs = performance.now();
  connection.send(start);
  const answer = await until(
    'the slow request is answered',
    async () => {
      connection.send(byte);
      return connection.answer({ withinMs: 200 });
    },
    { withinMs: 40_000 },
  );
  return { connection, answer, tookMs: performance.now() - startMs };
};

const expectCut = async (connection: Connection): Promise<void> => {
  await until('the connection is cut', () => {
    connection.send(' ');
    return connection.isCut();
  });
  expect(connection.rest()).toBe('');
  connection.close();
};

/** Of gamma's batch, when lines of it are staged. */
const stagedStem = async (): Promise<string | null> => {
  const prefix = key(shardTag(0), 'BATCH');
  for (const name of await redis.keys(`${prefix}*`)) {
    const [tenant, total] = await redis.hmget(name, 'tenant', 'total');
    if (tenant === 'gamma' && Number(total) > 0) return name.slice(prefix.length);
  }
  return null;
};

test.concurrent('an upload that trickles is refused when it was waited for 30 s, and leaves nothing behind', {
  timeout: 45_000,
}, async () => {
  const staged = lines(100, {}, 'trickle').map((each) => `${JSON.stringify(each)}\n`);
  const trickle = drip(uploadOf('gamma') + chunk(staged.join('')), chunk(' '));
  const stem = await until('its first lines are staged', stagedStem);
  const { connection, answer, tookMs } = await trickle;
  expectRefusal(answer, TIMEOUT);
  expect(tookMs).toBeGreaterThan(29_000);
  expect(tookMs).toBeLessThan(36_000);
  await until('nothing of it is left', async () => (await redis.keys(`*${stem}*`)).length === 0);
  await expectCut(connection);
});

test.concurrent('an upload that takes long is accepted where it came within the 30 s', {
  timeout: 45_000,
}, async () => {
  const connection = openConnection(gateway.apis[0]?.url ?? '');
  connection.send(uploadOf('acme'));
  for (let number = 1; number <= PATIENT_LINES; number++) {
    connection.send(chunk(`${JSON.stringify(line(`patient-${number}`))}\n`));
    await delay(6_000);
  }
  connection.send('0\r\n\r\n');
  const { status, body } = await connection.answer();
  expect({ status, body }).toMatchObject({ status: 202, body: { request_counts: { total: PATIENT_LINES } } });
  connection.close();
});

test.concurrent('uploads that send nothing give way to the upload of a tenant that does', {
  timeout: 45_000,
}, async () => {
  const own = await startGateway({ workers: 0 });
  try {
    const url = own.apis[0]?.url ?? '';
    const silent = Array.from({ length: 4 }, () => openConnection(url));
    for (const connection of silent) connection.send(uploadOf('acme') + chunk(' '));
    await delay(2_500);
    const { status } = await own.call('POST', '/v1/batches', {
      body: `${JSON.stringify(line('prompt'))}\n`,
      headers: { 'Content-Type': 'application/x-ndjson' },
    });
    expect(status).toBe(202);
    const answers = await Promise.all(
      silent.map((connection) => connection.answer({ withinMs: 2_000 }).catch(() => null)),
    );
    expect(answers.flatMap((answer) => answer?.status ?? [])).toEqual([408]);
    for (const connection of silent) connection.close();
  } finally {
    await own.stop();
  }
});

const residentBytes = async (pid: number): Promise<number> =>
  Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1_024;

test.concurrent('a client that stops reading its results costs the API no memory, is let go after a minute, and can go on behind the last line that it has', {
  timeout: 120_000,
}, async () => {
  const [api] = gateway.apis;
  if (!api) throw new Error('no API');
  const { id } = acceptedBatch(await upload(gateway, lines(LINES, {}, 'large'), { key: KEYS.beta }));
  await finishedBatch(gateway, id, { key: KEYS.beta });
  // The sandbox answers in a few words.
  const content = 'x'.repeat(RESULT_BYTES);
  for (const { job_id } of await readResults(gateway, id, { key: KEYS.beta })) {
    const result = { role: 'assistant', content, finish_reason: 'stop' };
    await redis.set(key(shardTag(0), 'RESULT', job_id), JSON.stringify(result), 'KEEPTTL');
  }

  const before = await residentBytes(api.pid);
  const startMs = performance.now();
  const asked = get(`${api.url}/v1/batches/${id}/results`, { agent: false, headers: { 'X-API-Key': KEYS.beta } });
  let isCut = false;
  asked.on('error', () => {
    isCut = true;
  });
  let text = '';
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    if (text.includes('\n')) answer.pause();
  });
  answer.on('error', () => {
    isCut = true;
  });
  await until('a whole line is there', () => answer.isPaused());

  let most = 0;
  await until(
    'the connection is cut',
    async () => {
      most = Math.max(most, await residentBytes(api.pid));
      // A server that keeps the connection passes over an empty line.
      asked.socket?.write('\r\n');
      return isCut;
    },
    { withinMs: 90_000, everyMs: 200 },
  );
  expect(performance.now() - startMs).toBeGreaterThan(55_000);
  expect(performance.now() - startMs).toBeLessThan(85_000);
  expect(most - before).toBeLessThan((LINES * RESULT_BYTES) / 2);
  asked.destroy();

  const ended = text.split('\n').slice(0, -1);
  // A cast because it is the line of a result.
  const last = JSON.parse(ended.at(-1) ?? '') as ResultLine;
  const rest = await readResults(gateway, id, { key: KEYS.beta, after: last.cursor });
  expect(rest).toHaveLength(LINES - ended.length);
});

test.concurrent('headers that do not arrive within 10 s are refused, and the connection cut', {
  timeout: 45_000,
}, async () => {
  const { connection, answer, tookMs } = await drip(`GET /v1/jobs HTTP/1.1\r\nHost: a\r\nX-Slow: `, 'a');
  expectRefusal(answer, TIMEOUT);
  expect(tookMs).toBeGreaterThan(9_500);
  expect(tookMs).toBeLessThan(13_000);
  await expectCut(connection);
});

test.concurrent.each([
  ['declared', ['Content-Length: 100000'], TEXT, ' '],
  ['in chunks', ['Transfer-Encoding: chunked'], `${TEXT.length.toString(16)}\r\n${TEXT}\r\n`, '1\r\n \r\n'],
])(
  'a body %s that does not arrive within 30 s is refused, and the connection cut',
  { timeout: 45_000 },
  async (_, framing, first, byte) => {
    const headers = [`X-API-Key: ${KEYS.acme}`, 'Content-Type: application/json', 'X-Request-Id: slow', ...framing];
    const { connection, answer, tookMs } = await drip(request('POST /v1/complete', headers) + first, byte);
    expectRefusal(answer, TIMEOUT);
    expect(tookMs).toBeGreaterThan(29_000);
    expect(tookMs).toBeLessThan(33_000);
    await expectCut(connection);
  },
);

test('nothing ran but the lines of the batches that were accepted, and nothing was printed past the log', async () => {
  await expectNoJobs(gateway);
  expect(gateway.sandbox.calls).toHaveLength(LINES + PATIENT_LINES);
  expect(gateway.apis[0]?.otherOutput).toEqual([]);
  expect(gateway.apis[0]?.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});
