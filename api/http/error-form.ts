/** How an error is told: each surface has its own words for it. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { REQUEST_ERRORS, type RequestError, type RequestErrorCode } from '../../shared/domain/errors.ts';
import { type Refusal, refusal } from '../../shared/domain/refusal.ts';

export type ToldError = { status: ContentfulStatusCode; body: object; headers?: Readonly<Record<string, string>> };

/** `retryAfterSeconds`: what the answer's `Retry-After` says; null if it has none. */
export type ErrorForm = (
  error: RequestError,
  about: { requestId: string; retryAfterSeconds: number | null },
) => ToldError;

/** The same as the OpenAPI document says it. */
export type RefusalWords = {
  /** One that is `NAMED`. */
  schema: z.ZodType;
  statusOf: (code: RequestErrorCode) => number;
  /** What the form adds. */
  headers: readonly ('x-should-retry' | 'request-id')[];
  form: ErrorForm;
};

/** What every form has beside its own members. */
export const moreOf = (error: RequestError) => ({
  ...(error.jobId === null ? {} : { job_id: error.jobId }),
  ...(error.batchId === null ? {} : { batch_id: error.batchId }),
  ...(error.lines === null ? {} : { errors: [...error.lines] }),
});

/** The gateway's own form; also for what never reaches a route. */
export const errorBody = (error: RequestError, requestId: string): Refusal => ({
  error: {
    type: REQUEST_ERRORS[error.code].type,
    code: error.code,
    message: error.message,
    param: error.param,
    request_id: requestId,
    ...moreOf(error),
  },
});

export const OWN_WORDS: RefusalWords = {
  schema: refusal,
  statusOf: (code) => REQUEST_ERRORS[code].status,
  headers: [],
  form: (error, { requestId }) => ({
    status: REQUEST_ERRORS[error.code].status,
    body: errorBody(error, requestId),
  }),
};
