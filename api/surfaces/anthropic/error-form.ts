/** Errors as Anthropic tells them. https://platform.claude.com/docs/en/api/errors */
import { z } from 'zod';
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { refusal } from '../../../shared/domain/refusal.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { type ErrorForm, moreOf, type RefusalWords } from '../../http/error-form.ts';
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
} as const satisfies Record<(typeof REQUEST_ERRORS)[RequestErrorCode]['type'], string>;

/** A status of Anthropic's own, which no registry has. */
const OVERLOADED = 529;

const statusOf = (code: RequestErrorCode) =>
  // A cast because the type lists registered statuses only.
  REQUEST_ERRORS[code].status === 503 ? (OVERLOADED as 503) : statusFor(code);

const typeOf = (code: RequestErrorCode): string => {
  const { status, type } = REQUEST_ERRORS[code];
  if (status === 413) return 'request_too_large';
  return status === 503 ? 'overloaded_error' : TYPES[type];
};

const { message, param, code, request_id, job_id } = refusal.shape.error.shape;
const schema = z
  .object({
    type: z.literal('error'),
    error: z.object({ type: z.string(), message, code, param, job_id }),
    request_id,
  })
  .register(NAMED, { id: 'AnthropicError' });

const form: ErrorForm = (error, about) => {
  return {
    status: statusOf(error.code),
    headers: {
      'request-id': about.requestId,
      'x-should-retry': String(shouldRetry(error.code, about.retryAfterSeconds)),
    },
    body: {
      type: 'error',
      error: {
        type: typeOf(error.code),
        message: error.message,
        code: error.code,
        param: error.param,
        ...moreOf(error),
      },
      request_id: about.requestId,
    },
  };
};

export const ANTHROPIC_WORDS: RefusalWords = {
  schema,
  statusOf,
  headers: ['x-should-retry', 'request-id'],
  form,
};
