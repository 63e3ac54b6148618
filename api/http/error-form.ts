/** How an error is told: each surface has its own words for it. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import {
  type ErrorType,
  type JobErrorCode,
  REQUEST_ERRORS,
  type RequestError,
  type RequestErrorCode,
} from '../../shared/domain/errors.ts';
import { type Refusal, refusal } from '../../shared/domain/refusal.ts';

export type ToldError = { status: ContentfulStatusCode; body: object; headers?: Readonly<Record<string, string>> };

/** Why a call did not get what it asked for, before a surface has put it into its words. */
export type Failure = {
  /** Of the request, or of the job that it waited for. */
  of: 'request' | 'job';
  code: RequestErrorCode | JobErrorCode;
  status: number;
  type: ErrorType;
  message: string;
  param: string | null;
  /** Further members of a body. */
  more: object;
};

/** `retryAfterSeconds`: what the answer's `Retry-After` says; null if it has none. */
export type ErrorForm = (failure: Failure, about: { requestId: string; retryAfterSeconds: number | null }) => ToldError;

/** The same as the OpenAPI document says it. */
export type RefusalWords = {
  /** One that is `NAMED`. */
  schema: z.ZodType;
  statusOf: (failure: Pick<Failure, 'code' | 'status'>) => number;
  /** What the form adds. */
  headers: readonly ('x-should-retry' | 'request-id')[];
  form: ErrorForm;
};

export const failureOf = (error: RequestError): Failure => ({
  of: 'request',
  code: error.code,
  status: REQUEST_ERRORS[error.code].status,
  type: REQUEST_ERRORS[error.code].type,
  message: error.message,
  param: error.param,
  more: {
    ...(error.jobId === null ? {} : { job_id: error.jobId }),
    ...(error.batchId === null ? {} : { batch_id: error.batchId }),
    ...(error.lines === null ? {} : { errors: [...error.lines] }),
  },
});

/** The gateway's own form. */
const ownBody = ({ type, code, message, param, more }: Failure, requestId: string) => ({
  error: { type, code, message, param, request_id: requestId, ...more },
});

/** The same of what never reaches a route. */
export const errorBody = (error: RequestError, requestId: string): Refusal =>
  // A cast because only jobs have other codes.
  ownBody(failureOf(error), requestId) as Refusal;

export const OWN_WORDS: RefusalWords = {
  schema: refusal,
  statusOf: ({ status }) => status,
  headers: [],
  form: (failure, { requestId }) => ({
    // A cast because the type lists registered statuses only.
    status: failure.status as ContentfulStatusCode,
    body: ownBody(failure, requestId),
  }),
};
