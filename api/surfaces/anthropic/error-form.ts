/** Errors as Anthropic tells them. https://platform.claude.com/docs/en/api/errors */
import { z } from 'zod';
import { type ErrorType, JOB_ERRORS, REQUEST_ERRORS } from '../../../shared/domain/errors.ts';
import { refusal } from '../../../shared/domain/refusal.ts';
import { NAMED, namesOf } from '../../../shared/domain/wire.ts';
import type { ErrorForm, Failure, RefusalWords } from '../../http/error-form.ts';
import { shouldRetry, statusFor } from '../foreign/error-status.ts';

const TYPES = {
  invalid_request_error: 'invalid_request_error',
  authentication_error: 'authentication_error',
  budget_error: 'billing_error',
  permission_error: 'permission_error',
  not_found_error: 'not_found_error',
  conflict_error: 'invalid_request_error',
  rate_limit_error: 'rate_limit_error',
  server_error: 'api_error',
} as const satisfies Record<ErrorType, string>;

/** A status of Anthropic's own, which no registry has. */
const OVERLOADED = 529;

const statusOf = (failure: Pick<Failure, 'code' | 'status'>) =>
  // A cast because the type lists registered statuses only.
  failure.status === 503 ? (OVERLOADED as 503) : statusFor(failure);

const BY_STATUS: Readonly<Record<number, string>> = {
  413: 'request_too_large',
  503: 'overloaded_error',
  504: 'timeout_error',
};

const { message, param, request_id, job_id } = refusal.shape.error.shape;
const code = namesOf({ ...REQUEST_ERRORS, ...JOB_ERRORS });
const schema = z
  .object({
    type: z.literal('error'),
    error: z.object({ type: z.string(), message, code, param, job_id }),
    request_id,
  })
  .register(NAMED, { id: 'AnthropicError' });

const form: ErrorForm = (failure, { requestId, retryAfterSeconds }) => ({
  status: statusOf(failure),
  headers: {
    'request-id': requestId,
    'x-should-retry': String(shouldRetry(failure, retryAfterSeconds)),
  },
  body: {
    type: 'error',
    error: {
      type: BY_STATUS[failure.status] ?? TYPES[failure.type],
      message: failure.message,
      code: failure.code,
      param: failure.param,
      ...failure.more,
    },
    request_id: requestId,
  },
});

export const ANTHROPIC_WORDS: RefusalWords = {
  schema,
  statusOf,
  headers: ['x-should-retry', 'request-id'],
  form,
};
