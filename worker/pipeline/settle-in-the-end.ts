/** The end of an attempt, written whatever Redis says meanwhile: what was paid for is neither lost nor paid for again. */
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, type Log } from '../../shared/domain/log.ts';
import { RedisRefused, RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';

const AGAIN_MS = 500;
/** After a refusal that no waiting mends: soon enough for a repair of the data. */
const REFUSED_AGAIN_MS = 30_000;

/**
 * Offers `settlement` until Redis takes it. If Redis refuses it as wrong, the step may be half done, so
 * `instead` is offered from then on: an end that shows, without what was to be added up.
 * While it is offered the hand-off stays this worker's, and nobody makes the call again.
 */
export const settleInTheEnd = async <Settlement, Answer>(
  settle: (settlement: Settlement) => Promise<Answer>,
  {
    settlement,
    instead,
    log,
    about,
  }: {
    settlement: Settlement;
    instead: Settlement;
    log: Log;
    about: NonNullable<Parameters<Log['error']>[1]>;
  },
): Promise<Answer> => {
  let offered = settlement;
  let isDelaySaid = false;
  for (;;) {
    try {
      return await settle(offered);
    } catch (error) {
      if (!(error instanceof RedisRefused)) {
        // What Redis says of itself is logged elsewhere; of an error that nobody knows this is the only sign.
        if (!isDelaySaid && error instanceof RedisUnavailable && error.why === 'unknown_error') {
          log.warn('settle_delayed', { ...about, ...describeError(error) });
          isDelaySaid = true;
        }
        await delay(AGAIN_MS);
        continue;
      }
      log.error('settle_refused', { ...about, ...describeError(error) });
      if (offered === instead) await delay(REFUSED_AGAIN_MS);
      offered = instead;
    }
  }
};
