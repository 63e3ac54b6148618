/** The secrets of strict shredding: one for each hour in which sealed keys expire, on a server that forgets. No process keeps one: what the server lost is lost. */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { KeyServiceUnavailable, type PeriodSecrets } from '../../keys/encryption/seal.ts';
import { EPHEMERAL_TAG, key } from '../redis/names.ts';
import { UnfitServer, verifyMemoryOnly } from '../redis/server.ts';
import { answerOf } from '../redis/unavailable.ts';

/**
 * By the expiry, not by the hour of sealing: so a key's secret is gone at the latest this long after the key's own deadline,
 * and a job of ten minutes does not share the fate of a batch of a week.
 */
const PERIOD_MS = 60 * 60_000;
/** For clocks that differ: a seal's expiry is judged by the worker's. */
const MARGIN_MS = 60_000;
const SECRET_BYTES = 32;

export type PeriodSecretStore = PeriodSecrets & {
  /** Whether the server is what it must be; asked again by itself after each reconnect. Rejects with UnfitServer, and with RedisUnavailable. */
  verify: () => Promise<void>;
};

export const createPeriodSecretStore = ({
  redis,
  onUnfit,
}: {
  redis: Redis;
  /** Told each time that a server was found unfit which had been fit, or away, before. */
  onUnfit: (error: UnfitServer) => void;
}): PeriodSecretStore => {
  let verified: Promise<void> | null = null;
  // Whatever answers after a reconnect may be another server.
  redis.on('close', () => {
    verified = null;
  });
  const verify = async (): Promise<void> => {
    const mine = verified ?? verifyMemoryOnly(redis);
    verified = mine;
    try {
      await mine;
    } catch (error) {
      if (verified === mine) verified = null;
      throw error;
    }
  };
  const ready = async (): Promise<void> => {
    try {
      await verify();
    } catch (error) {
      if (error instanceof UnfitServer) onUnfit(error);
      throw error;
    }
  };
  const placeOf = (expiresAtMs: number) => {
    const period = Math.floor(expiresAtMs / PERIOD_MS);
    return { name: key(EPHEMERAL_TAG, 'PERIOD_SECRET', String(period)), goneMs: (period + 1) * PERIOD_MS + MARGIN_MS };
  };

  return {
    verify,
    draw: async (expiresAtMs) => {
      const { name, goneMs } = placeOf(expiresAtMs);
      const drawn = randomBytes(SECRET_BYTES).toString('base64');
      try {
        await ready();
        // One round trip: Redis answers in order, and the first to come draws for everyone.
        const [, secret] = await Promise.all([
          answerOf(redis.set(name, drawn, 'PXAT', goneMs, 'NX')),
          answerOf(redis.get(name)),
        ]);
        if (secret !== null) return Buffer.from(secret, 'base64');
      } catch {
        // Whatever it is: nothing is sealed without a secret.
      }
      throw new KeyServiceUnavailable();
    },
    find: async (expiresAtMs) => {
      try {
        await ready();
        const secret = await answerOf(redis.get(placeOf(expiresAtMs).name));
        return secret === null
          ? { ok: false, reason: 'shredded' }
          : { ok: true, secret: Buffer.from(secret, 'base64') };
      } catch {
        return { ok: false, reason: 'unavailable' };
      }
    },
  };
};
