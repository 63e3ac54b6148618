/** Whether new work is taken: not before the server was found fit, not while it no longer is, and not while its memory is nearly full. */
import { setTimeout as delay } from 'node:timers/promises';
import { RequestError } from '../../shared/domain/errors.ts';
import { describeError, type Log } from '../../shared/domain/log.ts';
import { type ServerMemory, UnfitServer } from '../../shared/storage/redis/server.ts';

/** At 100 % of its memory Redis refuses even the writes that finish a job; the rest is left to the workers. */
const ADMIT_BELOW = 0.75;
/** So soon that uploads cannot fill the rest of the memory between two looks. */
const LOOK_MS = 250;
const RETRY_MS = 100;
/** Silence must not be longer than two seconds, of which a look may take one and a half. */
const TELL_AFTER_MS = 1_000;

const shareOf = ({ used, max }: ServerMemory): number => (max === null ? 0 : used / max);
const isFull = (memory: ServerMemory): boolean => shareOf(memory) >= ADMIT_BELOW;

export type Admission = {
  /** Throws 503 where a request for new work cannot be taken now. */
  admit: () => void;
  /** Resolves when the server was found fit, or when it is plain that it does not answer: then a process may say that it listens. */
  judged: Promise<void>;
  /** Whether the last look found a server that is fit and serves. */
  isReady: () => boolean;
  /** The memory limit of the server as it was seen last; null where it has none. */
  maxMemory: () => number | null;
  close: () => void;
};

/** `verify` is tried until it succeeds; `onUnfit` is called where it finds the server unfit, which no waiting mends. */
export const createAdmission = ({
  verify,
  readMemory,
  onUnfit,
  log,
}: {
  verify: () => Promise<void>;
  readMemory: () => Promise<ServerMemory>;
  onUnfit: (error: UnfitServer) => void;
  log: Log;
}): Admission => {
  const closing = new AbortController();
  let verified = false;
  let memory: ServerMemory = { used: 0, max: null };
  let failing = true;
  let unfit = false;
  let told = false;
  const { promise: judged, resolve: judge } = Promise.withResolvers<void>();

  const look = async (): Promise<void> => {
    if (!verified) {
      await verify();
      verified = true;
    }
    const before = isFull(memory);
    memory = await readMemory();
    if (isFull(memory) !== before) {
      log.warn(before ? 'admission_resumed' : 'admission_stopped', {
        used_percent: Math.round(shareOf(memory) * 100),
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
    if (!(error instanceof UnfitServer)) judge();
    log.warn(error instanceof UnfitServer ? 'redis_unfit' : 'redis_away', describeError(error));
  };
  const keepLooking = async (): Promise<void> => {
    let failingSinceMs: number | null = null;
    while (!closing.signal.aborted) {
      const startedMs = performance.now();
      try {
        await look();
        judge();
        if (told) log.info('redis_back');
        [failing, unfit, told, failingSinceMs] = [false, false, false, null];
      } catch (error) {
        failingSinceMs ??= startedMs;
        fail(error, performance.now() - failingSinceMs);
      }
      await delay(verified ? LOOK_MS : RETRY_MS, null, { signal: closing.signal }).catch(() => {});
    }
  };
  void keepLooking();

  return {
    judged,
    admit: () => {
      if (!verified || unfit) throw new RequestError('queue_unavailable');
      if (isFull(memory)) throw new RequestError('overloaded');
    },
    isReady: () => verified && !failing,
    maxMemory: () => memory.max,
    close: () => {
      closing.abort();
      judge();
    },
  };
};
