import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../shared/domain/outcome.ts';
import type { NextStep } from '../../../shared/storage/jobs/attempt-store.ts';
import { decideAborted, decideNext, decideWithoutKey } from '../../../worker/attempts/decide-next.ts';

type Decided = Exclude<Outcome, { kind: 'cancelled' }>;
type Failure = Extract<Decided, { kind: 'unavailable' | 'timed_out' }>;
type Situation = Parameters<typeof decideNext>[2];

const reported = { usage: null, billable: false, providerRequestId: null };
const result = { role: 'assistant', content: 'Hi.', finish_reason: 'stop' } as const;
const completed: Decided = { kind: 'completed', ...reported, result };
const rejected: Decided = {
  kind: 'rejected',
  ...reported,
  code: 'provider_rejected_request',
  providerStatus: 400,
  detail: 'too long',
};
const throttled = (retryAfterMs: number | null, cause: 'limit' | 'overload' = 'limit'): Decided => ({
  kind: 'throttled',
  ...reported,
  code: 'provider_rate_limited',
  providerStatus: 429,
  cause,
  retryAfterMs,
  detail: 'Too many.',
});
const unavailable: Failure = {
  kind: 'unavailable',
  ...reported,
  code: 'provider_bad_response',
  providerStatus: 200,
  retryAfterMs: null,
};
const timedOut: Failure = {
  kind: 'timed_out',
  ...reported,
  code: 'provider_timeout',
  providerStatus: null,
  retryAfterMs: null,
};
const asking = (failure: Failure, retryAfterMs: number): Decided => ({ ...failure, retryAfterMs });

/** An hour left, the first call of the job, and no jitter. */
const calm: Situation = {
  nowMs: 1_000_000,
  deadlineMs: 4_600_000,
  failures: 0,
  throttles: 0,
  apart: 0,
  strikes: 0,
  random: 0,
};
const left = (ms: number): Partial<Situation> => ({ deadlineMs: calm.nowMs + ms });
const HOUR = 3_600_000;

const retry = (waitMs: number): NextStep => ({ kind: 'retry', waitMs });
const park = (waitMs: number, parkMs = waitMs): NextStep => ({ kind: 'park', waitMs, parkMs });
const policy = { maxAttempts: 4, maxThrottles: 50 };

const CASES: [title: string, Decided, Partial<Situation>, Partial<NextStep>][] = [
  ['a result completes the job', completed, {}, { kind: 'completed', result }],
  ['a result completes the job although its deadline passed meanwhile', completed, left(-1), { kind: 'completed' }],
  [
    'a refusal fails it at once, with the provider’s words',
    rejected,
    {},
    { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: 'too long' },
  ],

  ['the first failure is retried after 1 s', unavailable, {}, retry(1_000)],
  ['the next waits twice as long', unavailable, { failures: 1 }, retry(2_000)],
  ['jitter takes up to half of it away', unavailable, { failures: 1, random: 0.999_999 }, retry(1_000)],
  ['a time-out is retried as well', timedOut, {}, retry(1_000)],
  [
    'the last attempt’s failure fails the job with its own code',
    unavailable,
    { failures: 3 },
    { kind: 'failed', code: 'provider_bad_response', providerStatus: 200, detail: null },
  ],
  ['a time-out counts like any failure', timedOut, { failures: 3 }, { kind: 'failed', code: 'provider_timeout' }],
  ['a failure at the deadline expires the job', unavailable, left(0), { kind: 'expired' }],
  ['a time-out at the deadline expires it', timedOut, left(0), { kind: 'expired' }],
  ['at the deadline it expires even in its last attempt', timedOut, { ...left(0), failures: 3 }, { kind: 'expired' }],
  ['a retry that fits before the deadline is made', unavailable, left(1_001), retry(1_000)],
  ['one that does not fit fails at once', unavailable, left(1_000), { kind: 'failed', code: 'provider_bad_response' }],

  ['a failure that names a pause is retried after it', asking(unavailable, 30_000), {}, retry(30_000)],
  ['so is a time-out', asking(timedOut, 30_000), {}, retry(30_000)],
  ['after a minute at most', asking(unavailable, 24 * HOUR), {}, retry(60_000)],
  ['never sooner than by itself', asking(unavailable, 0), { failures: 1 }, retry(2_000)],
  ['and it counts as a failure', asking(unavailable, 1), { failures: 3 }, { kind: 'failed' }],
  ['one that lasts past the deadline fails at once', asking(unavailable, 30_000), left(30_000), { kind: 'failed' }],

  ['a rate limit parks for as long as the provider asks', throttled(7_000), {}, park(7_000)],
  ['but never for less than the own back-off', throttled(0), {}, park(1_000)],
  ['without a pause that it asks for, for 1 s', throttled(null), {}, park(1_000)],
  ['its upstream longer with every limit in a row', throttled(null), { strikes: 3 }, park(1_000, 8_000)],
  ['the job longer with every one of its own', throttled(null), { throttles: 3 }, park(8_000, 1_000)],
  ['jitter takes up to half of that away', throttled(null), { throttles: 3, random: 0.999_999 }, park(4_000, 500)],
  ['the job a minute at most of its own', throttled(null), { throttles: 48 }, park(60_000, 1_000)],
  ['its upstream at most an hour', throttled(null), { strikes: 1_000, ...left(HOUR + 1) }, park(1_000, HOUR)],
  ['at most an hour, whatever the provider asks for', throttled(24 * HOUR), left(HOUR + 1), park(HOUR)],
  ['a rate limit is no failure', throttled(5_000), { failures: 3 }, park(5_000)],
  ['an overload parks for a minute at most', throttled(24 * HOUR, 'overload'), { strikes: 40 }, park(60_000)],
  ['an overload is no failure', throttled(20_000, 'overload'), { failures: 3 }, park(20_000)],
  ['one that lasts to the deadline fails at once', throttled(5_000), left(5_000), { kind: 'failed' }],
  [
    'and says so, with the provider’s words',
    throttled(5_000),
    left(5_000),
    { code: 'provider_rate_limited', providerStatus: 429, detail: 'Too many.' },
  ],
  ['and parks the others all the same', throttled(5_000), left(5_000), { parkMs: 5_000 }],
  ['the last throttle that is allowed fails it', throttled(null), { throttles: 49 }, { code: 'provider_rate_limited' }],
  ['so it does of overloads', throttled(1, 'overload'), { throttles: 49 }, { code: 'provider_rate_limited' }],
  ['a limit that others did not meet may be chance', throttled(null), { throttles: 2, apart: 2 }, park(4_000, 1_000)],
  [
    'the third in a row refuses the request, with the provider’s words',
    throttled(null),
    { throttles: 3, apart: 3 },
    { kind: 'failed', code: 'provider_rejected_request', providerStatus: 429, detail: 'Too many.' },
  ],
  ['an overload refuses no request', throttled(1, 'overload'), { throttles: 3, apart: 3 }, { kind: 'park' }],
];

describe('what becomes of a job after a call', () => {
  test.each(CASES)('%s', (_title, outcome, situation, expected) => {
    expect(decideNext(outcome, policy, { ...calm, ...situation })).toMatchObject(expected);
  });

  test('no retry waits more than a minute', () => {
    expect(decideNext(unavailable, { ...policy, maxAttempts: 20 }, { ...calm, failures: 18 })).toEqual(retry(60_000));
  });

  test('with one attempt allowed, the first failure is the last', () => {
    expect(decideNext(unavailable, { ...policy, maxAttempts: 1 }, calm)).toMatchObject({ kind: 'failed' });
  });
});

describe('what becomes of a job whose user’s key could not be opened', () => {
  test('it waits while the key service is away, which counts toward nothing', () => {
    const { next } = decideWithoutKey('unavailable', 1, 0);
    expect(next).toEqual({ kind: 'retry', waitMs: 5_000, unsent: true });
    expect(decideWithoutKey('unavailable', 1, 0.999_999).next).toMatchObject({ waitMs: 2_500 });
    expect(decideWithoutKey('unavailable', 3, 0).next).toMatchObject({ waitMs: 20_000 });
    expect(decideWithoutKey('unavailable', 900, 0).next).toMatchObject({ waitMs: 300_000 });
  });
  test('it expires where its deadline came first', () => {
    expect(decideWithoutKey('expired', 1, 0)).toEqual({ outcome: 'timed_out', next: { kind: 'expired' } });
  });
  test.each(['missing', 'unknown_key', 'refused', 'shredded', 'corrupt'] as const)(
    'it fails at once where the seal is %s',
    (why) => {
      expect(decideWithoutKey(why, 1, 0).next).toMatchObject({ kind: 'failed', code: 'user_key_expired' });
    },
  );
});

describe('what becomes of a job whose call was aborted', () => {
  const HAND_BACK = { kind: 'hand_back' } as const;
  test.each(['lost', 'shutdown'] as const)(
    '%s: it runs again, and whether a call that had left is billed nobody knows',
    (why) => {
      expect(decideAborted(why, { billable: true })).toEqual({ outcome: 'unknown', next: HAND_BACK });
    },
  );
  test.each(['lost', 'shutdown'] as const)('%s: it runs again, and a call that had not left is not unknown', (why) => {
    expect(decideAborted(why, { billable: false })).toEqual({ outcome: 'unavailable', next: HAND_BACK });
  });
  test.each([true, false])('cancelled: that is its end', (billable) => {
    expect(decideAborted('cancelled', { billable })).toEqual({ outcome: 'cancelled', next: { kind: 'cancelled' } });
  });
});
