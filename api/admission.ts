/** Whether new work is taken: not before the server was found fit, and not while its memory is nearly full. */
import { setTimeout as delay } from 'node:timers/promises';
import { RequestError } from '../shared/errors.ts';
import { describeError, type Log } from '../shared/log.ts';
import { UnfitServer } from '../shared/redis/server.ts';

/** At 100 % of its memory Redis refuses even the writes that finish a job; the rest is left to the workers. */
const ADMIT_BELOW = 0.75;
const LOOK_MS = 1_000;
const FAILURES_TOLD = 3;

export type Admission = {
  /** Throws 503 where a request for new work cannot be taken now. */
  admit: () => void;
  isVerified: () => boolean;
  close: () => void;
};

/** `verify` is tried until it succeeds; `onUnfit` is called where it finds the server unfit, which no waiting mends. */
export const createAdmission = ({
  verify,
  usedShare,
  onUnfit,
  log,
}: {
  verify: () => Promise<void>;
  usedShare: () => Promise<number>;
  onUnfit: (error: UnfitServer) => void;
  log: Log;
}): Admission => {
  const closing = new AbortController();
  let verified = false;
  let share = 0;
  let failures = 0;

  const look = async (): Promise<void> => {
    if (!verified) {
      await verify();
      verified = true;
    }
    const before = share;
    share = await usedShare();
    if (share >= ADMIT_BELOW !== before >= ADMIT_BELOW) {
      log.warn(share >= ADMIT_BELOW ? 'admission_stopped' : 'admission_resumed', {
        used_percent: Math.round(share * 100),
      });
    }
  };
  const keepLooking = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        await look();
        if (failures >= FAILURES_TOLD) log.info('redis_back');
        failures = 0;
      } catch (error) {
        if (error instanceof UnfitServer) onUnfit(error);
        // The first look comes before the connection is open; and one line tells of an outage.
        failures += 1;
        if (failures === FAILURES_TOLD) log.warn('redis_away', describeError(error));
      }
      await delay(verified ? LOOK_MS : LOOK_MS / 10, null, { signal: closing.signal }).catch(() => {});
    }
  };
  void keepLooking();

  return {
    admit: () => {
      if (!verified) throw new RequestError('queue_unavailable');
      if (share >= ADMIT_BELOW) throw new RequestError('overloaded');
    },
    isVerified: () => verified,
    close: () => closing.abort(),
  };
};
