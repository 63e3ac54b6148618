/** OpenAI's errors whose code, type or text says more than their status. Sources are beside the rows; GUIDE is its own list. */
import type { ErrorRow } from '../call/verdict.ts';

// GUIDE: https://developers.openai.com/api/docs/guides/error-codes
export const OPENAI_ERRORS: readonly ErrorRow[] = [
  // One request that is larger than a whole minute's tokens, as a 429: https://github.com/Aider-AI/aider/issues/1880
  { text: /^Request too large\b/i, verdict: 'request_refused' },

  // Without credit, or over a limit of spending, often as a 429.
  { code: 'insufficient_quota', verdict: 'quota_exhausted' }, // GUIDE
  { type: 'insufficient_quota', verdict: 'quota_exhausted' }, // GUIDE
  { code: 'credit_balance_exhausted', verdict: 'quota_exhausted' }, // GUIDE
  { code: 'project_spend_limit_exceeded', verdict: 'quota_exhausted' }, // GUIDE
  { code: 'organization_spend_limit_exceeded', verdict: 'quota_exhausted' }, // GUIDE
  { code: 'organization_usage_limit_exceeded', verdict: 'quota_exhausted' }, // GUIDE
  // https://github.com/dfinke/PowerShellAI/issues/127
  { code: 'billing_hard_limit_reached', verdict: 'quota_exhausted' },
  { text: /^Billing hard limit\b/i, verdict: 'quota_exhausted' },
  // https://github.com/BerriAI/litellm/issues/2743
  { code: 'billing_not_active', verdict: 'quota_exhausted' },
  { type: 'billing_not_active', verdict: 'quota_exhausted' },

  // The place that the call comes from.
  { code: 'unsupported_country_region_territory', verdict: 'network_refused' }, // GUIDE
  { text: /^Country, region, or territory not supported\b/i, verdict: 'network_refused' }, // GUIDE
  { code: 'ip_not_authorized', verdict: 'network_refused' }, // GUIDE
  { text: /\bIP (?:address )?(?:is )?not authorized\b/i, verdict: 'network_refused' }, // GUIDE

  // A model that the account has not, as a 403 or a 404: https://github.com/Aider-AI/aider/issues/2186
  { code: 'model_not_found', verdict: 'request_refused' },
  // https://github.com/getcursor/cursor/issues/2953
  { text: /\bdoes not have access to (?:the )?model\b/i, verdict: 'request_refused' },
  // https://github.com/openai/openai-go/issues/565
  { text: /\borganization must be verified\b/i, verdict: 'request_refused' },

  // The key or its account.
  { code: 'invalid_api_key', verdict: 'credential_refused' }, // GUIDE
  // https://github.com/nat/openplayground/issues/143
  { code: 'account_deactivated', verdict: 'credential_refused' },
  // For good, as a 429: https://github.com/ztjhz/BetterChatGPT/issues/105
  { code: 'access_terminated', verdict: 'credential_refused' },
  { type: 'access_terminated', verdict: 'credential_refused' },
  // Whatever code they come with: https://github.com/aandrew-me/tgpt/issues/171
  {
    text: /\b(?:access|account|organization|project|API key)\b(?: \S+){0,6} (?:is|was|been) (?:archived|banned|deactivated|disabled|suspended|terminated)\b/i,
    verdict: 'credential_refused',
  },

  // Of its own load, though the number says that of a limit: https://github.com/AineeJames/ChatGPTerminator/issues/3
  { status: 429, type: 'server_error', verdict: 'overloaded' },
  { status: 429, text: /\bis currently overloaded\b/i, verdict: 'overloaded' },
  { code: 'rate_limit_exceeded', verdict: 'rate_limited' }, // GUIDE
];

/** The status that an error of a type has, for one that comes without. */
export const OPENAI_STATUSES: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400], // GUIDE
  ['authentication_error', 401], // GUIDE
  ['permission_error', 403], // GUIDE
  ['not_found_error', 404], // GUIDE
  ['rate_limit_error', 429], // GUIDE
  // https://github.com/BuilderIO/micro-agent/issues/86
  ['tokens', 429],
  // https://github.com/aandrew-me/tgpt/issues/171
  ['requests', 429],
]);
