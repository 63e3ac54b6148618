/** Vendors that speak OpenAI's Chat Completions, with what each does in its own way. A vendor is a row. */
import type { UserManifest } from '../manifest.ts';

export type VendorManifest = UserManifest & {
  formats: { 'openai.chat': { limit: 'max_tokens' | 'max_completion_tokens' } };
  /** How its errors look: OpenAI's, Google's `google.rpc.Status`, or Mistral's. */
  errors: 'openai' | 'google' | 'mistral';
  /** The `service_tier` of answers at the prices of its list; all others have no price. */
  listedTiers: readonly string[];
};

export const VENDORS = {
  gemini: {
    account: 'user',
    label: 'Google Gemini',
    // https://ai.google.dev/gemini-api/docs/openai
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    priceList: 'google',
    model: 'gemini-2.5-flash',
    // https://ai.google.dev/api/generate-content#generationconfig
    takes: { temperature: [0, 2], lastMessage: 'any' },
    // https://ai.google.dev/api/compatibility
    formats: { 'openai.chat': { limit: 'max_tokens' } },
    // A list with one error in it: https://github.com/n4ze3m/page-assist/issues/406
    errors: 'google',
    listedTiers: ['standard', 'default'],
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
    takes: {
      temperature: [0, 1.5], // https://github.com/scottyeager/Pal/issues/28
      lastMessage: 'user', // https://github.com/huggingface/smolagents/issues/757
    },
    // The other is refused: https://github.com/editor-code-assistant/eca/issues/231
    formats: { 'openai.chat': { limit: 'max_tokens' } },
    errors: 'mistral', // https://github.com/raycast/extensions/issues/31107
    listedTiers: [],
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
    takes: { temperature: [0, 2], lastMessage: 'any' }, // https://console.groq.com/docs/openai
    formats: { 'openai.chat': { limit: 'max_completion_tokens' } }, // https://console.groq.com/docs/api-reference
    errors: 'openai', // https://console.groq.com/docs/errors
    // Flex costs the same: https://console.groq.com/docs/flex-processing
    listedTiers: ['on_demand', 'flex'],
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
