/** Counts failed authentications by the address that they came from. A good key is never asked about here, so it is never locked out. */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { RequestError } from '../shared/errors.ts';
import type { ClientAddress } from './client-address.ts';

export type FailedLogins = {
  /** Notes one more; throws 429 where its client's address had more than its number in the last minute. */
  note: (request: IncomingMessage) => Promise<void>;
};

export const createFailedLogins = ({
  perMinute,
  addressOf,
}: {
  perMinute: number;
  addressOf: ClientAddress['addressOf'];
}): FailedLogins => {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 });
  return {
    note: async (request) => {
      try {
        await limiter.consume(networkOf(addressOf(request)));
      } catch (limit) {
        if (!(limit instanceof RateLimiterRes)) throw limit;
        throw new RequestError('rate_limited', {
          retryAfterSeconds: Math.max(1, Math.ceil(limit.msBeforeNext / 1_000)),
          message: `More than ${perMinute} failed authentications in a minute came from this address; a valid key is still taken.`,
        });
      }
    },
  };
};

/** One customer of a provider has a whole IPv6 network of 64 bits to choose addresses from; an IPv4 address in the form of IPv6 is that address. */
export const networkOf = (address: string): string => {
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
