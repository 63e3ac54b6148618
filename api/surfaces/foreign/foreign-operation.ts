/** What the document says of a call that takes a request in foreign words. */
import { z } from 'zod';
import { job } from '../../../shared/domain/jobs/schema.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { BROUGHT_KEY_ERRORS } from '../../access/brought-key.ts';
import type { Answers } from '../../access/operation.ts';
import { GATEWAY_HEADERS } from './gateway-options.ts';

/** A body that the provider's own reference describes, at `link`. */
export const foreignBody = (id: string, link: string) =>
  z
    .looseObject({ model: z.string() })
    .describe(`As ${link} has it. It goes to the provider byte for byte.`)
    .register(NAMED, { id });

export const FOREIGN_HEADERS = [
  'X-User-API-Key',
  'X-User-Provider',
  'Idempotency-Key',
  'Prefer',
  ...GATEWAY_HEADERS,
] as const;

const answer = {
  description: 'The job; that of a repeated Idempotency-Key may have ended.',
  schema: job,
  headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
} as const;
export const FOREIGN_ANSWERS = { 200: answer, 202: answer } as const satisfies Answers;

export const FOREIGN_ERRORS = [
  ...BROUGHT_KEY_ERRORS,
  'user_provider_mismatch',
  'webhook_url_refused',
  'model_not_allowed',
  'model_unpriced',
  'unknown_previous_response',
  'budget_unbounded',
  'budget_exceeded',
  'result_expired',
  'idempotency_mismatch',
  'too_many_queued',
  'too_many_stored_bytes',
  'overloaded',
  'key_service_unavailable',
  'upgrade_unfinished',
] as const;
