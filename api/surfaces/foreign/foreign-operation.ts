/** What the document says of a call that takes a request in foreign words. */
import { z } from 'zod';
import { job } from '../../../shared/domain/jobs/schema.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { BROUGHT_KEY_ERRORS } from '../../access/brought-key.ts';
import type { Answers } from '../../access/operation.ts';
import type { Dialect } from './dialect.ts';
import { GATEWAY_HEADERS } from './gateway-options.ts';

/** A body that the provider's own reference describes, at `link`. */
export const foreignBody = (id: string, link: string) =>
  z
    .looseObject({ model: z.string() })
    .describe(`As ${link} has it. On a user’s own key it goes to the provider byte for byte.`)
    .register(NAMED, { id });

export const FOREIGN_HEADERS = [
  'X-User-API-Key',
  'X-User-Provider',
  'Idempotency-Key',
  'Prefer',
  ...GATEWAY_HEADERS,
] as const;

export const providersAnswer = ({ headers }: Dialect) => ({
  description: 'What the provider answered, in its own bytes and of the type that it gave them.',
  type: '*/*',
  headers: ['X-Gateway-Job-Id', ...headers] as const,
});

export const HOP = {
  description: 'The job goes on: its answer is waited for there, with the same keys.',
  headers: ['Location', 'X-Gateway-Job-Id'],
} as const;

const JOB_HEADERS = ['Location', 'Preference-Applied', 'Idempotency-Replayed'] as const;
export const foreignAnswers = (dialect: Dialect) => {
  const { description, headers, ...answer } = providersAnswer(dialect);
  return {
    200: {
      ...answer,
      description: `${description} With respond-async, the job of a repeated Idempotency-Key that has ended.`,
      schema: job,
      headers: [...headers, 'X-Gateway-Joined', ...JOB_HEADERS],
    },
    202: { description: 'With respond-async: the job.', schema: job, headers: [...JOB_HEADERS, 'Retry-After'] },
    303: { ...HOP, headers: [...HOP.headers, 'X-Gateway-Joined', 'Idempotency-Replayed'] },
  } satisfies Answers;
};

/** What a call can be refused with that waits for its job, beside what that ended with. */
export const AWAIT_ERRORS = [
  'job_cancelled',
  'result_expired',
  'still_running',
  'overloaded',
  'key_service_unavailable',
] as const;

export const FOREIGN_ERRORS = [
  ...BROUGHT_KEY_ERRORS,
  'user_provider_mismatch',
  'unsupported_by_provider',
  'webhook_url_refused',
  'model_not_allowed',
  'model_unpriced',
  'unknown_previous_response',
  'budget_unbounded',
  'budget_exceeded',
  'idempotency_mismatch',
  'too_many_queued',
  'too_many_stored_bytes',
  'upgrade_unfinished',
  ...AWAIT_ERRORS,
] as const;
