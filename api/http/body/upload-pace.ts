/** How fast the client of an upload sends, and for how long it may still be waited for. */
import { SLOWEST_BYTES_PER_MS } from '../server/connections.ts';

/** How long nothing may come. */
const IDLE_MS = 30_000;
/** How long the client may be waited for in all: so long, and longer by what it has sent. */
const PATIENCE_MS = 30_000;

export type UploadPace = {
  /** Waits for the client, until `came` or `giveWay`, or until it has taken too long; false: it has. */
  wait: () => Promise<boolean>;
  /** The client sent so many bytes, or ended. */
  came: (bytes: number) => void;
  /** How much longer the client was waited for than its bytes take at the slowest rate that is allowed. */
  behindMs: () => number;
  /** Ends the upload, whose place goes to another. Safe to call twice. */
  giveWay: () => void;
  hasGivenWay: () => boolean;
};

export const createUploadPace = (elapsed: () => number = () => performance.now()): UploadPace => {
  let size = 0;
  let waitedMs = 0;
  let waitsSinceMs: number | null = null;
  let gaveWay = false;
  let wake = (): void => {};
  const behindMs = (): number => {
    const waitsMs = waitsSinceMs === null ? 0 : elapsed() - waitsSinceMs;
    return waitedMs + waitsMs - size / SLOWEST_BYTES_PER_MS;
  };
  return {
    wait: async () => {
      const limitMs = Math.min(IDLE_MS, PATIENCE_MS - behindMs());
      if (gaveWay || limitMs <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      wake = () => resolve(true);
      const startedMs = elapsed();
      waitsSinceMs = startedMs;
      const timer = setTimeout(() => resolve(false), limitMs);
      const isInTime = await promise;
      clearTimeout(timer);
      waitsSinceMs = null;
      waitedMs += elapsed() - startedMs;
      return isInTime && !gaveWay;
    },
    came: (bytes) => {
      size += bytes;
      wake();
    },
    behindMs,
    giveWay: () => {
      gaveWay = true;
      wake();
    },
    hasGivenWay: () => gaveWay,
  };
};
