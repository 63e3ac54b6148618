/**
 * Anthropic's errors whose code, type or text says more than their status. SDK: the codes (`error.details.error_code`) and types
 * (`error.type`) that resources/shared.d.ts of `@anthropic-ai/sdk` 1.12 lists. Other sources are beside the rows.
 */
import type { ErrorRow } from '../call/verdict.ts';

export const ANTHROPIC_ERRORS: readonly ErrorRow[] = [
  // One request that the account's plan does not cover, as a 429: https://github.com/anthropics/claude-code/issues/29584
  { text: /^Extra usage is required\b/i, verdict: 'request_refused' },

  // Without credit, or over a limit of spending.
  { code: 'contract_spend_limit_reached', verdict: 'quota_exhausted' }, // SDK
  { code: 'enforced_spend_limit_reached', verdict: 'quota_exhausted' }, // SDK
  { code: 'linked_organization_spend_limit_reached', verdict: 'quota_exhausted' }, // SDK
  { code: 'linked_organization_billing_unavailable', verdict: 'quota_exhausted' }, // SDK
  { type: 'billing_error', verdict: 'quota_exhausted' }, // SDK
  // As a plain 400 or 403: https://github.com/anthropics/claude-quickstarts/issues/229
  { text: /\bcredit balance is too low\b/i, verdict: 'quota_exhausted' },
  // As a plain 400: https://github.com/anthropics/claude-code/issues/2127
  { text: /\breached your specified (?:\w+ )?API usage limits\b/i, verdict: 'quota_exhausted' },

  // The place that the call comes from: https://github.com/enricoros/big-AGI/issues/485
  { type: 'forbidden', text: /^Request not allowed\b/i, verdict: 'network_refused' },
  { code: 'sandbox_egress_restricted', verdict: 'network_refused' }, // SDK

  // The key or its organization, also as a 400.
  { code: 'organization_on_hold', verdict: 'credential_refused' }, // SDK
  { code: 'organization_type_not_supported', verdict: 'credential_refused' }, // SDK
  { code: 'parent_organization_required', verdict: 'credential_refused' }, // SDK
  { code: 'claude_code_key_creator_not_member', verdict: 'credential_refused' }, // SDK
  { code: 'cmek_key_disabled', verdict: 'credential_refused' }, // SDK
  { code: 'cmek_key_network_blocked', verdict: 'credential_refused' }, // SDK
  // https://github.com/anthropics/claude-code/issues/54311
  { text: /\borganization has been disabled\b/i, verdict: 'credential_refused' },
  { type: 'authentication_error', verdict: 'credential_refused' }, // SDK

  // A model that the account has not, as a 403: https://platform.claude.com/docs/en/api/errors
  { type: 'permission_error', text: /\bmodel\b/i, verdict: 'request_refused' },
  { type: 'permission_error', verdict: 'credential_refused' }, // SDK
  { type: 'not_found_error', verdict: 'request_refused' }, // SDK

  { code: 'ramp_limit_exceeded', verdict: 'rate_limited' }, // SDK
  { type: 'rate_limit_error', verdict: 'rate_limited' }, // SDK
  // Of its own load, though the number says that of a limit.
  { status: 429, type: 'overloaded_error', verdict: 'overloaded' },
  { type: 'overloaded_error', verdict: 'unavailable' }, // SDK
  { type: 'api_error', verdict: 'unavailable' }, // SDK
  { type: 'timeout_error', verdict: 'unavailable' }, // SDK
];

/** The status that an error has of which no row knows the type, for one that comes without: https://platform.claude.com/docs/en/api/errors */
export const ANTHROPIC_STATUSES: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['request_too_large', 413],
]);
