import type { UserManifest } from '../manifest.ts';

const INSTEAD = 'create an API key in the Anthropic Console, under API keys';
const OAUTH = `is an Anthropic OAuth token, which belongs to one login; ${INSTEAD}`;

export const ANTHROPIC = {
  account: 'user',
  label: 'Anthropic',
  baseUrl: 'https://api.anthropic.com',
  priceList: 'anthropic',
  model: 'claude-sonnet-4-5',
  // https://platform.claude.com/docs/en/api/messages, and the types of `@anthropic-ai/sdk` 1.12, resources/messages.
  takes: {
    temperature: [0, 1],
    lastMessage: 'any',
    top_k: true,
    seed: false,
    n: false,
    logprobs: false,
    logit_bias: false,
    frequency_penalty: false,
    presence_penalty: false,
    prediction: false,
    verbosity: false,
    user: /^/,
    service_tier: ['auto', 'default'],
    response_format: ['json_schema'],
    schema_description: false,
    reasoning_effort: ['none', 'low', 'medium', 'high', 'xhigh', 'max'],
    reasoning_budget: true,
    reasoning_details: true,
    image: ['data', 'https'],
    image_detail: false,
    file: ['application/pdf', 'text/plain'],
    tool_choice: ['none', 'auto', 'required', 'named'],
    tool_strict: true,
    sequential_tool_calls: true,
    // https://github.com/anthropics/anthropic-sdk-python/issues/494
    calls_without_tools: false,
    arguments: 'parsed',
    call_signature: false,
    tool_error: true,
    tool_media: true,
    cache_control: ['parts', 'tools', 'ttl'],
  },
  // https://platform.claude.com/docs/en/build-with-claude/vision
  imageTokens: [{ models: /^/, cap: 5_000, size: { pixelsAToken: 750, edge: 28 } }],
  certainKeys: ['sk-ant-[A-Za-z0-9_-]{16}'],
  keys: {
    form: { begins: ['sk-ant-'] },
    sample: 'sk-ant-user-anthropic-key',
    samplesBegin: 'sk-ant-user-',
    refused: [
      { begins: 'sk-ant-admin', because: `is an Anthropic admin key, which cannot call models; ${INSTEAD}` },
      { begins: 'sk-ant-oat', because: OAUTH },
      { begins: 'sk-ant-ort', because: OAUTH },
      { begins: 'sk-ant-sid', because: `is the token of a login to Anthropic; ${INSTEAD}` },
    ],
  },
  formats: { 'anthropic.messages': { limit: 'max_tokens' }, 'anthropic.count_tokens': { limit: null } },
  links: {
    keys: 'https://console.anthropic.com/settings/keys',
    api: 'https://platform.claude.com/docs/en/api/messages',
  },
} as const satisfies UserManifest;
