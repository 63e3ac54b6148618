/** The one place where an error becomes an answer. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { REQUEST_ERRORS, RequestError, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { describeError, type Log } from '../../../shared/domain/log.ts';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import { KeyServiceUnavailable } from '../../../shared/keys/encryption/seal.ts';
import { BatchGone } from '../../../shared/storage/batches/batch-store.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';
import type { ApiContext } from '../context.ts';

/** The public form of an error; also for what never reaches a route. */
export const errorBody = (error: RequestError, requestId: string): Refusal => ({
  error: {
    type: REQUEST_ERRORS[error.code].type,
    code: error.code,
    message: error.message,
    param: error.param,
    request_id: requestId,
    ...(error.jobId === null ? {} : { job_id: error.jobId }),
    ...(error.batchId === null ? {} : { batch_id: error.batchId }),
    ...(error.lines === null ? {} : { errors: [...error.lines] }),
  },
});

const RETRY_AFTER_SECONDS: Partial<Record<RequestErrorCode, number>> = {
  stopping: 1,
  queue_unavailable: 1,
  key_service_unavailable: 5,
  overloaded: 10,
};

export const respondWithError =
  (log: Log) =>
  (thrown: Error, c: ApiContext): Response => {
    const error = toRequestError(thrown);
    if (error.code === 'internal_error') {
      log.error('request_broke', { request_id: c.get('requestId'), ...describeError(thrown) });
    }
    c.get('logged').code = error.code;
    const retryAfter = error.retryAfterSeconds ?? RETRY_AFTER_SECONDS[error.code];
    if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter));
    const status = REQUEST_ERRORS[error.code].status satisfies ContentfulStatusCode;
    return c.json(errorBody(error, c.get('requestId')), status);
  };

const toRequestError = (thrown: Error): RequestError => {
  if (thrown instanceof RequestError) return thrown;
  if (thrown instanceof BatchGone) return new RequestError('result_expired');
  if (thrown instanceof KeyServiceUnavailable) return new RequestError('key_service_unavailable');
  return new RequestError(thrown instanceof RedisUnavailable ? 'queue_unavailable' : 'internal_error');
};
