/** Errors as OpenAI tells them. https://developers.openai.com/api/docs/guides/error-codes */
import { z } from 'zod';
import { type ErrorType, JOB_ERRORS, REQUEST_ERRORS } from '../../../shared/domain/errors.ts';
import { refusal } from '../../../shared/domain/refusal.ts';
import { NAMED, namesOf } from '../../../shared/domain/wire.ts';
import type { ErrorForm, RefusalWords } from '../../http/error-form.ts';
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
} as const satisfies Record<ErrorType, string>;

const { message, param, request_id, job_id } = refusal.shape.error.shape;
const code = namesOf({ ...REQUEST_ERRORS, ...JOB_ERRORS });
const schema = z
  .object({ error: z.object({ message, type: z.string(), param, code, request_id, job_id }) })
  .register(NAMED, { id: 'OpenAiError' });

const form: ErrorForm = (failure, { requestId, retryAfterSeconds }) => ({
  status: statusFor(failure),
  headers: { 'x-should-retry': String(shouldRetry(failure, retryAfterSeconds)) },
  body: {
    error: {
      message: failure.message,
      type: TYPES[failure.type],
      param: failure.param,
      code: failure.code,
      request_id: requestId,
      ...failure.more,
    },
  },
});

export const OPENAI_WORDS: RefusalWords = {
  schema,
  statusOf: statusFor,
  headers: ['x-should-retry'],
  form,
};
