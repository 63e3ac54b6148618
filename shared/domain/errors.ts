/** Errors that answer a request, and errors that end a job. Two channels, never mixed: a request error is thrown, a job error is stored. */

import { z } from 'zod';
import { USER_PROVIDERS } from '../../providers/catalogue.ts';
import type { JobId } from './ids.ts';
import { namesOf } from './wire.ts';
import { anyOf } from './wording/any-of.ts';

type RequestErrorRow = { status: number; type: string; message: string };

/** Every code that a request can be refused with. `message` is the public text where the place that throws has nothing more exact to say. */
export const REQUEST_ERRORS = {
  invalid_json: { status: 400, type: 'invalid_request_error', message: 'The body is not valid JSON in UTF-8.' },
  invalid_body: { status: 400, type: 'invalid_request_error', message: 'The body does not have the documented form.' },
  invalid_query: { status: 400, type: 'invalid_request_error', message: 'A query parameter is not valid.' },
  invalid_header: { status: 400, type: 'invalid_request_error', message: 'A header is not valid.' },
  job_cancelled: {
    status: 400,
    type: 'invalid_request_error',
    message: 'This job was cancelled, so that there is no answer to this request.',
  },
  invalid_path: {
    status: 400,
    type: 'invalid_request_error',
    message:
      'The path is not in its normal form; send it without dot segments, empty segments, backslashes and needless percent-encoding.',
  },
  user_provider_required: {
    status: 400,
    type: 'invalid_request_error',
    message: `X-User-API-Key needs X-User-Provider: ${anyOf(USER_PROVIDERS)}.`,
  },
  user_provider_unknown: {
    status: 400,
    type: 'invalid_request_error',
    message: `X-User-Provider must be exactly ${anyOf(USER_PROVIDERS)}.`,
  },
  user_key_required: {
    status: 400,
    type: 'invalid_request_error',
    message:
      'X-User-Provider needs the user’s own key in X-User-API-Key; leave both out to use the platform’s account.',
  },
  user_key_malformed: {
    status: 400,
    type: 'invalid_request_error',
    message: 'X-User-API-Key does not have the form of a key of this provider.',
  },
  webhook_url_refused: {
    status: 400,
    type: 'invalid_request_error',
    message: 'The webhook URL must use https and lead to a public address.',
  },
  https_required: {
    status: 400,
    type: 'invalid_request_error',
    message:
      'This gateway takes requests over HTTPS only, and this one did not come that way. A key that was sent with it crossed the network in clear: replace it.',
  },
  unsupported_by_provider: {
    status: 400,
    type: 'invalid_request_error',
    message: 'This provider does not take this field, or not with this value.',
  },
  user_provider_mismatch: {
    status: 400,
    type: 'invalid_request_error',
    message: 'X-User-Provider names a provider that does not speak the words of this path.',
  },
  unknown_previous_response: {
    status: 400,
    type: 'invalid_request_error',
    message: 'The request continues what is not known here; send the whole conversation.',
  },
  budget_unbounded: {
    status: 400,
    type: 'invalid_request_error',
    message: 'Nobody can tell beforehand what this request may cost, and this tenant has a budget.',
  },
  model_unpriced: {
    status: 400,
    type: 'invalid_request_error',
    message: 'No price is known for this model, and this tenant has a budget; use another model.',
  },
  missing_api_key: {
    status: 401,
    type: 'authentication_error',
    message: 'Send your platform key in the X-API-Key header.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    message:
      'This platform key is not valid. It is unknown, revoked or expired; ask whoever runs the gateway for a new one.',
  },
  budget_exceeded: {
    status: 402,
    type: 'budget_error',
    message: 'What is left of this month’s budget does not cover this request.',
  },
  scope_missing: { status: 403, type: 'permission_error', message: 'This platform key lacks the scope for this call.' },
  tenant_disabled: {
    status: 403,
    type: 'permission_error',
    message: 'This tenant is disabled; whoever runs the gateway can enable it again.',
  },
  model_not_allowed: { status: 403, type: 'permission_error', message: 'This tenant may not use this model.' },
  not_found: { status: 404, type: 'not_found_error', message: 'No such path, or nothing of this tenant has this id.' },
  method_not_allowed: { status: 405, type: 'invalid_request_error', message: 'This path does not take this method.' },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    message: 'The request did not arrive in time; send it faster or in smaller parts.',
  },
  conflict: { status: 409, type: 'conflict_error', message: 'This cannot be done in the present state.' },
  result_expired: {
    status: 410,
    type: 'not_found_error',
    message: 'This job is no longer stored: it was deleted, or its retention has ended.',
  },
  body_too_large: { status: 413, type: 'invalid_request_error', message: 'The body is too large.' },
  idempotency_in_progress: {
    status: 409,
    type: 'conflict_error',
    message: 'A request with this Idempotency-Key is being accepted; ask again after the time in Retry-After.',
  },
  idempotency_mismatch: {
    status: 422,
    type: 'invalid_request_error',
    message: 'This Idempotency-Key was used for a different request; use a new key for a new request.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    message: 'Send the body as Content-Type: application/json.',
  },
  rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    message: 'Too many requests; try again after the time in Retry-After.',
  },
  too_many_queued: {
    status: 429,
    type: 'rate_limit_error',
    message: 'Too many jobs of this tenant are waiting; try again when some of them have run.',
  },
  too_many_stored_bytes: {
    status: 429,
    type: 'rate_limit_error',
    message: 'This tenant stores as many bytes as it may; delete what it no longer needs, or try again later.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    message: 'The request has headers of more than 16 KiB in all, or more than 1,000 of them.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    message: 'Something went wrong on our side; the request id finds the cause in our log.',
  },
  still_running: {
    status: 504,
    type: 'server_error',
    message:
      'The job goes on, and this request has waited as long as it may: send the same request again to wait for the same job, or ask for job_id.',
  },
  upgrade_unfinished: {
    status: 503,
    type: 'server_error',
    message:
      'This kind of request is taken when the gateway’s upgrade is finished: whoever runs it ends that with “npm run schema -- raise”.',
  },
  key_service_unavailable: {
    status: 503,
    type: 'server_error',
    message:
      'Users’ keys cannot be sealed right now, so nothing that brings one is accepted; try again after the time in Retry-After.',
  },
  overloaded: {
    status: 503,
    type: 'server_error',
    message: 'The queue’s memory is nearly full; nothing new is accepted until work is done. Try again later.',
  },
  stopping: {
    status: 503,
    type: 'server_error',
    message: 'This process is stopping; send requests to another one.',
  },
  queue_unavailable: {
    status: 503,
    type: 'server_error',
    message: 'The queue cannot be reached right now; try again after the time in Retry-After.',
  },
} as const satisfies Record<string, RequestErrorRow>;

export type RequestErrorCode = keyof typeof REQUEST_ERRORS;

type RequestErrorDetails = {
  message?: string;
  /** The header, query parameter or body path that was wrong, as the client named it. */
  param?: string;
  /** Whole seconds, at least 1. */
  retryAfterSeconds?: number;
  /** The job or batch whose acceptance is uncertain. */
  jobId?: JobId;
  batchId?: string;
  /** Of a batch that is refused: the first of the lines that are wrong. */
  lines?: readonly LineError[];
};

/** What is wrong with a line of a batch, counted from 1. */
export const lineError = z.object({
  line: z.int().min(1),
  code: namesOf<RequestErrorCode>(REQUEST_ERRORS),
  message: z.string(),
  param: z.string().nullable(),
});
export type LineError = z.infer<typeof lineError>;

/** A refusal of a request, without a stack trace: bad requests must not cost more than good ones. Its message is public: it says what was wrong, what the limit is and what to do, and holds nothing that the client sent in secret. */
export class RequestError extends Error {
  readonly code: RequestErrorCode;
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;
  readonly jobId: JobId | null;
  readonly batchId: string | null;
  readonly lines: readonly LineError[] | null;

  constructor(code: RequestErrorCode, details: RequestErrorDetails = {}) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(details.message ?? REQUEST_ERRORS[code].message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'RequestError';
    this.code = code;
    this.param = details.param ?? null;
    this.retryAfterSeconds = details.retryAfterSeconds ?? null;
    this.jobId = details.jobId ?? null;
    this.batchId = details.batchId ?? null;
    this.lines = details.lines ?? null;
  }
}

/** What is wrong, from the caller's point of view. */
export type ErrorType = (typeof REQUEST_ERRORS)[RequestErrorCode]['type'];

type JobErrorRow = { retryable: boolean; status: number; type: ErrorType; message: string };

/**
 * Every code that a job can end with. `retryable` says whether submitting the same job again may succeed; `status` and `type` are for
 * a call that waited for the job in a provider's own words.
 */
export const JOB_ERRORS = {
  user_key_rejected: {
    retryable: false,
    status: 401,
    type: 'authentication_error',
    message: 'The provider refused the user’s key, or the account behind it.',
  },
  user_key_quota_exhausted: {
    retryable: false,
    status: 402,
    type: 'budget_error',
    message: 'The user’s account at the provider has no quota or credit left.',
  },
  user_key_expired: {
    retryable: false,
    status: 502,
    type: 'server_error',
    message: 'The user’s key was no longer readable when the job was to run; submit it again with the key.',
  },
  provider_rate_limited: {
    retryable: true,
    status: 429,
    type: 'rate_limit_error',
    message:
      'The provider limits this account’s rate past the job’s deadline, or past as many calls as a job may make.',
  },
  provider_unavailable: {
    retryable: true,
    status: 502,
    type: 'server_error',
    message: 'The provider could not be reached or answered with a server error.',
  },
  provider_timeout: {
    retryable: true,
    status: 504,
    type: 'server_error',
    message: 'The provider did not answer within the time allowed.',
  },
  provider_rejected_request: {
    retryable: false,
    status: 400,
    type: 'invalid_request_error',
    message: 'The provider refused the request.',
  },
  provider_bad_response: {
    retryable: true,
    status: 502,
    type: 'server_error',
    message: 'The provider’s answer could not be understood, or held no completion.',
  },
  platform_provider_error: {
    retryable: true,
    status: 502,
    type: 'server_error',
    message:
      'The provider did not serve the platform: its own account there, or the network that the gateway calls from.',
  },
  stream_interrupted: {
    retryable: true,
    status: 502,
    type: 'server_error',
    message:
      'The answer broke off after its first part was sent. That part stands; submit the request again for a whole one.',
  },
  budget_exceeded: {
    retryable: false,
    status: 402,
    type: 'budget_error',
    message: 'What was left of the month’s budget did not cover the call.',
  },
  stopped_by_operator: {
    retryable: false,
    status: 403,
    type: 'permission_error',
    message:
      'Whoever runs the gateway stopped this work: its platform key was revoked, its tenant was disabled or deleted, or all of the tenant’s work was cancelled.',
  },
  deadline_exceeded: {
    retryable: true,
    status: 504,
    type: 'server_error',
    message: 'The job’s deadline passed before it was done.',
  },
  internal_error: {
    retryable: true,
    status: 500,
    type: 'server_error',
    message: 'The job could not be run because of an error on our side.',
  },
} as const satisfies Record<string, JobErrorRow>;

export type JobErrorCode = keyof typeof JOB_ERRORS;
