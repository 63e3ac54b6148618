/** What a provider's answer means to us: the one place where an HTTP status becomes an outcome. */
import type { CredentialKind, TokenUsage } from '../../shared/completion.ts';
import type { JobErrorCode } from '../../shared/errors.ts';
import type { Outcome } from '../../shared/outcome.ts';

type VerdictRow = {
  kind: Exclude<Outcome['kind'], 'completed' | 'cancelled'>;
  /** The code by whose account the call ran on: what is the user's to mend is the platform's own trouble on its own account. */
  code: Record<CredentialKind, JobErrorCode>;
};

const always = (code: JobErrorCode): VerdictRow['code'] => ({ user: code, platform: code });

const VERDICTS = {
  credential_refused: {
    kind: 'rejected',
    code: { user: 'user_key_rejected', platform: 'platform_provider_error' },
  },
  quota_exhausted: {
    kind: 'rejected',
    code: { user: 'user_key_quota_exhausted', platform: 'platform_provider_error' },
  },
  request_refused: { kind: 'rejected', code: always('provider_rejected_request') },
  rate_limited: { kind: 'throttled', code: always('provider_rate_limited') },
  unavailable: { kind: 'unavailable', code: always('provider_unavailable') },
  bad_response: { kind: 'unavailable', code: always('provider_bad_response') },
  timed_out: { kind: 'timed_out', code: always('provider_timeout') },
  /** The platform's credentials could not be had just now, as while instance metadata does not answer; worth another try. */
  credential_unavailable: { kind: 'unavailable', code: always('platform_provider_error') },
  /** The request never left, for a reason that lies in our own code. */
  not_sent: { kind: 'rejected', code: always('internal_error') },
} as const satisfies Record<string, VerdictRow>;

export type Verdict = keyof typeof VERDICTS;

const VERDICT_BY_STATUS: Readonly<Record<number, Verdict>> = {
  400: 'request_refused',
  401: 'credential_refused',
  402: 'quota_exhausted',
  403: 'credential_refused',
  404: 'request_refused',
  408: 'timed_out',
  // A conflict or a lock at the provider, and a request that came too early, pass by themselves.
  409: 'unavailable',
  413: 'request_refused',
  422: 'request_refused',
  425: 'unavailable',
  429: 'rate_limited',
};

/** What a status means where the provider says nothing more exact. A redirect counts as not being there: it is never followed. */
export const verdictOfStatus = (status: number): Verdict => {
  const known = VERDICT_BY_STATUS[status];
  if (known !== undefined) return known;
  if (status >= 200 && status < 300) return 'bad_response';
  return status >= 400 && status < 500 ? 'request_refused' : 'unavailable';
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
  const { kind, code } = VERDICTS[verdict];
  const { credential, usage, billable, providerRequestId, providerStatus } = facts;
  const refused = { usage, billable, providerRequestId, code: code[credential], providerStatus };
  switch (kind) {
    case 'rejected':
      return { kind, ...refused, detail: facts.detail };
    case 'throttled':
      return { kind, ...refused, cause: 'limit', retryAfterMs: facts.retryAfterMs, detail: facts.detail };
    case 'unavailable':
    case 'timed_out':
      return { kind, ...refused };
  }
};

/** The answer to a call whose credential does not belong to the adapter: a bug upstream, stopped before the network. */
export const refuseCredential = (credential: CredentialKind): Outcome =>
  toOutcome('not_sent', {
    credential,
    usage: null,
    billable: false,
    providerRequestId: null,
    providerStatus: null,
    retryAfterMs: null,
    detail: null,
  });
