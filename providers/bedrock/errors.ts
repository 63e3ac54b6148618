/**
 * Bedrock's errors whose name or text says more than their status. Sources are beside the rows;
 * CONVERSE: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
 * COMMON: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
 * SDK: `CLOCK_SKEW_ERROR_CODES`, `THROTTLING_ERROR_CODES` and `TRANSIENT_ERROR_CODES` in `@smithy/core`, which exports none of them.
 */
import { REFUSED_CREDENTIALS } from '../../shared/keys/aws-credentials.ts';
import type { ErrorRow } from '../call/verdict.ts';

/** By these AWS says that calls come too fast, also as a 400. */
const THROTTLES: readonly string[] = [
  'BandwidthLimitExceeded', // SDK
  'EC2ThrottledException', // SDK
  'LimitExceededException', // SDK
  'PriorRequestNotComplete', // SDK
  'ProvisionedThroughputExceededException', // SDK
  'RequestLimitExceeded', // SDK
  'RequestThrottled', // SDK
  'RequestThrottledException', // SDK
  'SlowDown', // SDK
  'ThrottledException', // SDK
  'Throttling', // SDK
  'ThrottlingException', // SDK, CONVERSE, COMMON
  'TooManyRequestsException', // SDK
  'TransactionInProgressException', // SDK
];

export const BEDROCK_ERRORS: readonly ErrorRow[] = [
  // The place that the call comes from, as a 400: https://github.com/anthropics/claude-code/issues/2656
  { text: /\bunsupported countries, regions,? or territories\b/i, verdict: 'network_refused' },
  // A model that the account has not: https://repost.aws/knowledge-center/bedrock-invokemodel-api-error
  { code: 'AccessDeniedException', text: /\baccess to the model\b/i, verdict: 'request_refused' },
  // https://github.com/Tracer-Cloud/opensre/pull/1811
  { text: /\bINVALID_PAYMENT_INSTRUMENT\b/, verdict: 'quota_exhausted' },
  { code: 'ServiceQuotaExceededException', verdict: 'quota_exhausted' }, // CONVERSE

  // An account that may not use Bedrock at all, as a 400: https://github.com/aws/aws-cli/issues/8717
  { code: 'ValidationException', text: /^Operation not allowed\b/i, verdict: 'credential_refused' },
  { code: 'AccessDeniedException', verdict: 'credential_refused' }, // CONVERSE
  { code: 'NotAuthorized', verdict: 'credential_refused' }, // COMMON
  { code: 'OptInRequired', verdict: 'credential_refused' }, // COMMON
  { code: 'IncompleteSignature', verdict: 'credential_refused' }, // COMMON
  { code: 'IncompleteSignatureException', verdict: 'credential_refused' }, // COMMON
  { code: 'MissingAuthenticationToken', verdict: 'credential_refused' }, // COMMON

  // A clock that is off: from the answer's `Date` the SDK has learnt by how much.
  { code: 'InvalidSignatureException', verdict: 'credential_unavailable' }, // SDK
  { code: 'SignatureDoesNotMatch', verdict: 'credential_unavailable' }, // SDK
  { code: 'RequestTimeTooSkewed', verdict: 'credential_unavailable' }, // SDK
  { code: 'RequestInTheFuture', verdict: 'credential_unavailable' }, // SDK
  { code: 'RequestExpired', verdict: 'credential_unavailable' }, // SDK, COMMON
  // Credentials that another look may find renewed.
  ...REFUSED_CREDENTIALS.map((code): ErrorRow => ({ code, verdict: 'credential_unavailable' })),
  { text: /\bsecurity token included in the request is (?:expired|invalid)\b/i, verdict: 'credential_unavailable' }, // COMMON
  // Ours: nothing was found, so nothing was sent.
  { code: 'CredentialsUnavailable', verdict: 'credential_unavailable' },

  ...THROTTLES.map((code): ErrorRow => ({ code, verdict: 'rate_limited' })),
  // A 429, but the model is still being loaded: no reason to hold back the account's other calls.
  { code: 'ModelNotReadyException', verdict: 'unavailable' }, // CONVERSE
  { code: 'ModelErrorException', verdict: 'unavailable' }, // CONVERSE
  // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
  { code: 'ModelStreamErrorException', verdict: 'unavailable' },
  { code: 'ServiceUnavailableException', verdict: 'unavailable' }, // CONVERSE
  { code: 'ServiceUnavailable', verdict: 'unavailable' }, // COMMON
  { code: 'InternalServerException', verdict: 'unavailable' }, // CONVERSE
  { code: 'InternalFailure', verdict: 'unavailable' }, // COMMON
  { code: 'ModelTimeoutException', verdict: 'timed_out' }, // CONVERSE
  { code: 'RequestTimeout', verdict: 'timed_out' }, // SDK
  { code: 'RequestTimeoutException', verdict: 'timed_out' }, // SDK
];
