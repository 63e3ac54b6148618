import type { UserManifest } from '../manifest.ts';

export const OPENAI = {
  account: 'user',
  label: 'OpenAI',
  baseUrl: 'https://api.openai.com/v1',
  priceList: 'openai',
  model: 'gpt-4o',
  // The types of `openai` 7.57, resources/chat/completions; other sources are beside the rows.
  takes: {
    temperature: [0, 2],
    lastMessage: 'any',
    top_k: false,
    seed: true,
    n: true,
    logprobs: true,
    logit_bias: true,
    frequency_penalty: true,
    presence_penalty: true,
    prediction: true,
    verbosity: true,
    user: /^/,
    service_tier: ['auto', 'default', 'flex', 'priority'],
    response_format: ['json_object', 'json_schema'],
    schema_description: true,
    reasoning_effort: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'],
    reasoning_budget: false,
    reasoning_details: false,
    image: ['data', 'https'],
    image_detail: true,
    file: ['application/pdf'], // https://developers.openai.com/api/docs/guides/file-inputs
    tool_choice: ['none', 'auto', 'required', 'named'],
    tool_strict: true,
    sequential_tool_calls: true,
    calls_without_tools: true,
    arguments: 'text',
    call_signature: false,
    tool_error: false,
    tool_media: false,
    cache_control: ['parts'], // Its times are others.
  },
  // https://developers.openai.com/api/docs/guides/images-vision: tiles of the whole image, or patches times a factor; small images
  // count a tile too. 8 tiles are the most that an image has; 10,000 patches the most that newer models take.
  imageTokens: [
    { models: /^gpt-4o-mini/, cap: 48_169, size: null },
    { models: /^(?:gpt-4o|gpt-4-turbo|gpt-4\.1(?!-)|gpt-4\.5|chatgpt-4o)/, cap: 1_445, size: null },
    { models: /^/, cap: 10_000, size: null },
  ],
  certainKeys: ['sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{16}', 'sk-[A-Za-z0-9]{40}'],
  keys: {
    form: { begins: ['sk-'] },
    sample: 'sk-user-openai-key',
    samplesBegin: 'sk-user-',
    refused: [
      {
        begins: 'sk-admin-',
        because:
          'is an OpenAI admin key, which cannot call models; create a project key at platform.openai.com/api-keys',
      },
    ],
  },
  formats: {
    'openai.chat': { limit: 'max_completion_tokens' },
    'openai.responses': { limit: 'max_output_tokens' },
    'openai.embeddings': { limit: null },
  },
  links: {
    keys: 'https://platform.openai.com/api-keys',
    api: 'https://platform.openai.com/docs/api-reference/chat/create',
  },
} as const satisfies UserManifest;
