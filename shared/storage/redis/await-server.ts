/** The start of a process that cannot do anything without Redis. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../domain/log.ts';
import { RedisUnavailable } from './unavailable.ts';

const AGAIN_MS = 500;
const TELL_AFTER_MS = 1_500;
const TELL_EVERY_MS = 30_000;

/** Calls `verify` until Redis serves, and says in the log what it waits for. Rejects with what else `verify` does. */
export const awaitServer = async (
  verify: () => Promise<void>,
  { url, log }: { url: string; log: Log },
): Promise<void> => {
  const { hostname: host, port } = new URL(url);
  let reason = new RedisUnavailable().message;
  let told = false;
  const tell = (): void => {
    told = true;
    log.warn('redis_awaited', { host, port: Number(port || 6_379), reason });
    timer = setTimeout(tell, TELL_EVERY_MS);
  };
  let timer = setTimeout(tell, TELL_AFTER_MS);
  try {
    for (;;) {
      try {
        await verify();
        if (told) log.info('redis_back');
        return;
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error;
        reason = error.message;
        await delay(AGAIN_MS);
      }
    }
  } finally {
    clearTimeout(timer);
  }
};
