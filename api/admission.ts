/** Whether new work is taken: not before the server was found fit, not while it no longer is, and not while its memory is nearly full. */
import { setTimeout as delay } from 'node:timers/promises';
import { RequestError } from '../shared/errors.ts';
import { describeError, type Log } from '../shared/log.ts';
import { UnfitServer } from '../shared/redis/server.ts';

/** At 100 % of its memory Redis refuses even the writes that finish a job; the rest is left to the workers. */
const ADMIT_BELOW = 0.75;
const LOOK_MS = 1_000;
/** Silence must not be longer than two seconds, of which a look may take one and a half. */
const TELL_AFTER_MS = 1_000;

export type Admission = {
  /** Throws 503 where a request for new work cannot be taken now. */
  admit: () => void;
  /** Whether the last look found a server that is fit and serves. */
  isReady: () => boolean;
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
  let failing = true;
  let unfit = false;
  let told = false;

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
  const fail = (error: unknown, forMs: number): void => {
    failing = true;
    unfit = error instanceof UnfitServer;
    if (error instanceof UnfitServer && !verified) onUnfit(error);
    // The first look comes before the connection is open; and one line tells of an outage.
    if (told || forMs < TELL_AFTER_MS) return;
    told = true;
    log.warn(error instanceof UnfitServer ? 'redis_unfit' : 'redis_away', describeError(error));
  };
  const keepLooking = async (): Promise<void> => {
    let failingSinceMs: number | null = null;
    while (!closing.signal.aborted) {
      const startedMs = performance.now();
      try {
        await look();
        if (told) log.info('redis_back');
        [failing, unfit, told, failingSinceMs] = [false, false, false, null];
      } catch (error) {
        failingSinceMs ??= startedMs;
        fail(error, performance.now() - failingSinceMs);
      }
      await delay(verified ? LOOK_MS : LOOK_MS / 10, null, { signal: closing.signal }).catch(() => {});
    }
  };
  void keepLooking();

  return {
    admit: () => {
      if (!verified || unfit) throw new RequestError('queue_unavailable');
      if (share >= ADMIT_BELOW) throw new RequestError('overloaded');
    },
    isReady: () => verified && !failing,
    close: () => closing.abort(),
  };
};
