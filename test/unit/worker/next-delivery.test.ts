import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeliveryOutcome } from '../../../shared/domain/webhooks/delivery-outcome.ts';
import { DEFAULT_RETRY_SCHEDULE_SECONDS } from '../../../shared/domain/webhooks/retry-schedule.ts';
import { nextDelivery } from '../../../worker/deliveries/next-delivery.ts';

type Failed = Extract<DeliveryOutcome, { kind: 'failed' }>;

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const schedule = DEFAULT_RETRY_SCHEDULE_SECONDS.map((seconds) => seconds * SECOND);
const failed = (more: Partial<Failed> = {}): Failed => ({
  kind: 'failed',
  code: 'status',
  status: 503,
  retryAfterMs: null,
  gone: false,
  ms: 12,
  ...more,
});
const MIDDLE = 0.5; // No jitter.

describe('the next step of a delivery', () => {
  test.each([
    [1, 5 * SECOND],
    [2, 5 * MINUTE],
    [3, 30 * MINUTE],
    [4, 2 * HOUR],
    [5, 5 * HOUR],
    [6, 10 * HOUR],
    [7, 14 * HOUR],
    [8, 20 * HOUR],
    [9, 24 * HOUR],
  ])('after attempt %i is to wait %i ms', (attempts, waitMs) => {
    expect(nextDelivery(attempts, failed(), schedule, MIDDLE)).toEqual({ kind: 'retry', waitMs });
  });

  test('after the tenth failed attempt is to give up', () => {
    expect(nextDelivery(10, failed(), schedule, MIDDLE)).toEqual({ kind: 'failed' });
    expect(nextDelivery(10, failed({ retryAfterMs: 5 * SECOND }), schedule, MIDDLE)).toEqual({ kind: 'failed' });
  });

  test('after the first attempt is to give up where the schedule is empty', () => {
    expect(nextDelivery(1, failed(), [], MIDDLE)).toEqual({ kind: 'failed' });
  });

  test.each([1, 10, 99])('after a success at attempt %i is none', (attempts) => {
    expect(nextDelivery(attempts, { kind: 'delivered', status: 204, ms: 3 }, schedule, MIDDLE)).toEqual({
      kind: 'delivered',
    });
  });

  test.each([1, 10])('after 410 at attempt %i is to disable the URL', (attempts) => {
    const gone = failed({ status: 410, gone: true, retryAfterMs: 1 });
    expect(nextDelivery(attempts, gone, schedule, MIDDLE)).toEqual({ kind: 'disable' });
  });

  test('is never earlier than the endpoint wishes, and not later than 10 % after the schedule or its wish', () => {
    const wish = fc.option(fc.integer({ min: 0, max: 24 * HOUR }));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), wish, random, (attempts, retryAfterMs, chance) => {
        const next = nextDelivery(attempts, failed({ retryAfterMs }), schedule, chance);
        const scheduled = schedule[attempts - 1] ?? 0;
        if (next.kind !== 'retry') throw new Error(`was ${next.kind}`);
        expect(next.waitMs).toBeGreaterThanOrEqual(Math.max(Math.floor(scheduled * 0.9), retryAfterMs ?? 0));
        expect(next.waitMs).toBeLessThanOrEqual(Math.ceil(Math.max(scheduled, retryAfterMs ?? 0) * 1.1));
      }),
    );
  });

  test.each([
    ['schedule', null, 4_500, 5_500],
    ['wish of the endpoint', HOUR, HOUR, 66 * MINUTE],
  ])('is spread over the %s', (_title, retryAfterMs, earliest, latest) => {
    const at = (random: number) => nextDelivery(1, failed({ retryAfterMs }), schedule, random);
    expect(at(0)).toEqual({ kind: 'retry', waitMs: earliest });
    expect(at(0.999_999_999)).toEqual({ kind: 'retry', waitMs: latest });
  });
});
