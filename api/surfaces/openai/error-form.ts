/** Errors as OpenAI tells them. https://developers.openai.com/api/docs/guides/error-codes */
import { z } from 'zod';
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { refusal } from '../../../shared/domain/refusal.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { type ErrorForm, moreOf, type RefusalWords } from '../../http/error-form.ts';
import { shouldRetry, statusFor } from '../foreign/error-status.ts';

const TYPES = {
  invalid_request_error: 'invalid_request_error',
  authentication_error: 'authentication_error',
  budget_error: 'insufficient_quota',
  permission_error: 'permission_error',
  not_found_error: 'invalid_request_error',
  conflict_error: 'invalid_request_error',
  rate_limit_error: 'rate_limit_error',
  server_error: 'server_error',
} as const satisfies Record<(typeof REQUEST_ERRORS)[RequestErrorCode]['type'], string>;

const { message, param, code, request_id, job_id } = refusal.shape.error.shape;
const schema = z
  .object({ error: z.object({ message, type: z.string(), param, code, request_id, job_id }) })
  .register(NAMED, { id: 'OpenAiError' });

const form: ErrorForm = (error, about) => ({
  status: statusFor(error.code),
  headers: { 'x-should-retry': String(shouldRetry(error.code, about.retryAfterSeconds)) },
  body: {
    error: {
      message: error.message,
      type: TYPES[REQUEST_ERRORS[error.code].type],
      param: error.param,
      code: error.code,
      request_id: about.requestId,
      ...moreOf(error),
    },
  },
});

export const OPENAI_WORDS: RefusalWords = {
  schema,
  statusOf: statusFor,
  headers: ['x-should-retry'],
  form,
};
