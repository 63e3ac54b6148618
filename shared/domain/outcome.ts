/** What one provider call came to: the only thing that crosses from a provider adapter into the rest of the gateway. */
import type { TokenUsage } from './completion.ts';
import type { CompletionResult } from './conversation/result.ts';
import type { JobErrorCode } from './errors.ts';
import type { ForeignAnswer } from './formats.ts';

type Reported = {
  /** What the provider reported to have used; null where it reported nothing. */
  usage: TokenUsage | null;
  /** Whether the provider may bill the call: it left, and was not refused. */
  billable: boolean;
  /** The provider's own id of the call, `[A-Za-z0-9._-]{1,64}`; null where it gave none of that form. */
  providerRequestId: string | null;
};

type Refused = Reported & {
  code: JobErrorCode;
  /** The provider's HTTP status; null where none arrived. */
  providerStatus: number | null;
};

export type Outcome =
  | (Reported & { kind: 'completed'; result: CompletionResult | ForeignAnswer })
  /** Not worth asking again. `detail` is the provider's own explanation, scrubbed, at most 300 characters. */
  | (Refused & { kind: 'rejected'; detail: string | null })
  /**
   * The provider wants to be left alone for a while: `limit` when a limit of the account is reached, `overload` when the provider itself is short of capacity.
   * `retryAfterMs` is its own wish, null if it named none; `detail` as of `rejected`.
   */
  | (Refused & { kind: 'throttled'; cause: 'limit' | 'overload'; retryAfterMs: number | null; detail: string | null })
  /** `retryAfterMs` as of `throttled`. */
  | (Refused & { kind: 'unavailable' | 'timed_out'; retryAfterMs: number | null })
  /** The call was aborted by its signal. */
  | (Reported & { kind: 'cancelled' });

/** How an attempt is listed. `unknown`: its worker was lost after the call may have left. `superseded`: it reported after another attempt had made the job final. */
export const ATTEMPT_OUTCOMES = [
  'completed',
  'rejected',
  'throttled',
  'unavailable',
  'timed_out',
  'cancelled',
  'unknown',
  'superseded',
] as const satisfies readonly (Outcome['kind'] | 'unknown' | 'superseded')[];
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];
