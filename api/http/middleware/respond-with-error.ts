/** The one place where an error becomes an answer. */
import { RequestError, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { describeError, type Log } from '../../../shared/domain/log.ts';
import { KeyServiceUnavailable } from '../../../shared/keys/encryption/seal.ts';
import { BatchGone } from '../../../shared/storage/batches/batch-store.ts';
import { BodyLocked, BodyLost } from '../../../shared/storage/bodies/body-store.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';
import type { ApiContext } from '../context.ts';
import type { ErrorForm } from '../error-form.ts';

const RETRY_AFTER_SECONDS: Partial<Record<RequestErrorCode, number>> = {
  stopping: 1,
  queue_unavailable: 1,
  key_service_unavailable: 5,
  overloaded: 10,
};

/** `formOf`: in whose words a request's errors are told. */
export const respondWithError =
  (log: Log, formOf: (c: ApiContext) => ErrorForm) =>
  (thrown: Error, c: ApiContext): Response => {
    const error = toRequestError(thrown);
    if (error.code === 'internal_error') {
      log.error('request_broke', { request_id: c.get('requestId'), ...describeError(thrown) });
    }
    c.get('logged').code = error.code;
    const retryAfterSeconds = error.retryAfterSeconds ?? RETRY_AFTER_SECONDS[error.code] ?? null;
    if (retryAfterSeconds !== null) c.header('Retry-After', String(retryAfterSeconds));
    const {
      status,
      body,
      headers = {},
    } = formOf(c)(error, {
      requestId: c.get('requestId'),
      retryAfterSeconds,
    });
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return c.json(body, status);
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
