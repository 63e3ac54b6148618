/** Redis' time, by which every deadline and expiry is judged. A process' own clock may be wrong, and may be set while it runs. */
import type { Redis } from 'ioredis';
import { answerOf } from './unavailable.ts';

export type RedisClock = {
  /** Unix time in milliseconds; this machine's until Redis was asked for the first time. */
  now: () => number;
  /** Asks Redis. To be called now and then: after a machine slept, the time since the last call is wrong. */
  sync: () => Promise<void>;
};

/** An answer that took longer says too little about when it was true. */
const EXACT_ENOUGH_MS = 500;

export const createRedisClock = (redis: Redis): RedisClock => {
  let offsetMs = Date.now() - performance.now();
  let asked = false;
  return {
    now: () => Math.floor(performance.now() + offsetMs),
    sync: async () => {
      const sentMs = performance.now();
      const [seconds, microseconds] = await answerOf(redis.time());
      const receivedMs = performance.now();
      if (asked && receivedMs - sentMs > EXACT_ENOUGH_MS) return;
      offsetMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (sentMs + receivedMs) / 2;
      asked = true;
    },
  };
};
