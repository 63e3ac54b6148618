/** The one place where an error becomes an answer. */
import { RequestError, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { describeError, type Log } from '../../../shared/domain/log.ts';
import { KeyServiceUnavailable } from '../../../shared/keys/encryption/seal.ts';
import { BatchGone } from '../../../shared/storage/batches/batch-store.ts';
import { BodyLocked, BodyLost } from '../../../shared/storage/bodies/body-store.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';
import type { ApiContext } from '../context.ts';
import { type ErrorForm, type Failure, failureOf } from '../error-form.ts';
import { JobFailed } from '../job-failed.ts';

const RETRY_AFTER_SECONDS: Partial<Record<RequestErrorCode, number>> = {
  stopping: 1,
  still_running: 1,
  queue_unavailable: 1,
  key_service_unavailable: 5,
  overloaded: 10,
};

/** `formOf`: in whose words a request's errors are told. */
export const respondWithError =
  (log: Log, formOf: (c: ApiContext) => ErrorForm) =>
  (thrown: Error, c: ApiContext): Response => {
    const { failure, retryAfterSeconds } = toFailure(thrown);
    const requestId = c.get('requestId');
    if (failure.of === 'request' && failure.code === 'internal_error') {
      log.error('request_broke', { request_id: requestId, ...describeError(thrown) });
    }
    c.get('logged').code = failure.code;
    if (retryAfterSeconds !== null) c.header('Retry-After', String(retryAfterSeconds));
    const { status, body, headers = {} } = formOf(c)(failure, { requestId, retryAfterSeconds });
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return c.json(body, status);
  };

const toFailure = (thrown: Error): { failure: Failure; retryAfterSeconds: number | null } => {
  if (thrown instanceof JobFailed) return { failure: thrown.failure, retryAfterSeconds: null };
  const error = toRequestError(thrown);
  return {
    failure: failureOf(error),
    retryAfterSeconds: error.retryAfterSeconds ?? RETRY_AFTER_SECONDS[error.code] ?? null,
  };
};

const toRequestError = (thrown: Error): RequestError => {
  if (thrown instanceof RequestError) return thrown;
  if (thrown instanceof BatchGone) return new RequestError('result_expired');
  if (thrown instanceof BodyLost) return new RequestError('result_expired');
  if (thrown instanceof BodyLocked || thrown instanceof KeyServiceUnavailable) {
    return new RequestError('key_service_unavailable');
  }
  return new RequestError(thrown instanceof RedisUnavailable ? 'queue_unavailable' : 'internal_error');
};
