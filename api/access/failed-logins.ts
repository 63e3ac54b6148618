/** Bounds how many keys that do not authenticate may be tried from one address; those that did go on passing. */
import { hash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { RequestError } from '../../shared/domain/errors.ts';
import type { ClientAddress } from '../http/client-address.ts';

/** Keys that authenticated, each with the network that it came from. */
const MAX_REMEMBERED = 10_000;

export type FailedLogins = {
  /**
   * What `judge` makes of a presented key; null, which is counted, for one that is not valid. Where its client's address had too many of those
   * in the last minute, a key that never authenticated from there is not judged, so that a guess learns nothing: 429.
   */
  judged: <T>(
    request: IncomingMessage,
    key: string,
    judge: (key: string) => T | null | Promise<T | null>,
  ) => Promise<T | null>;
};

export const createFailedLogins = ({
  perMinute,
  addressOf,
}: {
  perMinute: number;
  addressOf: ClientAddress['addressOf'];
}): FailedLogins => {
  const failures = new RateLimiterMemory({ points: perMinute, duration: 60 });
  /** Keys of a network that are being judged: those of one burst must not all pass before the first of them has failed. */
  const judging = new Map<string, Set<Promise<unknown>>>();
  const seed = randomUUID();
  const passed = new Set<string>();
  const markOf = (network: string, key: string): string => hash('sha256', `${seed} ${network} ${key}`, 'base64');
  const remember = (mark: string): void => {
    passed.add(mark);
    const [oldest] = passed;
    if (passed.size > MAX_REMEMBERED && oldest !== undefined) passed.delete(oldest);
  };

  const tooMany = (msBeforeNext: number): RequestError =>
    new RequestError('rate_limited', {
      retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1_000)),
      message: `More than ${perMinute} failed authentications in a minute came from this address; until the time in Retry-After only keys that authenticated from there before are taken.`,
    });
  /** Waits until one more key of a network may be judged; what it answers is to be called at the end. */
  const turn = async (network: string): Promise<() => void> => {
    for (;;) {
      const failed = await failures.get(network);
      const count = failed?.consumedPoints ?? 0;
      if (failed !== null && count >= perMinute) throw tooMany(failed.msBeforeNext);
      const running = judging.get(network) ?? new Set();
      if (count + running.size < perMinute) {
        const { promise, resolve } = Promise.withResolvers<void>();
        judging.set(network, running.add(promise));
        return () => {
          running.delete(promise);
          if (running.size === 0) judging.delete(network);
          resolve();
        };
      }
      await Promise.race(running);
    }
  };

  return {
    judged: async (request, key, judge) => {
      const network = networkOf(addressOf(request));
      const mark = markOf(network, key);
      const leave = passed.has(mark) ? null : await turn(network);
      try {
        const result = await judge(key);
        if (result !== null) {
          if (leave) remember(mark);
          return result;
        }
        passed.delete(mark);
        await failures.penalty(network);
        return null;
      } finally {
        leave?.();
      }
    },
  };
};

/** One customer of a provider has a whole IPv6 network of 64 bits to choose addresses from; an IPv4 address in the form of IPv6 is that address. */
export const networkOf = (address: string): string => {
  if (!address.includes(':')) return address;
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const all = [...groups, ...Array.from({ length: missing }, () => '0'), ...(tail ? tail.split(':') : [])];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
};
