import { expect, test } from 'vitest';
import { JOB_ERRORS, REQUEST_ERRORS } from '../../../shared/domain/errors.ts';

/** As API.md lists them; a code that is not built yet may be missing in the code. */
const REQUESTS: Record<string, [status: number, type: string]> = {
  invalid_json: [400, 'invalid_request_error'],
  invalid_body: [400, 'invalid_request_error'],
  invalid_query: [400, 'invalid_request_error'],
  invalid_header: [400, 'invalid_request_error'],
  invalid_path: [400, 'invalid_request_error'],
  user_provider_required: [400, 'invalid_request_error'],
  user_provider_unknown: [400, 'invalid_request_error'],
  user_key_required: [400, 'invalid_request_error'],
  user_key_malformed: [400, 'invalid_request_error'],
  https_required: [400, 'invalid_request_error'],
  webhook_url_refused: [400, 'invalid_request_error'],
  unsupported_by_provider: [400, 'invalid_request_error'],
  user_provider_mismatch: [400, 'invalid_request_error'],
  unknown_previous_response: [400, 'invalid_request_error'],
  budget_unbounded: [400, 'invalid_request_error'],
  model_unpriced: [400, 'invalid_request_error'],
  missing_api_key: [401, 'authentication_error'],
  invalid_api_key: [401, 'authentication_error'],
  budget_exceeded: [402, 'budget_error'],
  scope_missing: [403, 'permission_error'],
  tenant_disabled: [403, 'permission_error'],
  model_not_allowed: [403, 'permission_error'],
  not_found: [404, 'not_found_error'],
  method_not_allowed: [405, 'invalid_request_error'],
  request_timeout: [408, 'invalid_request_error'],
  idempotency_in_progress: [409, 'conflict_error'],
  conflict: [409, 'conflict_error'],
  result_expired: [410, 'not_found_error'],
  body_too_large: [413, 'invalid_request_error'],
  unsupported_media_type: [415, 'invalid_request_error'],
  job_cancelled: [400, 'invalid_request_error'],
  idempotency_mismatch: [422, 'invalid_request_error'],
  rate_limited: [429, 'rate_limit_error'],
  too_many_queued: [429, 'rate_limit_error'],
  too_many_stored_bytes: [429, 'rate_limit_error'],
  headers_too_large: [431, 'invalid_request_error'],
  internal_error: [500, 'server_error'],
  still_running: [504, 'server_error'],
  queue_unavailable: [503, 'server_error'],
  overloaded: [503, 'server_error'],
  stopping: [503, 'server_error'],
  upgrade_unfinished: [503, 'server_error'],
  key_service_unavailable: [503, 'server_error'],
};

/** Whether the same job may succeed when it is submitted again. */
const JOBS: Record<string, boolean> = {
  user_key_rejected: false,
  user_key_quota_exhausted: false,
  user_key_expired: false,
  provider_rate_limited: true,
  provider_unavailable: true,
  provider_timeout: true,
  provider_rejected_request: false,
  provider_bad_response: true,
  platform_provider_error: true,
  stream_interrupted: true,
  budget_exceeded: false,
  stopped_by_operator: false,
  deadline_exceeded: true,
  internal_error: true,
};

test.each(Object.entries(REQUEST_ERRORS))('%s has the documented status and type', (code, { status, type }) => {
  expect([status, type]).toEqual(REQUESTS[code]);
});

test.each(Object.entries(JOB_ERRORS))('%s is documented, and says whether to try again', (code, { retryable }) => {
  expect(retryable).toBe(JOBS[code]);
});

test('every public message is a sentence', () => {
  for (const { message } of [...Object.values(REQUEST_ERRORS), ...Object.values(JOB_ERRORS)]) {
    expect(message).toMatch(/^[A-Z].+\.$/u);
  }
});
