/** Every wait that a peer can set, under what a hostile or broken peer may ask for. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGatewayClient } from '../../../cli/batches/gateway-client.ts';
import type { Outcome } from '../../../shared/domain/outcome.ts';
import { backOff, pause } from '../../../shared/domain/waits/pause.ts';
import { retryAfterMs } from '../../../shared/domain/waits/retry-after.ts';
import { decideNext, decideWithoutKey } from '../../../worker/attempts/decide-next.ts';
import { nextDelivery } from '../../../worker/deliveries/next-delivery.ts';
import { listen } from '../../support/network/listen.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 28);
const HOSTILE = [
  '0', '-1', '-0', '0.0001', '1e9', '1000000000', '999999999999999999999', 'NaN', 'Infinity', '', ' ', ',', '1,', '0, 0',
  '2, 99999999', 'soon', '0x10', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 2099 23:59:59 GMT', 'Sat, 99 Nov 2026',
]; // biome-ignore format: a table
const ASKED = ['retry-after', 'retry-after-ms'].flatMap((header) =>
  HOSTILE.map(
    (value) => [`${header}: ${value}`, retryAfterMs((name) => (name === header ? value : null), NOW)] as const,
  ),
);

const throttledFor = (cause: 'limit' | 'overload') => (asked: number | null, times: number, random: number) => {
  const outcome: Outcome = {
    kind: 'throttled', usage: null, billable: false, providerRequestId: null, code: 'provider_rate_limited',
    providerStatus: 429, cause, retryAfterMs: asked, detail: null,
  }; // biome-ignore format: a record
  const next = decideNext(
    outcome,
    { maxAttempts: 4, maxThrottles: 50 },
    { nowMs: NOW, deadlineMs: NOW + 24 * HOUR, failures: 0, throttles: times, apart: 0, strikes: times, random },
  );
  return next.kind === 'park' ? [next.waitMs, next.parkMs] : null;
};

/** [who waits, its waits after `times` earlier ones (null: it gave up), floor, ceiling, how many at most] */
const WAITS: [
  string,
  (asked: number | null, times: number, random: number) => number[] | null,
  floorMs: number,
  ceilingMs: number,
  count: number,
][] = [
  ['a provider’s limit', throttledFor('limit'), 500, HOUR, 50],
  ['a provider’s overload', throttledFor('overload'), 500, 60_000, 50],
  [
    'a webhook’s receiver',
    (asked, times, random) => {
      const failed = { kind: 'failed', code: 'status', status: 503, retryAfterMs: asked, gone: false, ms: 1 } as const;
      const next = nextDelivery(times + 1, failed, [5_000, 300_000], random);
      return next.kind === 'retry' ? [next.waitMs] : null;
    },
    4_500,
    1.1 * 24 * HOUR,
    3,
  ],
  [
    'the key service',
    (_, times, random) => {
      const { next } = decideWithoutKey('unavailable', times + 1, random);
      return next.kind === 'retry' ? [next.waitMs] : null;
    },
    2_500,
    300_000,
    // Counted by the claim: see "a job is tried a thousand times at most".
    Number.POSITIVE_INFINITY,
  ],
];

describe.each(WAITS)('the wait for %s', (_title, waitsOf, floorMs, ceilingMs, count) => {
  test.each(ASKED)('keeps floor, ceiling and count at %s', (_header, asked) => {
    for (const random of [0, 0.5, 0.999_999]) {
      for (let times = 0; times < Math.min(count, 200); times++) {
        for (const wait of waitsOf(asked, times, random) ?? []) {
          expect(wait).toBeGreaterThanOrEqual(floorMs);
          expect(wait).toBeLessThanOrEqual(ceilingMs);
        }
      }
      if (Number.isFinite(count)) expect(waitsOf(asked, count - 1, random)).toBeNull();
    }
  });
});

describe('a pause', () => {
  test.each([
    [null, 700],
    [0, 700],
    [-5, 700],
    [Number.NaN, 700],
    [900, 900],
    [1e12, 5_000],
  ])('of 700 ms of its own that the peer wants to last %s lasts %i', (asked, expected) =>
    expect(pause(700, asked, 5_000)).toBe(expected),
  );
  test('is not cut below the own back-off by the limit of what a peer may ask', () => {
    expect(pause(9_000, 20_000, 5_000)).toBe(9_000);
  });
  test('doubles to its limit', () => {
    expect([0, 1, 2, 9, 1_000].map((times) => backOff(100, 1_000, times, 0))).toEqual([100, 200, 400, 1_000, 1_000]);
  });
});

describe('the commands’ own client', () => {
  const arrivals: number[] = [];
  let answer = 'soon';
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      arrivals.push(performance.now());
      response.writeHead(arrivals.length === 1 ? 503 : 200, { 'Retry-After': answer }).end('{}');
    });
    url = `http://127.0.0.1:${await listen(server)}`;
  });
  afterAll(() => server.close());

  test.each(['0', '-1', 'NaN', 'Thu, 01 Jan 1970 00:00:00 GMT'])(
    'waits half a second at least at %s',
    async (value) => {
      answer = value;
      arrivals.length = 0;
      await createGatewayClient({ url, key: 'key', user: {} }).read('bat_x');
      expect((arrivals[1] ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThanOrEqual(495);
    },
  );
});
