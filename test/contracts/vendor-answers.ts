/** Errors as the providers really send them, each with where that can be read, and whom they blame. */
import type { Provider } from '../../providers/catalogue.ts';

export type Blamed =
  | 'the key or its account'
  | 'the account’s money'
  | 'the request'
  | 'the gateway’s network'
  | 'the platform’s credentials, for now'
  | 'the provider, for now'
  | 'the provider, late'
  | 'the account’s rate'
  | 'the provider’s load';

export type VendorAnswer = {
  provider: Provider;
  status: number;
  headers?: Record<string, string>;
  body: unknown;
  blamed: Blamed;
  source: string;
};

const OPENAI_GUIDE = 'https://developers.openai.com/api/docs/guides/error-codes';
const ANTHROPIC_GUIDE = 'https://platform.claude.com/docs/en/api/errors';
const ANTHROPIC_SDK = '@anthropic-ai/sdk 1.12, resources/shared.d.ts';
const CONVERSE = 'https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html';
const AWS_COMMON = 'https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html';
const AWS_SKEW = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html';

type Row = [
  status: number,
  said: string,
  message: string,
  blamed: Blamed,
  source: string,
  headers?: Record<string, string>,
];

const openai = ([status, said, message, blamed, source, headers = {}]: Row): VendorAnswer => {
  const [type = '', code = null] = said.split(' ');
  return { provider: 'openai', status, headers, body: { error: { message, type, param: null, code } }, blamed, source };
};

const anthropic = ([status, said, message, blamed, source, headers = {}]: Row): VendorAnswer => {
  const [type = '', error_code = null] = said.split(' ');
  const details = error_code === null ? null : { error_code };
  const body = { type: 'error', error: { type, message, details }, request_id: 'req_1' };
  return { provider: 'anthropic', status, headers, body, blamed, source };
};

const bedrock = ([status, name, message, blamed, source, headers = {}]: Row): VendorAnswer => ({
  provider: 'bedrock',
  status,
  headers: { 'x-amzn-errortype': `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`, ...headers },
  body: { message },
  blamed,
  source,
});

const OPENAI: Row[] = [
  [401, 'invalid_request_error invalid_api_key', 'Incorrect API key provided.', 'the key or its account', OPENAI_GUIDE],
  [
    401,
    'invalid_request_error',
    'You must be a member of an organization to use the API.',
    'the key or its account',
    OPENAI_GUIDE,
  ],
  [
    401,
    'invalid_request_error ip_not_authorized',
    'Your request IP does not match the configured allowlist.',
    'the gateway’s network',
    OPENAI_GUIDE,
  ],
  [401, 'invalid_request_error', 'IP not authorized', 'the gateway’s network', OPENAI_GUIDE],
  [
    401,
    'invalid_request_error account_deactivated',
    'The OpenAI account associated with this API key has been deactivated.',
    'the key or its account',
    'https://github.com/nat/openplayground/issues/143',
  ],
  [
    429,
    'requests',
    'Your OpenAI account has been deactivated, please check your email.',
    'the key or its account',
    'https://github.com/aandrew-me/tgpt/issues/171',
  ],
  [
    429,
    'access_terminated',
    'Your access was terminated due to violation of our policies, please check your email for more information.',
    'the key or its account',
    'https://github.com/ztjhz/BetterChatGPT/issues/105',
  ],
  [
    429,
    'access_terminated access_terminated',
    'Your access was terminated due to violation of our policies, please check your email for more information.',
    'the key or its account',
    'https://github.com/binary-husky/gpt_academic/issues/985',
  ],
  [
    401,
    'invalid_request_error no_organization',
    'You must be a member of an organization to use the API. Please contact us through our help center.',
    'the key or its account',
    'https://github.com/OpenHands/OpenHands/issues/2562',
  ],
  [
    401,
    'invalid_request_error mismatched_organization',
    'OpenAI-Organization header should match organization for API key',
    'the key or its account',
    'https://github.com/openai/codex/issues/1000',
  ],
  [
    403,
    'invalid_request_error',
    'You have insufficient permissions for this operation. Missing scopes: model.request.',
    'the key or its account',
    OPENAI_GUIDE,
  ],
  [
    403,
    'request_forbidden unsupported_country_region_territory',
    'Country, region, or territory not supported',
    'the gateway’s network',
    'https://github.com/songquanpeng/one-api/issues/1692',
  ],
  [
    403,
    'invalid_request_error model_not_found',
    'Project `proj_1` does not have access to model `gpt-4o`.',
    'the request',
    'https://github.com/getcursor/cursor/issues/2953',
  ],
  [
    404,
    'invalid_request_error model_not_found',
    'The model `gpt-9` does not exist or you do not have access to it.',
    'the request',
    'https://github.com/Aider-AI/aider/issues/2186',
  ],
  [
    403,
    'invalid_request_error',
    'Your organization must be verified to use the model `gpt-5`.',
    'the request',
    'https://github.com/openai/openai-go/issues/565',
  ],
  [
    400,
    'invalid_request_error context_length_exceeded',
    'This model’s maximum context length is 128000 tokens.',
    'the request',
    OPENAI_GUIDE,
  ],
  [
    400,
    'invalid_request_error billing_hard_limit_reached',
    'Billing hard limit has been reached',
    'the account’s money',
    'https://github.com/dfinke/PowerShellAI/issues/127',
  ],
  [
    400,
    'invalid_request_error',
    'Billing hard limit has been reached',
    'the account’s money',
    'https://github.com/Decryptu/DecryptGPT/issues/1',
  ],
  [
    429,
    'insufficient_quota insufficient_quota',
    'You exceeded your current quota, please check your plan and billing details.',
    'the account’s money',
    'https://github.com/Pythagora-io/gpt-pilot/issues/340',
  ],
  [
    429,
    'billing_not_active',
    'Your account is not active, please check your billing details on our website.',
    'the account’s money',
    'https://github.com/binary-husky/gpt_academic/issues/681',
  ],
  [
    429,
    'insufficient_quota credit_balance_exhausted',
    'Your credit balance is exhausted.',
    'the account’s money',
    OPENAI_GUIDE,
  ],
  [
    429,
    'rate_limit_error project_spend_limit_exceeded',
    'The project has reached its spend limit.',
    'the account’s money',
    OPENAI_GUIDE,
  ],
  [
    429,
    'rate_limit_error organization_spend_limit_exceeded',
    'The organization has reached its spend limit.',
    'the account’s money',
    OPENAI_GUIDE,
  ],
  [
    429,
    'tokens rate_limit_exceeded',
    'Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29937, Requested 385.',
    'the account’s rate',
    'https://github.com/BuilderIO/micro-agent/issues/86',
  ],
  [
    429,
    'tokens rate_limit_exceeded',
    'Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 36278.',
    'the request',
    'https://github.com/Aider-AI/aider/issues/1880',
  ],
  [
    429,
    'requests rate_limit_exceeded',
    'This request can never be served.',
    'the request',
    'https://github.com/anthropics/claude-code/issues/29584',
    { 'x-should-retry': 'false' },
  ],
  [
    500,
    'server_error',
    'The server had an error while processing your request.',
    'the provider, for now',
    OPENAI_GUIDE,
  ],
  [
    503,
    'server_error',
    'The engine is currently overloaded, please try again later.',
    'the provider, for now',
    OPENAI_GUIDE,
  ],
  [
    429,
    'server_error',
    'That model is currently overloaded with other requests.',
    'the provider’s load',
    'https://github.com/AineeJames/ChatGPTerminator/issues/3',
  ],
  [429, 'requests', 'The engine is currently overloaded, please try again later.', 'the provider’s load', OPENAI_GUIDE],
  [503, 'server_error', 'Slow Down', 'the provider’s load', OPENAI_GUIDE, { 'retry-after': '20' }],
];

const ANTHROPIC: Row[] = [
  [401, 'authentication_error', 'invalid x-api-key', 'the key or its account', ANTHROPIC_GUIDE],
  [
    403,
    'permission_error',
    'Your API key does not have permission to use the specified resource.',
    'the key or its account',
    ANTHROPIC_GUIDE,
  ],
  [403, 'permission_error', 'Your organization does not have access to this model.', 'the request', ANTHROPIC_GUIDE],
  [404, 'not_found_error', 'model: claude-9', 'the request', ANTHROPIC_GUIDE],
  [
    400,
    'invalid_request_error',
    'messages: final assistant content cannot end with trailing whitespace',
    'the request',
    'https://github.com/tailcallhq/forgecode/issues/1872',
  ],
  [
    400,
    'invalid_request_error',
    'This organization has been disabled.',
    'the key or its account',
    'https://github.com/anthropics/claude-code/issues/54311',
  ],
  [
    400,
    'invalid_request_error organization_on_hold',
    'This organization is on hold.',
    'the key or its account',
    ANTHROPIC_SDK,
  ],
  [
    400,
    'invalid_request_error claude_code_key_creator_not_member',
    'The key’s creator has left.',
    'the key or its account',
    ANTHROPIC_SDK,
  ],
  [
    400,
    'invalid_request_error cmek_key_disabled',
    'The encryption key is disabled.',
    'the key or its account',
    ANTHROPIC_SDK,
  ],
  [
    400,
    'invalid_request_error',
    'Your credit balance is too low to access the Anthropic API.',
    'the account’s money',
    'https://github.com/anthropics/claude-quickstarts/issues/229',
  ],
  [
    400,
    'invalid_request_error',
    'You have reached your specified API usage limits. You will regain access on 2025-07-01 at 00:00 UTC.',
    'the account’s money',
    'https://github.com/anthropics/claude-code/issues/2127',
  ],
  [402, 'billing_error', 'Payment required.', 'the account’s money', ANTHROPIC_GUIDE],
  [
    429,
    'rate_limit_error enforced_spend_limit_reached',
    'The organization has crossed its monthly threshold.',
    'the account’s money',
    ANTHROPIC_SDK,
  ],
  [
    402,
    'billing_error linked_organization_billing_unavailable',
    'The linked organization cannot be billed.',
    'the account’s money',
    ANTHROPIC_SDK,
  ],
  [
    429,
    'rate_limit_error',
    'Extra usage is required for long context requests.',
    'the request',
    'https://github.com/anthropics/claude-code/issues/29584',
    { 'x-should-retry': 'false' },
  ],
  [
    429,
    'rate_limit_error',
    'Extra usage is required for long context requests.',
    'the request',
    'https://github.com/anthropics/claude-code/issues/33514',
  ],
  [
    429,
    'rate_limit_error',
    'This request would exceed your organization’s rate limit.',
    'the account’s rate',
    ANTHROPIC_GUIDE,
  ],
  [
    429,
    'rate_limit_error ramp_limit_exceeded',
    'The request would exceed a ramp limit.',
    'the account’s rate',
    ANTHROPIC_SDK,
    { 'retry-after': '9' },
  ],
  [
    403,
    'permission_error sandbox_egress_restricted',
    'This sandbox may not make the request.',
    'the gateway’s network',
    ANTHROPIC_SDK,
  ],
  [413, 'request_too_large', 'Request exceeds the maximum size.', 'the request', ANTHROPIC_GUIDE],
  [
    499,
    'invalid_request_error',
    'Client closed the request.',
    'the provider, for now',
    '@anthropic-ai/sdk 1.12, core/error.d.ts',
  ],
  [500, 'api_error', 'Internal server error', 'the provider, for now', ANTHROPIC_GUIDE],
  [
    503,
    'api_error cmek_key_unreachable',
    'The encryption key could not be reached.',
    'the provider, for now',
    ANTHROPIC_SDK,
  ],
  [529, 'overloaded_error', 'Overloaded', 'the provider, for now', ANTHROPIC_GUIDE],
  // As a 429 it asks to be left alone for a while, whether or not it says for how long.
  [
    429,
    'overloaded_error',
    'Overloaded',
    'the provider’s load',
    'https://github.com/anthropics/claude-code/issues/45064',
  ],
  [
    529,
    'overloaded_error',
    'Overloaded',
    'the provider’s load',
    'https://github.com/Helicone/helicone/issues/5672',
    { 'retry-after': '20' },
  ],
];

const BEDROCK: Row[] = [
  [
    403,
    'AccessDeniedException',
    'User is not authorized to perform: bedrock:InvokeModel',
    'the key or its account',
    CONVERSE,
  ],
  [
    403,
    'AccessDeniedException',
    "You don't have access to the model with the specified model ID.",
    'the request',
    'https://repost.aws/knowledge-center/bedrock-invokemodel-api-error',
  ],
  [
    403,
    'AccessDeniedException',
    'Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided.',
    'the account’s money',
    'https://github.com/Tracer-Cloud/opensre/pull/1811',
  ],
  [
    403,
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
    'the platform’s credentials, for now',
    AWS_COMMON,
  ],
  [
    400,
    'ValidationException',
    'Operation not allowed',
    'the key or its account',
    'https://github.com/aws/aws-cli/issues/8717',
  ],
  [400, 'ValidationException', 'The provided model identifier is invalid.', 'the request', CONVERSE],
  [
    400,
    'ValidationException',
    'Access to Anthropic models is not allowed from unsupported countries, regions, or territories.',
    'the gateway’s network',
    'https://github.com/anthropics/claude-code/issues/2656',
  ],
  [404, 'ResourceNotFoundException', 'This model version has reached the end of its life.', 'the request', CONVERSE],
  [
    400,
    'ServiceQuotaExceededException',
    'Your request exceeds the service quota for your account.',
    'the account’s money',
    CONVERSE,
  ],
  [429, 'ThrottlingException', 'Too many tokens, please wait before trying again.', 'the account’s rate', CONVERSE],
  [
    403,
    'InvalidSignatureException',
    'Signature expired: 20261128T044941Z is now earlier than 20261128T045000Z',
    'the platform’s credentials, for now',
    'https://github.com/aws/aws-sdk-js-v3/issues/7605',
  ],
  [
    403,
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    'the platform’s credentials, for now',
    AWS_SKEW,
  ],
  [
    400,
    'RequestExpired',
    'The request reached the service too late.',
    'the platform’s credentials, for now',
    AWS_COMMON,
  ],
  [
    403,
    'ExpiredTokenException',
    'The security token included in the request is expired',
    'the platform’s credentials, for now',
    AWS_COMMON,
  ],
  [
    424,
    'ModelErrorException',
    'The request failed due to an error while processing the model.',
    'the provider, for now',
    CONVERSE,
  ],
  [429, 'ModelNotReadyException', 'The model is not ready for inference.', 'the provider, for now', CONVERSE],
  [408, 'ModelTimeoutException', 'The model took too long.', 'the provider, late', CONVERSE],
  [500, 'InternalServerException', 'An internal server error occurred.', 'the provider, for now', CONVERSE],
  [503, 'ServiceUnavailableException', 'The service isn’t currently available.', 'the provider, for now', CONVERSE],
  [
    503,
    'ServiceUnavailableException',
    'Too many connections, please wait before trying again.',
    'the provider’s load',
    'https://github.com/Helicone/helicone/issues/5672',
    { 'retry-after': '20' },
  ],
];

/** Answered in front of Anthropic's API, in a form of its own. */
const EDGE: VendorAnswer = {
  provider: 'anthropic',
  status: 403,
  body: { error: { type: 'forbidden', message: 'Request not allowed' } },
  blamed: 'the gateway’s network',
  source: 'https://github.com/enricoros/big-AGI/issues/485',
};

const google = (code: number, status: string, message: string, reason?: string) => ({
  error: { code, message, status, ...(reason && { details: [{ '@type': 'google.rpc.ErrorInfo', reason }] }) },
});
const groq = (message: string, type: string, code: string) => ({ error: { message, type, code } });
const mistral = (message: unknown, type: string, code: string | null = null) => ({
  object: 'error',
  message,
  type,
  param: null,
  code,
});

const COMPATIBLE: VendorAnswer[] = [
  {
    provider: 'gemini',
    status: 400,
    body: google(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', 'API_KEY_INVALID'),
    blamed: 'the key or its account',
    source: 'https://github.com/cequence-io/openai-scala-client/issues/109',
  },
  {
    provider: 'gemini',
    status: 400,
    body: [google(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.')],
    blamed: 'the gateway’s network',
    source: 'https://github.com/FoundationAgents/OpenManus/issues/803',
  },
  {
    provider: 'gemini',
    status: 429,
    body: [google(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).')],
    blamed: 'the account’s rate',
    source: 'https://github.com/n4ze3m/page-assist/issues/406',
  },
  {
    provider: 'gemini',
    status: 429,
    body: [google(429, 'RESOURCE_EXHAUSTED', 'Your prepayment credits are depleted.')],
    blamed: 'the account’s money',
    source: 'https://github.com/JeffOtano/roni/pull/125',
  },
  {
    provider: 'mistral',
    status: 401,
    body: { detail: 'Unauthorized' },
    blamed: 'the key or its account',
    source: 'https://github.com/nextcloud/integration_openai/issues/332',
  },
  {
    provider: 'mistral',
    status: 401,
    body: { message: 'Unauthorized', request_id: '933f233947ff6d346065bb297e4a4d56' },
    blamed: 'the key or its account',
    source: 'https://github.com/coolcline/CoolCline/issues/36',
  },
  {
    provider: 'mistral',
    status: 429,
    body: { ...mistral('Rate limit exceeded', 'rate_limited', '1300'), raw_status_code: 429 },
    blamed: 'the account’s rate',
    source: 'https://github.com/raycast/extensions/issues/31107',
  },
  {
    provider: 'mistral',
    status: 429,
    body: mistral('Service tier capacity exceeded for this model.', 'invalid_request_error'),
    blamed: 'the provider’s load',
    source: 'https://github.com/continuedev/continue/issues/6185',
  },
  {
    provider: 'mistral',
    status: 400,
    body: mistral(
      'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant',
      'invalid_request_error',
    ),
    blamed: 'the request',
    source: 'https://github.com/huggingface/smolagents/issues/757',
  },
  {
    provider: 'groq',
    status: 401,
    body: groq('Invalid API Key', 'invalid_request_error', 'invalid_api_key'),
    blamed: 'the key or its account',
    source: 'https://github.com/ag5826000/resume-commentor/issues/4',
  },
  {
    provider: 'groq',
    status: 413,
    body: groq('Request too large for model `llama-3.1-8b-instant`: Limit 6000.', 'tokens', 'rate_limit_exceeded'),
    blamed: 'the request',
    source: 'https://github.com/HunorLaczko/ha-groq-cloud-api/issues/27',
  },
  {
    provider: 'groq',
    status: 400,
    body: groq('API access is blocked.', 'invalid_request_error', 'blocked_api_access'),
    blamed: 'the account’s money',
    source: 'https://console.groq.com/docs/spend-limits',
  },
  {
    provider: 'groq',
    status: 498,
    body: groq('Flex capacity is exceeded.', 'invalid_request_error', 'capacity_exceeded'),
    blamed: 'the provider’s load',
    source: 'https://console.groq.com/docs/flex-processing',
  },
];

export const VENDOR_ANSWERS = [
  ...OPENAI.map(openai),
  ...ANTHROPIC.map(anthropic),
  ...BEDROCK.map(bedrock),
  EDGE,
  ...COMPATIBLE,
];
