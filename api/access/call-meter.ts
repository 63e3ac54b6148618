/** What is asked of this process, whoever asks and whatever becomes of it: limits of requests count only what is accepted. */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { RequestError } from '../../shared/domain/errors.ts';

/** Short, so that who is stopped is soon let in again. */
const WINDOW_SECONDS = 10;
/** In a window, for each request a minute that a caller may send: clients ask often what became of a job. */
const CALLS_A_REQUEST = 20 / (60 / WINDOW_SECONDS);
/** Bodies of refused requests, in the same way. */
const REFUSED_BYTES_A_REQUEST = 32_768;
/** Who may send fewer requests than this may ask and err as often as if it were this many. */
export const FEWEST_REQUESTS = 600;

export type Asker = {
  /** A tenant, or the network that a call without a key came from. */
  name: string;
  /** So many requests it may send. */
  requestsPerMinute: number;
};

export type CallMeter = {
  /** Counts a call; throws 429 where its asker made too many in the last seconds, or too many of its bodies were refused. */
  enter: (asker: Asker) => Promise<void>;
  /** Counts what was read of a request that was refused. */
  refused: (asker: Asker, bytes: number) => Promise<void>;
};

export const createCallMeter = (): CallMeter => {
  const calls = new RateLimiterMemory({ points: FEWEST_REQUESTS * CALLS_A_REQUEST, duration: WINDOW_SECONDS });
  const bytes = new RateLimiterMemory({ points: FEWEST_REQUESTS * REFUSED_BYTES_A_REQUEST, duration: WINDOW_SECONDS });
  /** What one call or byte costs: less, the more requests are allowed. */
  const priceFor = ({ requestsPerMinute }: Asker): number =>
    FEWEST_REQUESTS / Math.max(FEWEST_REQUESTS, requestsPerMinute);

  return {
    enter: async (asker) => {
      const refusedBytes = await bytes.get(asker.name);
      if (refusedBytes !== null && refusedBytes.consumedPoints >= bytes.points) {
        throw tooMuch(refusedBytes, 'Too many bytes were sent in requests that were refused; correct them');
      }
      const asked = await calls.penalty(asker.name, priceFor(asker));
      if (asked.consumedPoints > calls.points) throw tooMuch(asked, 'Too many calls in a few seconds; ask less often');
    },
    refused: async (asker, size) => {
      await bytes.penalty(asker.name, size * priceFor(asker));
    },
  };
};

const tooMuch = ({ msBeforeNext }: RateLimiterRes, what: string): RequestError =>
  new RequestError('rate_limited', {
    retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1_000)),
    message: `${what}, and try again after the time in Retry-After.`,
  });
