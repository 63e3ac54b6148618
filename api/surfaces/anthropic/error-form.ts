/** Errors as Anthropic tells them. https://platform.claude.com/docs/en/api/errors */
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { type ErrorForm, moreOf } from '../../http/error-form.ts';
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

export const anthropicStatus = (code: RequestErrorCode) =>
  // A cast because the type lists registered statuses only.
  REQUEST_ERRORS[code].status === 503 ? (OVERLOADED as 503) : statusFor(code);

const typeOf = (code: RequestErrorCode): string => {
  const { status, type } = REQUEST_ERRORS[code];
  if (status === 413) return 'request_too_large';
  return status === 503 ? 'overloaded_error' : TYPES[type];
};

export const anthropicForm: ErrorForm = (error, about) => {
  return {
    status: anthropicStatus(error.code),
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
