/** The one place that turns what a call came to into what becomes of its job. Pure: everything it depends on is a parameter. */

import type { AttemptOutcome, Outcome } from '../../shared/domain/outcome.ts';
import { backOff, pause } from '../../shared/domain/waits/pause.ts';
import type { OpenFailure } from '../../shared/keys/encryption/seal.ts';
import type { NextStep } from '../../shared/storage/jobs/attempt-store.ts';
import type { AbortReason } from './running-jobs.ts';

type Policy = {
  /** Calls that failed, this one included, after which the job fails. Throttled calls and lost workers do not count. */
  maxAttempts: number;
  /** Throttled calls, this one included, after which the job fails. */
  maxThrottles: number;
};

type Situation = {
  nowMs: number;
  deadlineMs: number;
  /** Failed calls of this job before this one. */
  failures: number;
  /** Throttled calls of this job before this one. */
  throttles: number;
  /** Throttles in a row, this one included, that this job met while others of its upstream passed (see `lanes.lua`). */
  apart: number;
  /** Throttles in a row that the upstream has answered different jobs with. */
  strikes: number;
  /** 0 ≤ random < 1, for jitter. */
  random: number;
};

const RETRY_FIRST_MS = 1_000;
const RETRY_LIMIT_MS = 60_000;
const PARK_FIRST_MS = 1_000;
const PARK_LIMIT_MS = 60 * 60_000;

/** How much of a pause that the provider asks for is granted. An overload or a failure passes sooner than a limit does. */
const ASKED_LIMIT_MS = { limit: PARK_LIMIT_MS, overload: 60_000, failure: 60_000 } as const satisfies Record<
  Extract<Outcome, { kind: 'throttled' }>['cause'] | 'failure',
  number
>;
/** So often in a row a limit that others of the account do not meet is taken for chance; then it is a refusal of this request. */
const CHANCES = 3;

const KEY_SERVICE_FIRST_MS = 5_000;
const KEY_SERVICE_LIMIT_MS = 5 * 60_000;

export const decideNext = (
  outcome: Exclude<Outcome, { kind: 'cancelled' }>,
  policy: Policy,
  situation: Situation,
): NextStep => {
  const { nowMs, deadlineMs, failures, throttles, apart, strikes, random } = situation;
  if (outcome.kind === 'completed') return { kind: 'completed', result: outcome.result };
  const failed: NextStep = {
    kind: 'failed',
    code: outcome.code,
    providerStatus: outcome.providerStatus,
    detail: 'detail' in outcome ? outcome.detail : null,
  };
  switch (outcome.kind) {
    case 'rejected':
      return failed;
    case 'throttled': {
      const askedLimitMs = ASKED_LIMIT_MS[outcome.cause];
      const wait = (limitMs: number, times: number): number =>
        pause(backOff(PARK_FIRST_MS, limitMs, times, random), outcome.retryAfterMs, askedLimitMs);
      const parkMs = wait(askedLimitMs, strikes);
      if (outcome.cause === 'limit' && apart >= CHANCES) {
        return { ...failed, code: 'provider_rejected_request', parkMs };
      }
      const waitMs = wait(RETRY_LIMIT_MS, throttles);
      if (throttles + 1 >= policy.maxThrottles) return { ...failed, parkMs };
      // It could not run again in time: better told now than at the deadline.
      return nowMs + waitMs >= deadlineMs ? { ...failed, parkMs } : { kind: 'park', waitMs, parkMs };
    }
    case 'unavailable':
    case 'timed_out': {
      if (nowMs >= deadlineMs) return { kind: 'expired' };
      if (failures + 1 >= policy.maxAttempts) return failed;
      const ownMs = backOff(RETRY_FIRST_MS, RETRY_LIMIT_MS, failures, random);
      const waitMs = pause(ownMs, outcome.retryAfterMs, ASKED_LIMIT_MS.failure);
      return nowMs + waitMs >= deadlineMs ? failed : { kind: 'retry', waitMs };
    }
  }
};

/**
 * For a user's key that could not be opened, so that nothing was sent. A key service that is away is waited for until the deadline; nothing else heals.
 * `attempts` of the job so far lengthen the wait.
 */
export const decideWithoutKey = (
  reason: OpenFailure | 'missing',
  attempts: number,
  random: number,
): { outcome: AttemptOutcome; next: NextStep } => {
  switch (reason) {
    case 'unavailable': {
      const waitMs = backOff(KEY_SERVICE_FIRST_MS, KEY_SERVICE_LIMIT_MS, attempts - 1, random);
      return { outcome: 'unavailable', next: { kind: 'retry', waitMs, unsent: true } };
    }
    case 'expired':
      return { outcome: 'timed_out', next: { kind: 'expired' } };
    case 'missing':
    case 'unknown_key':
    case 'refused':
    case 'shredded':
    case 'corrupt': {
      const next: NextStep = { kind: 'failed', code: 'user_key_expired', providerStatus: null, detail: null };
      return { outcome: 'rejected', next };
    }
  }
};

/** For a call that was aborted. Of one that had left nobody will know whether it is billed; the job runs again unless its end was asked for. */
export const decideAborted = (
  reason: AbortReason,
  { billable }: { billable: boolean },
): { outcome: AttemptOutcome; next: NextStep } =>
  reason === 'cancelled'
    ? { outcome: 'cancelled', next: { kind: 'cancelled' } }
    : { outcome: billable ? 'unknown' : 'unavailable', next: { kind: 'hand_back' } };
