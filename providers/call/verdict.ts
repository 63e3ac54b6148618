/** What a provider's answer means to us: the one place where an error becomes an outcome. */
import type { CredentialKind, TokenUsage } from '../../shared/domain/completion.ts';
import type { JobErrorCode } from '../../shared/domain/errors.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';

type VerdictRow = {
  /** The code by whose account the call ran on: what is the user's to mend is the platform's own trouble on its own account. */
  code: Record<CredentialKind, JobErrorCode>;
} & ({ kind: 'rejected' | 'unavailable' | 'timed_out' } | { kind: 'throttled'; cause: 'limit' | 'overload' });

const always = (code: JobErrorCode): VerdictRow['code'] => ({ user: code, platform: code });

const VERDICTS = {
  /** The key, or the account behind it, is not served. */
  credential_refused: {
    kind: 'rejected',
    code: { user: 'user_key_rejected', platform: 'platform_provider_error' },
  },
  quota_exhausted: {
    kind: 'rejected',
    code: { user: 'user_key_quota_exhausted', platform: 'platform_provider_error' },
  },
  /** The place that the gateway calls from is not served, with any key. */
  network_refused: { kind: 'rejected', code: always('platform_provider_error') },
  request_refused: { kind: 'rejected', code: always('provider_rejected_request') },
  rate_limited: { kind: 'throttled', cause: 'limit', code: always('provider_rate_limited') },
  overloaded: { kind: 'throttled', cause: 'overload', code: always('provider_unavailable') },
  unavailable: { kind: 'unavailable', code: always('provider_unavailable') },
  bad_response: { kind: 'unavailable', code: always('provider_bad_response') },
  /** A failure of the provider's own, of which it says that the same request would meet it again. */
  unavailable_for_good: { kind: 'rejected', code: always('provider_unavailable') },
  /** A whole answer, which is paid for, that holds no completion: the next one would be paid for too. */
  unusable_answer: { kind: 'rejected', code: always('provider_bad_response') },
  timed_out: { kind: 'timed_out', code: always('provider_timeout') },
  /** The platform's credentials were not good just now, and may be at the next try: no instance metadata, an expired token, a clock that is off. */
  credential_unavailable: { kind: 'unavailable', code: always('platform_provider_error') },
  /** The request never left, for a reason that lies in our own code. */
  not_sent: { kind: 'rejected', code: always('internal_error') },
} as const satisfies Record<string, VerdictRow>;

export type Verdict = keyof typeof VERDICTS;

/** What an error in the provider's own form says; `text` is '' when it explains nothing. */
export type ProviderError = { code: string | null; type: string | null; text: string };

/** A known error of a provider: all that a row names must be so. */
export type ErrorRow = { status?: number; code?: string; type?: string; text?: RegExp; verdict: Verdict };

/** Texts are matched only so far, so that no pattern can be made slow. */
const LONGEST_MATCHED = 2_000;

/** The verdict of the first row that knows the error; null when none does. `status` is null for an error of ours, before there is an answer. */
export const verdictOfError = (
  rows: readonly ErrorRow[],
  { code, type, text }: ProviderError,
  status: number | null,
): Verdict | null =>
  rows.find(
    (row) =>
      (row.status === undefined || row.status === status) &&
      (row.code === undefined || row.code === code) &&
      (row.type === undefined || row.type === type) &&
      (row.text === undefined || row.text.test(text.slice(0, LONGEST_MATCHED))),
  )?.verdict ?? null;

const VERDICT_BY_STATUS: Readonly<Record<number, Verdict>> = {
  401: 'credential_refused',
  402: 'quota_exhausted',
  403: 'credential_refused',
  // Of the road to the provider, not of the request: a proxy that wants a log-in, a wrong connection, a client that was thought gone.
  407: 'unavailable',
  421: 'unavailable',
  499: 'unavailable',
  408: 'timed_out',
  // A conflict or a lock at the provider, and a request that came too early, pass by themselves.
  409: 'unavailable',
  423: 'unavailable',
  425: 'unavailable',
  429: 'rate_limited',
  // RFC 7725: what a place's law forbids.
  451: 'network_refused',
};

/** What a status means when the provider says nothing more exact. A redirect counts as not being there: it is never followed. */
const verdictOfStatus = (status: number): Verdict =>
  VERDICT_BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'request_refused' : 'unavailable');

/** By these a server that is there says that it cannot serve for now, by 429 also of a single model. */
const MAY_NAME_A_PAUSE: ReadonlySet<number> = new Set([429, 503, 529]);

/** A final status that is temporary when it names a pause (RFC 9110, 15.5.14). */
const TEMPORARY_WITH_A_PAUSE = 413;

/** What becomes of a verdict that would have the job run again when the provider says that this is of no use. An account's limit passes; one that this request alone is over does not. */
const OF_NO_USE: Partial<Record<Verdict, Verdict>> = {
  rate_limited: 'request_refused',
  overloaded: 'unavailable_for_good',
  unavailable: 'unavailable_for_good',
  timed_out: 'unavailable_for_good',
};

type ErrorAnswer = {
  status: number;
  /** Null when the body is not an error in the provider's own form: then somebody on the way to it answered. */
  error: ProviderError | null;
  retryAfterMs: number | null;
  /** The header `x-should-retry`, by which a provider tells its own SDK whether the same request can succeed. */
  shouldRetry: string | null;
};

/**
 * Judges an answer that is no success. Nobody on the way to the provider can say that it refuses a key or a request; all can ask to be left alone.
 * What the provider itself says goes by its code, type and text, and by the status only when no row knows those. Its `x-should-retry: true` makes
 * a status worth another try, and no row: what a row names, such as a key, is the same the next time, and an SDK that obeys asks twice at most.
 */
export const judgeError = (
  rows: readonly ErrorRow[],
  { status, error, retryAfterMs, shouldRetry }: ErrorAnswer,
): Verdict => {
  const wish = error === null ? null : (shouldRetry?.trim().toLowerCase() ?? null);
  const byStatus = error !== null || status === 429 ? verdictOfStatus(status) : 'unavailable';
  const passes = wish === 'true' || (status === TEMPORARY_WITH_A_PAUSE && retryAfterMs !== null);
  const byAnswer = passes && VERDICTS[byStatus].kind === 'rejected' ? 'unavailable' : byStatus;
  const verdict = (error && verdictOfError(rows, error, status)) ?? byAnswer;
  if (wish === 'false') return OF_NO_USE[verdict] ?? verdict;
  return verdict === 'unavailable' && retryAfterMs !== null && MAY_NAME_A_PAUSE.has(status) ? 'overloaded' : verdict;
};

export type Facts = {
  credential: CredentialKind;
  usage: TokenUsage | null;
  billable: boolean;
  providerRequestId: string | null;
  providerStatus: number | null;
  retryAfterMs: number | null;
  detail: string | null;
};

export const toOutcome = (verdict: Verdict, facts: Facts): Outcome => {
  const row: VerdictRow = VERDICTS[verdict];
  const { credential, usage, billable, providerRequestId, providerStatus, retryAfterMs, detail } = facts;
  const refused = { usage, billable, providerRequestId, code: row.code[credential], providerStatus };
  switch (row.kind) {
    case 'rejected':
      return { kind: row.kind, ...refused, detail };
    case 'throttled':
      return { kind: row.kind, ...refused, cause: row.cause, retryAfterMs, detail };
    case 'unavailable':
    case 'timed_out':
      return { kind: row.kind, ...refused, retryAfterMs };
  }
};

/** The answer to a call that the adapter cannot make, by its credential or its words: a bug upstream, stopped before the network. */
export const refuseCall = (credential: CredentialKind): Outcome =>
  toOutcome('not_sent', {
    credential,
    usage: null,
    billable: false,
    providerRequestId: null,
    providerStatus: null,
    retryAfterMs: null,
    detail: null,
  });
