/** The one place that turns what a call came to into what becomes of its job. Pure: everything it depends on is a parameter. */
import type { OpenFailure } from '../shared/crypto/seal.ts';
import type { AttemptOutcome, Outcome } from '../shared/outcome.ts';
import type { NextStep } from '../shared/stores/attempt-store.ts';
import type { AbortReason } from './running-jobs.ts';

type Policy = {
  /** Calls that failed, this one included, after which the job fails. Rate limits and lost workers do not count. */
  maxAttempts: number;
};

type Situation = {
  nowMs: number;
  deadlineMs: number;
  /** Failed calls of this job before this one. */
  failures: number;
  /** Rate limits in a row that the upstream has answered with. */
  strikes: number;
  /** 0 ≤ random < 1, for jitter. */
  random: number;
};

const RETRY_FIRST_MS = 1_000;
const RETRY_LIMIT_MS = 60_000;
const PARK_FIRST_MS = 1_000;
const PARK_LIMIT_MS = 60 * 60_000;

const KEY_SERVICE_WAIT_MS = 5_000;

/** Doubles from `first` up to `limit`, and takes a random half of it away, so that what failed together does not return together. */
const backOff = (first: number, limit: number, times: number, random: number): number =>
  Math.round(Math.min(first * 2 ** Math.min(times, 30), limit) * (1 - random / 2));

export const decideNext = (
  outcome: Exclude<Outcome, { kind: 'cancelled' }>,
  policy: Policy,
  situation: Situation,
): NextStep => {
  const { nowMs, deadlineMs, failures, strikes, random } = situation;
  if (outcome.kind === 'completed') return { kind: 'completed', result: outcome.result };
  const failed: NextStep = {
    kind: 'failed',
    code: outcome.code,
    providerStatus: outcome.providerStatus,
    detail: outcome.kind === 'rejected' ? outcome.detail : null,
  };
  switch (outcome.kind) {
    case 'rejected':
      return failed;
    case 'throttled': {
      const waitMs = Math.min(
        outcome.retryAfterMs ?? backOff(PARK_FIRST_MS, PARK_LIMIT_MS, strikes, random),
        PARK_LIMIT_MS,
      );
      // It could not run again in time: better told now than at the deadline.
      return nowMs + waitMs >= deadlineMs ? { ...failed, parkMs: waitMs } : { kind: 'park', waitMs };
    }
    case 'unavailable':
    case 'timed_out': {
      if (nowMs >= deadlineMs) return { kind: 'expired' };
      if (failures + 1 >= policy.maxAttempts) return failed;
      const waitMs = backOff(RETRY_FIRST_MS, RETRY_LIMIT_MS, failures, random);
      return nowMs + waitMs >= deadlineMs ? failed : { kind: 'retry', waitMs };
    }
  }
};

/** For a user's key that could not be opened, so that nothing was sent. A key service that is away is waited for until the deadline; nothing else heals. */
export const decideWithoutKey = (
  reason: OpenFailure | 'missing',
  random: number,
): { outcome: AttemptOutcome; next: NextStep } => {
  switch (reason) {
    case 'unavailable': {
      const waitMs = backOff(KEY_SERVICE_WAIT_MS, KEY_SERVICE_WAIT_MS, 0, random);
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
