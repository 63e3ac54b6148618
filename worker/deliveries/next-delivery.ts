/** The one place that turns what an attempt came to into what becomes of its delivery. Pure: everything it depends on is a parameter. */
import { pause } from '../../shared/domain/waits/pause.ts';
import type { DeliveryOutcome } from '../../shared/domain/webhooks/delivery-outcome.ts';

export type NextDelivery =
  | { kind: 'delivered' }
  | { kind: 'retry'; waitMs: number }
  /** Every attempt is used up. */
  | { kind: 'failed' }
  /** The endpoint wants nothing more: this delivery failed, and its URL gets no other. */
  | { kind: 'disable' };

const JITTER = 0.1;
const ASKED_LIMIT_MS = 24 * 3_600_000;

/**
 * `attemptsSoFar` counts the attempt that came to `outcome`: 1 after the first. `scheduleMs[0]` is the wait after the first.
 * `random` is 0 ≤ random < 1. A wait is what the schedule says ± 10 %, or what the endpoint wishes (up to 10 % more) if that is longer, up to 24 h:
 * a shorter wish would only use up the attempts sooner.
 */
export const nextDelivery = (
  attemptsSoFar: number,
  outcome: Exclude<DeliveryOutcome, { kind: 'aborted' }>,
  scheduleMs: readonly number[],
  random: number,
): NextDelivery => {
  if (outcome.kind === 'delivered') return { kind: 'delivered' };
  if (outcome.gone) return { kind: 'disable' };
  const scheduledMs = scheduleMs[attemptsSoFar - 1];
  if (scheduledMs === undefined) return { kind: 'failed' };
  const ownMs = scheduledMs * (1 - JITTER + 2 * JITTER * random);
  // Spread too, or all that waited for one endpoint would return in the same moment; never before the time it named.
  const waitMs = Math.max(ownMs, pause(0, outcome.retryAfterMs, ASKED_LIMIT_MS) * (1 + JITTER * random));
  return { kind: 'retry', waitMs: Math.round(waitMs) };
};
