/** Vendors that speak OpenAI's Chat Completions, with what each does in its own way. A vendor is a row. */
import type { StreamedUsage, UserManifest } from '../manifest.ts';
import type { ServiceTier } from '../takes.ts';

export type VendorManifest = UserManifest & {
  formats: {
    'openai.chat': { limit: 'max_tokens' | 'max_completion_tokens' };
    'openai.embeddings'?: { limit: null };
  };
  /** Its name for the seed. */
  seed: 'seed' | 'random_seed';
  /** Its own names of tiers. */
  serviceTiers: Partial<Record<ServiceTier, string>>;
  /** How its errors look: OpenAI's, Google's `google.rpc.Status`, or Mistral's. */
  errors: 'openai' | 'google' | 'mistral';
  /** The `service_tier` of answers at the prices of its list; all others have no price. */
  listedTiers: readonly string[];
  /** Whether the last chunk of a stream tells what was used unasked, or `stream_options.include_usage` must ask for it. */
  streamedUsage: StreamedUsage;
};

export const VENDORS = {
  gemini: {
    account: 'user',
    label: 'Google Gemini',
    // https://ai.google.dev/gemini-api/docs/openai
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    priceList: 'google',
    model: 'gemini-2.5-flash',
    // https://ai.google.dev/gemini-api/docs/openai; of other fields it says “Unknown name”, each where it is beside the row.
    takes: {
      temperature: [0, 2], // https://ai.google.dev/api/generate-content#generationconfig
      lastMessage: 'any',
      top_k: false, // https://github.com/MinLL/SkyrimNet-GamePlugin/issues/77
      seed: false, // https://github.com/Vali-98/ChatterUI/issues/227
      n: false,
      logprobs: false,
      logit_bias: false,
      frequency_penalty: false, // https://github.com/Vali-98/ChatterUI/issues/227
      presence_penalty: false,
      prediction: false,
      verbosity: false,
      user: null,
      service_tier: [],
      response_format: ['json_object', 'json_schema'],
      schema_description: false,
      reasoning_effort: ['none', 'minimal', 'low', 'medium', 'high'],
      reasoning_budget: false,
      reasoning_details: false,
      image: ['data'],
      image_detail: false,
      file: [],
      tool_choice: ['auto'],
      tool_strict: false,
      sequential_tool_calls: false, // https://github.com/TheAgenticAI/TheAgenticBrowser/issues/4
      calls_without_tools: false,
      arguments: 'text',
      call_signature: true, // https://ai.google.dev/gemini-api/docs/thought-signatures
      tool_error: false,
      tool_media: false,
      cache_control: [],
    },
    // 258 for each tile, which may be as small as 256 pixels: https://ai.google.dev/gemini-api/docs/tokens
    imageTokens: [{ models: /^/, cap: 50_000, size: { pixelsAToken: 254, edge: 768 } }],
    formats: {
      'openai.chat': { limit: 'max_tokens' }, // https://ai.google.dev/api/compatibility
      'openai.embeddings': { limit: null }, // https://ai.google.dev/gemini-api/docs/openai#embeddings
    },
    seed: 'seed',
    serviceTiers: {},
    // A list with one error in it: https://github.com/n4ze3m/page-assist/issues/406
    errors: 'google',
    listedTiers: ['standard', 'default'],
    // https://discuss.ai.google.dev/t/gemini-openai-compatibility-does-it-support-the-stream-options-parameter/92785
    streamedUsage: 'always',
    // Google refuses the older keys, which begin with AIza, since September 2026, and may not yet do so for all:
    // https://ai.google.dev/gemini-api/docs/api-key, https://github.com/gethouston/houston/pull/1333
    keys: {
      form: { begins: ['AQ.', 'AIza'] },
      sample: 'AQ.user-gemini-key',
      samplesBegin: 'AQ.user-',
      refused: [],
    },
    certainKeys: ['AIza[A-Za-z0-9_-]{35}', 'AQ\\.[A-Za-z0-9_-]{40}'],
    links: { keys: 'https://aistudio.google.com/apikey', api: 'https://ai.google.dev/gemini-api/docs/openai' },
  },
  mistral: {
    account: 'user',
    label: 'Mistral',
    baseUrl: 'https://api.mistral.ai/v1', // https://docs.mistral.ai/api
    priceList: 'mistral',
    model: 'mistral-small-latest',
    // https://docs.mistral.ai/api and its types in github.com/mistralai/client-python, src/mistralai/client/models/chatcompletionrequest.py.
    takes: {
      temperature: [0, 1.5], // https://github.com/scottyeager/Pal/issues/28
      lastMessage: 'user', // https://github.com/huggingface/smolagents/issues/757
      top_k: false,
      seed: true,
      n: true,
      logprobs: false,
      logit_bias: false,
      frequency_penalty: true,
      presence_penalty: true,
      prediction: true,
      verbosity: false,
      user: null,
      service_tier: [],
      response_format: ['json_object', 'json_schema'],
      schema_description: true,
      reasoning_effort: ['none', 'high'], // https://docs.mistral.ai/capabilities/reasoning/
      reasoning_budget: false,
      reasoning_details: false,
      image: ['data', 'https'],
      image_detail: true,
      file: [],
      tool_choice: ['none', 'auto', 'required', 'named'],
      tool_strict: true,
      sequential_tool_calls: true,
      calls_without_tools: false,
      arguments: 'text',
      call_signature: false,
      tool_error: false,
      tool_media: false,
      cache_control: [],
    },
    imageTokens: [{ models: /^/, cap: 5_000, size: null }], // https://docs.mistral.ai/capabilities/vision/
    formats: {
      // The other is refused: https://github.com/editor-code-assistant/eca/issues/231
      'openai.chat': { limit: 'max_tokens' },
      'openai.embeddings': { limit: null }, // https://docs.mistral.ai/api/endpoint/embeddings
    },
    seed: 'random_seed', // https://docs.mistral.ai/api
    serviceTiers: {},
    errors: 'mistral', // https://github.com/raycast/extensions/issues/31107
    listedTiers: [],
    // It refuses the question: https://github.com/avante-corp/avante.nvim/issues/2347, https://github.com/TabbyML/tabby/pull/4082
    streamedUsage: 'always',
    // https://pypi.org/project/detect-llm-api-keys (api_key_regexes.py)
    keys: {
      form: { begins: [], whole: /^[A-Za-z0-9]{32}$/, inWords: '32 letters and digits' },
      sample: 'usermistralsamplekey000000000000',
      samplesBegin: 'usermistralsamplekey',
      refused: [],
    },
    certainKeys: [],
    links: { keys: 'https://console.mistral.ai/api-keys', api: 'https://docs.mistral.ai/api' },
  },
  groq: {
    account: 'user',
    label: 'Groq',
    baseUrl: 'https://api.groq.com/openai/v1', // https://console.groq.com/docs/openai
    priceList: 'groq',
    model: 'llama-3.3-70b-versatile',
    // https://console.groq.com/docs/api-reference, https://console.groq.com/docs/openai (what is not supported)
    takes: {
      temperature: [0, 2],
      lastMessage: 'any',
      top_k: false,
      seed: true,
      n: false,
      logprobs: false,
      logit_bias: false,
      frequency_penalty: true,
      presence_penalty: true,
      prediction: false,
      verbosity: false,
      user: /^/,
      service_tier: ['auto', 'default', 'flex'], // https://console.groq.com/docs/service-tiers
      response_format: ['json_object', 'json_schema'],
      schema_description: true,
      reasoning_effort: ['none', 'low', 'medium', 'high'], // https://console.groq.com/docs/reasoning
      reasoning_budget: false,
      reasoning_details: false,
      image: ['data', 'https'], // https://console.groq.com/docs/vision
      image_detail: true,
      file: [],
      tool_choice: ['none', 'auto', 'required', 'named'],
      tool_strict: false,
      sequential_tool_calls: true,
      calls_without_tools: false,
      arguments: 'text',
      call_signature: false,
      tool_error: false,
      tool_media: false,
      cache_control: [],
    },
    imageTokens: [{ models: /^/, cap: 5_000, size: null }], // https://console.groq.com/docs/vision
    // https://console.groq.com/docs/api-reference; no embeddings: https://github.com/crewAIInc/crewAI/issues/522
    formats: { 'openai.chat': { limit: 'max_completion_tokens' } },
    seed: 'seed',
    serviceTiers: { default: 'on_demand' }, // https://console.groq.com/docs/service-tiers
    errors: 'openai', // https://console.groq.com/docs/errors
    // Flex costs the same: https://console.groq.com/docs/flex-processing
    listedTiers: ['on_demand', 'flex'],
    // https://github.com/withceleste/celeste-python/pull/351, https://github.com/Portkey-AI/gateway/issues/1338
    streamedUsage: 'if_asked',
    // https://github.com/jam06452/openradar/blob/main/internal/scanner/detectors/groq.go
    keys: {
      form: { begins: ['gsk_'] },
      sample: 'gsk_user_groq_key',
      samplesBegin: 'gsk_user_',
      refused: [],
    },
    certainKeys: ['gsk_[A-Za-z0-9]{40}'],
    links: { keys: 'https://console.groq.com/keys', api: 'https://console.groq.com/docs/api-reference' },
  },
} as const satisfies Record<string, VendorManifest>;

export type Vendor = keyof typeof VENDORS;

export const vendorOf = (vendor: Vendor): VendorManifest => VENDORS[vendor];

// A cast because Object.keys forgets which keys an object has.
export const VENDOR_NAMES = Object.keys(VENDORS) as Vendor[];
