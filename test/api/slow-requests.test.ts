/** Limits in time cannot be made shorter from outside, so these wait for them, side by side. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYS, startGateway, type TestGateway } from '../support/gateway.ts';
import { until } from '../support/until.ts';
import { type Connection, openConnection, request } from './raw.ts';
import { expectNothingRan, expectRefusal, HELLO, type Received } from './refusal.ts';

const TIMEOUT = { status: 408, code: 'request_timeout', message: /in time/ };
const TEXT = JSON.stringify(HELLO);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0 });
});
afterAll(() => gateway.stop());

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

test('nothing of them ran, and nothing was printed past the log', async () => {
  await expectNothingRan(gateway);
  expect(gateway.apis[0]?.otherOutput).toEqual([]);
  expect(gateway.apis[0]?.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});
