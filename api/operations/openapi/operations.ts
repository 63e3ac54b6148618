/** Every call as the document describes it. A row of `ROUTES` without its description here does not compile. */
import type { z } from 'zod';
import type { RequestErrorCode } from '../../../shared/domain/errors.ts';
import { keyRotation, newKey, newTenant, tenantPatch } from '../../../shared/domain/tenant.ts';
import type { Path, ROUTES } from '../../access/route.ts';
import { batchBody, batchQuery } from '../../intake/uploads/batch-form.ts';
import { batchLine } from '../../intake/uploads/check-line.ts';
import { auditQuery, deletionQuery, keysQuery, revocationQuery, tenantsQuery } from '../../surfaces/admin/admin.ts';
import { waitQuery } from '../../surfaces/native/answer-state.ts';
import { batchesQuery } from '../../surfaces/native/batches/batches.ts';
import { retryBody } from '../../surfaces/native/batches/retry-batch.ts';
import { resultsQuery } from '../../surfaces/native/batches/stream-results.ts';
import { completeBody } from '../../surfaces/native/jobs/complete.ts';
import { jobsQuery } from '../../surfaces/native/jobs/jobs.ts';
import { usageQuery } from '../../surfaces/native/usage/usage.ts';
import { deliveriesQuery, redeliverBody, secretRotation, testBody } from '../../surfaces/native/webhooks/webhooks.ts';
import type { ANSWERS } from './answers.ts';
import type { RequestHeader, ResponseHeader } from './headers.ts';

type Answer = {
  description: string;
  /** The name of a schema, and the media type of what is no JSON. Both left out where there is no body. */
  json?: keyof typeof ANSWERS;
  type?: string;
  headers?: readonly ResponseHeader[];
};

export type Operation = {
  summary: string;
  /** What the handler checks; left out where it takes none. */
  query?: z.ZodObject;
  /** `line`: of which a body of NDJSON has one after the other. `optional`: no body is an empty object. */
  body?: { schema: z.ZodType; name: string; line?: { schema: z.ZodType; name: string }; optional?: true };
  /** Beside those that every call takes. */
  headers?: readonly RequestHeader[];
  answers: { readonly [status: number]: Answer };
  /** Beside those that follow from access, path, query and body. */
  errors?: readonly RequestErrorCode[];
  /** On answers and refusals alike, where it came to the limit of requests. */
  rateLimited?: true;
};

const USER_KEY_ERRORS = [
  'user_provider_required',
  'user_provider_unknown',
  'user_key_required',
  'user_key_malformed',
] as const satisfies readonly RequestErrorCode[];

export const OPERATIONS = {
  '/v1/complete': {
    POST: {
      summary: 'Submits a completion as a job',
      body: { schema: completeBody, name: 'CompletionRequest' },
      headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key', 'Prefer'],
      answers: {
        200: {
          description: 'The job, final: it ended within `Prefer: wait`, or an Idempotency-Key was repeated.',
          json: 'Job',
          headers: ['Location', 'Preference-Applied', 'Idempotency-Replayed'],
        },
        202: {
          description: 'The accepted job.',
          json: 'Job',
          headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
        },
      },
      errors: [
        ...USER_KEY_ERRORS,
        'webhook_url_refused',
        'model_not_allowed',
        'result_expired',
        'idempotency_mismatch',
        'model_unpriced',
        'budget_unbounded',
        'unsupported_by_provider',
        'upgrade_unfinished',
        'budget_exceeded',
        'too_many_queued',
        'too_many_stored_bytes',
        'overloaded',
      ],
      rateLimited: true,
    },
  },
  '/v1/jobs': {
    GET: {
      summary: 'Lists jobs, newest first, without results',
      query: jobsQuery,
      answers: { 200: { description: 'A page of jobs.', json: 'JobList' } },
      errors: ['not_found', 'result_expired'],
    },
  },
  '/v1/jobs/:id': {
    GET: {
      summary: 'Reads a job, or waits for it',
      query: waitQuery,
      headers: ['If-None-Match'],
      answers: {
        200: { description: 'The job.', json: 'Job', headers: ['ETag', 'Retry-After'] },
        304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Retry-After'] },
      },
      errors: ['result_expired'],
    },
    DELETE: {
      summary: 'Erases a final job’s result and metadata',
      answers: { 204: { description: 'Erased.' } },
      errors: ['conflict', 'result_expired'],
    },
  },
  '/v1/jobs/:id/cancel': {
    POST: {
      summary: 'Cancels a job',
      answers: {
        200: { description: 'The job, final; one that had ended before is as it was.', json: 'Job' },
        202: { description: 'The job, still `in_progress`: its running call is being aborted.', json: 'Job' },
      },
      errors: ['result_expired'],
    },
  },
  '/v1/batches': {
    GET: {
      summary: 'Lists batches, newest first',
      query: batchesQuery,
      answers: { 200: { description: 'A page of batches.', json: 'BatchList' } },
    },
    POST: {
      summary:
        'Submits a batch of completions: as NDJSON, with the options in the query, or as JSON, with the options in the body',
      query: batchQuery,
      body: {
        schema: batchBody,
        name: 'BatchRequest',
        line: { schema: batchLine, name: 'BatchLine' },
      },
      headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key'],
      answers: {
        200: {
          description: 'An Idempotency-Key was repeated, and the batch is final.',
          json: 'Batch',
          headers: ['Location', 'Idempotency-Replayed'],
        },
        202: {
          description: 'The accepted batch.',
          json: 'Batch',
          headers: ['Location', 'Retry-After', 'Idempotency-Replayed'],
        },
      },
      errors: [
        ...USER_KEY_ERRORS,
        'webhook_url_refused',
        'result_expired',
        'request_timeout',
        'conflict',
        'idempotency_in_progress',
        'idempotency_mismatch',
        'too_many_queued',
        'too_many_stored_bytes',
        'upgrade_unfinished',
        'overloaded',
      ],
      rateLimited: true,
    },
  },
  '/v1/batches/:id': {
    GET: {
      summary: 'Reads a batch with its counts as they stand, or waits for it',
      query: waitQuery,
      headers: ['If-None-Match'],
      answers: {
        200: { description: 'The batch.', json: 'Batch', headers: ['ETag', 'Retry-After'] },
        304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Retry-After'] },
      },
      errors: ['result_expired'],
    },
    DELETE: {
      summary: 'Erases a final batch with all its lines',
      answers: { 204: { description: 'Erased.' } },
      errors: ['conflict', 'result_expired'],
    },
  },
  '/v1/batches/:id/results': {
    GET: {
      summary: 'Streams the lines that have ended, in the order in which they ended, also while the batch runs',
      query: resultsQuery,
      answers: {
        200: {
          description: 'A line of JSON for each; `after` takes the `cursor` of the last one read.',
          type: 'application/x-ndjson',
          headers: ['X-Batch-Lines-Ended'],
        },
      },
      errors: ['result_expired'],
    },
  },
  '/v1/batches/:id/cancel': {
    POST: {
      summary: 'Cancels a batch: waiting lines at once, running ones are aborted',
      answers: {
        200: { description: 'The batch, final; one that had ended before is as it was.', json: 'Batch' },
        202: { description: 'The batch, whose running calls are being aborted.', json: 'Batch' },
      },
      errors: ['result_expired'],
    },
  },
  '/v1/batches/:id/retry': {
    POST: {
      summary: 'Runs the lines that failed or expired again, as a batch of their own',
      body: { schema: retryBody, name: 'BatchRetry', optional: true },
      headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key'],
      answers: {
        200: {
          description: 'An Idempotency-Key was repeated, and the batch is final.',
          json: 'Batch',
          headers: ['Location', 'Idempotency-Replayed'],
        },
        202: {
          description: 'The accepted batch.',
          json: 'Batch',
          headers: ['Location', 'Retry-After', 'Idempotency-Replayed'],
        },
      },
      errors: [
        'model_unpriced',
        'budget_unbounded',
        'unsupported_by_provider',
        'upgrade_unfinished',
        ...USER_KEY_ERRORS,
        'model_not_allowed',
        'conflict',
        'idempotency_in_progress',
        'idempotency_mismatch',
        'result_expired',
        'too_many_queued',
        'too_many_stored_bytes',
        'overloaded',
      ],
      rateLimited: true,
    },
  },
  '/v1/usage': {
    GET: {
      summary: 'Tokens and cost, in totals and rows; as CSV the rows',
      query: usageQuery,
      errors: ['not_found', 'result_expired'],
      answers: {
        200: {
          description: 'What the tenant used.',
          json: 'Usage',
          type: 'text/csv',
          headers: ['Vary', 'Content-Disposition'],
        },
      },
    },
  },
  '/v1/webhooks/deliveries': {
    GET: {
      summary: 'Lists deliveries of events with their attempts, newest event first',
      query: deliveriesQuery,
      answers: { 200: { description: 'A page of deliveries.', json: 'WebhookDeliveryList' } },
    },
  },
  '/v1/webhooks/deliveries/redeliver': {
    POST: {
      summary: 'Sends every delivery again that failed since a time',
      rateLimited: true,
      body: { schema: redeliverBody, name: 'Redelivery' },
      answers: { 202: { description: 'How many are on their way.', json: 'Redelivered' } },
    },
  },
  '/v1/webhooks/deliveries/:id/redeliver': {
    POST: {
      summary: 'Sends a delivery again, under the same id',
      rateLimited: true,
      answers: { 202: { description: 'The delivery, on its way.', json: 'WebhookDelivery' } },
      errors: ['result_expired'],
    },
  },
  '/v1/webhooks/test': {
    POST: {
      summary: 'Sends a `webhook.test` event and waits for what comes of it',
      body: { schema: testBody, name: 'WebhookTestRequest' },
      answers: {
        200: { description: 'What came of it.', json: 'WebhookTest' },
        202: {
          description: 'It has not ended within 20 seconds; the list of deliveries will show what came of it.',
          json: 'WebhookDelivery',
        },
      },
      errors: ['webhook_url_refused', 'too_many_stored_bytes', 'overloaded'],
      rateLimited: true,
    },
  },
  '/v1/webhooks/secret': {
    GET: {
      summary: 'Reads the secret that signs this tenant’s webhooks',
      answers: { 200: { description: 'The secret.', json: 'WebhookSecret' } },
    },
  },
  '/v1/webhooks/secret/rotate': {
    POST: {
      summary: 'Draws a new secret; the one before signs too for a while',
      body: { schema: secretRotation, name: 'WebhookSecretRotation', optional: true },
      answers: { 200: { description: 'The new secret, and the one before.', json: 'WebhookSecret' } },
      errors: ['overloaded'],
      rateLimited: true,
    },
  },
  '/admin/tenants': {
    GET: {
      summary: 'Lists tenants, newest first',
      query: tenantsQuery,
      answers: { 200: { description: 'A page of tenants.', json: 'TenantList' } },
    },
    POST: {
      summary: 'Creates a tenant',
      body: { schema: newTenant, name: 'NewTenant' },
      answers: { 201: { description: 'The tenant.', json: 'Tenant', headers: ['Location'] } },
    },
  },
  '/admin/tenants/:id': {
    GET: { summary: 'Reads a tenant', answers: { 200: { description: 'The tenant.', json: 'Tenant' } } },
    PATCH: {
      summary:
        'Changes a tenant; what is left out stays. `disabled` stops its queued and running work, unless `keep_work` is set',
      body: { schema: tenantPatch, name: 'TenantChanges' },
      answers: { 200: { description: 'The tenant.', json: 'Tenant' } },
    },
    DELETE: {
      summary:
        'Deletes a tenant with its keys, and stops its queued and running work, unless `keep_work` is set; `erase` forgets all that is stored for it but usage and audit log, also of one that is deleted',
      query: deletionQuery,
      answers: {
        204: { description: 'Deleted; `/admin/tenants/{id}/work` shows how the end of its work and data goes on.' },
      },
    },
  },
  '/admin/tenants/:id/work': {
    GET: {
      summary: 'Counts a tenant’s unfinished work, and shows how the last stop and its erasure go on',
      answers: { 200: { description: 'The counts.', json: 'TenantWork' } },
    },
  },
  '/admin/tenants/:id/cancel': {
    POST: {
      summary:
        'Cancels all unfinished work of a tenant, also of one that is deleted or stands in the configuration; what it sends from now on runs',
      answers: { 202: { description: 'How far the end of it is.', json: 'TenantWork' } },
    },
  },
  '/admin/tenants/:id/keys': {
    GET: {
      summary: 'Lists a tenant’s platform keys, without secrets',
      query: keysQuery,
      answers: { 200: { description: 'A page of keys.', json: 'PlatformKeyList' } },
    },
    POST: {
      summary: 'Issues a platform key',
      body: { schema: newKey, name: 'NewPlatformKey' },
      answers: { 201: { description: 'The key with its secret.', json: 'IssuedPlatformKey' } },
      errors: ['conflict'],
    },
  },
  '/admin/tenants/:id/keys/:keyId': {
    DELETE: {
      summary: 'Revokes a platform key, and stops the work that it asked for, unless `keep_work` is set',
      query: revocationQuery,
      answers: { 204: { description: 'Revoked.' } },
    },
  },
  '/admin/tenants/:id/keys/:keyId/rotate': {
    POST: {
      summary: 'Replaces a platform key; the old one stays valid for a while',
      body: { schema: keyRotation, name: 'KeyRotation', optional: true },
      answers: { 201: { description: 'The new key with its secret.', json: 'IssuedPlatformKey' } },
      errors: ['conflict'],
    },
  },
  '/admin/audit': {
    GET: {
      summary: 'Lists the audit log, newest first; a tenant’s page may be short while there are more',
      query: auditQuery,
      answers: { 200: { description: 'A page of rows.', json: 'AuditRowList' } },
    },
  },
  '/admin/queues': {
    GET: { summary: 'Counts the queue, by shard', answers: { 200: { description: 'The counts.', json: 'QueueList' } } },
  },
  '/': {
    GET: {
      summary: 'Leads to the page',
      answers: { 302: { description: 'To `/docs`.', headers: ['Location'] } },
      errors: ['rate_limited'],
    },
  },
  '/healthz': {
    GET: { summary: 'Whether the process runs', answers: { 200: { description: 'It runs.', json: 'Health' } } },
  },
  '/readyz': {
    GET: {
      summary: 'Whether Redis answers and is fit for use, and this process is not stopping',
      answers: { 200: { description: 'It does.', json: 'Health' } },
      errors: ['queue_unavailable', 'stopping'],
    },
  },
  '/metrics': {
    GET: {
      summary: 'What Prometheus scrapes',
      answers: { 200: { description: 'Prometheus’ text format.', type: 'text/plain' } },
      errors: ['rate_limited'],
    },
  },
  '/openapi.json': {
    GET: {
      summary: 'This document',
      headers: ['If-None-Match'],
      answers: {
        200: {
          description: 'An OpenAPI 3.1 document.',
          type: 'application/json',
          headers: ['ETag', 'Vary', 'Content-Encoding'],
        },
        304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Vary'] },
      },
      errors: ['rate_limited'],
    },
  },
  '/docs': {
    GET: {
      summary: 'This document as a page',
      headers: ['If-None-Match'],
      answers: {
        200: {
          description: 'A page that needs no other host.',
          type: 'text/html',
          headers: ['ETag', 'Vary', 'Content-Encoding'],
        },
        304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Vary'] },
      },
      errors: ['rate_limited'],
    },
  },
} as const satisfies { [P in Path]: { [M in keyof (typeof ROUTES)[P]]: Operation } };
