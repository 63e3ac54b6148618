/** What is asked of this process, whoever asks and whatever becomes of it: limits of requests count only what is accepted. */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { RequestError } from '../../shared/domain/errors.ts';

/** Short, so that who is stopped is soon let in again. */
const WINDOW_SECONDS = 10;
/** In a window, for each request a minute that a caller may send: clients ask often what became of a job. */
const CALLS_A_REQUEST = 20 / (60 / WINDOW_SECONDS);
/** Bytes of which nothing is stored, in the same way. */
const UNKEPT_BYTES_A_REQUEST = 32_768;
/** Who may send fewer requests than this may ask and err as often as if it were this many. */
export const FEWEST_REQUESTS = 600;

export type Asker = {
  /** A tenant, or the network that a call without a key came from. */
  name: string;
  /** So many requests it may send. */
  requestsPerMinute: number;
};

export type CallMeter = {
  /** Counts a call; throws 429 where its asker made too many in the last seconds, or sent too many bytes of which nothing was stored. */
  enter: (asker: Asker) => Promise<void>;
  /** Counts what was read of a request and stored nowhere: it was refused, repeated another, or was left out. */
  unkept: (asker: Asker, bytes: number) => Promise<void>;
};

export const createCallMeter = (): CallMeter => {
  const calls = new RateLimiterMemory({ points: FEWEST_REQUESTS * CALLS_A_REQUEST, duration: WINDOW_SECONDS });
  const bytes = new RateLimiterMemory({ points: FEWEST_REQUESTS * UNKEPT_BYTES_A_REQUEST, duration: WINDOW_SECONDS });
  /** What one call or byte costs: less, the more requests are allowed. */
  const priceFor = ({ requestsPerMinute }: Asker): number =>
    FEWEST_REQUESTS / Math.max(FEWEST_REQUESTS, requestsPerMinute);

  return {
    enter: async (asker) => {
      const unkept = await bytes.get(asker.name);
      if (unkept !== null && unkept.consumedPoints >= bytes.points) {
        throw tooMuch(
          unkept,
          'Too many bytes were sent in a few seconds of which nothing was stored: refused requests, repeated ones, lines that were left out; send fewer of them',
        );
      }
      const asked = await calls.penalty(asker.name, priceFor(asker));
      if (asked.consumedPoints > calls.points) throw tooMuch(asked, 'Too many calls in a few seconds; ask less often');
    },
    unkept: async (asker, size) => {
      if (size === 0) return;
      await bytes.penalty(asker.name, size * priceFor(asker));
    },
  };
};

const tooMuch = ({ msBeforeNext }: RateLimiterRes, what: string): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1_000)),
    message: `${what}, and try again after the time in Retry-After.`,
  });
