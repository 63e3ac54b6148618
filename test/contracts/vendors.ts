/** Every provider as the contract suite needs it. */
import { randomBytes } from 'node:crypto';
import { createAnthropicAdapter } from '../../providers/anthropic/adapter.ts';
import { createBedrockAdapter } from '../../providers/bedrock/adapter.ts';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import type { Provider } from '../../providers/catalogue.ts';
import { createOpenAIAdapter } from '../../providers/openai/adapter.ts';
import { createCompatibleAdapter } from '../../providers/openai-compatible/adapter.ts';
import {
  type Vendor as CompatibleVendor,
  VENDOR_NAMES,
  type VendorManifest,
  vendorOf,
} from '../../providers/openai-compatible/vendors.ts';
import type { CredentialKind } from '../../shared/domain/completion.ts';
import { Secret } from '../../shared/keys/secret.ts';

/** What no outcome may hold a part of. */
const tail = randomBytes(24).toString('hex');

export type Vendor = {
  provider: Provider;
  credential: CredentialKind;
  /** What the provider must receive as the credential: the key, or the platform's access key id. */
  credentialSent: string;
  /** The random part of what is secret. */
  canary: string;
  /** The key that goes with a call: null on the platform's account. */
  userKey: Secret | null;
  /** The credential that the adapter has to refuse. */
  wrongKey: Secret | null;
  /** `baseUrl` in the form of `PROVIDER_<NAME>_URL`. */
  open(baseUrl: string): ProviderAdapter;
  /** From a server's root to a base URL. */
  basePath: string;
  requestIdHeader: string;
  /** The provider's own error body with this message. */
  errorBody(message: string): unknown;
  errorHeaders: Record<string, string>;
  /** The provider's own answer with this text, which read one token and wrote two. */
  answerBody(text: string): Record<string, unknown>;
  /** An error's body of a type that the provider gives to errors that are of no known kind. */
  plainErrorBody(message: string): unknown;
  plainErrorHeaders: Record<string, string>;
  /** What the body of the full request is to look like. */
  fullBody: unknown;
  /** Variables that the SDK would obey; `TRAP` stands for a server of an attacker. */
  environment: Record<string, string>;
};

const turns = [
  { role: 'user', content: 'First.' },
  { role: 'assistant', content: 'Second.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Third.' },
      { type: 'text', text: 'Fourth.' },
    ],
  },
] as const;

/** Every field that a request can have. */
export const fullRequest = {
  messages: [
    { role: 'system' as const, content: 'Be brief.' },
    ...turns.map((turn) => ({ ...turn, content: typeof turn.content === 'string' ? turn.content : [...turn.content] })),
  ],
  max_tokens: 20,
  temperature: 0.5,
  top_p: 0.9,
  stop: ['END'],
};

const openaiBody = {
  model: 'model-1',
  messages: fullRequest.messages,
  max_completion_tokens: 20,
  temperature: 0.5,
  top_p: 0.9,
  stop: ['END'],
};

const openai: Vendor = {
  provider: 'openai',
  credential: 'user',
  credentialSent: `sk-user-${tail}`,
  canary: tail,
  userKey: new Secret(`sk-user-${tail}`),
  wrongKey: null,
  open: (baseUrl) => createOpenAIAdapter({ baseUrl }),
  basePath: '/v1',
  requestIdHeader: 'x-request-id',
  errorBody: (message) => ({ error: { message, type: 'invalid_request_error', param: null, code: null } }),
  errorHeaders: {},
  answerBody: (content) => ({
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  }),
  plainErrorBody: (message) => ({ error: { message, type: 'error', param: null, code: null } }),
  plainErrorHeaders: {},
  fullBody: openaiBody,
  environment: {
    OPENAI_BASE_URL: 'TRAP/v1',
    OPENAI_API_KEY: 'sk-of-someone-else',
    OPENAI_ADMIN_KEY: 'sk-admin-of-someone-else',
    OPENAI_ORG_ID: 'org-other',
    OPENAI_PROJECT_ID: 'proj-other',
    OPENAI_CUSTOM_HEADERS: 'authorization: Bearer sk-of-someone-else\nx-other: other',
  },
};

const anthropic: Vendor = {
  provider: 'anthropic',
  credential: 'user',
  credentialSent: `sk-ant-user-${tail}`,
  canary: tail,
  userKey: new Secret(`sk-ant-user-${tail}`),
  wrongKey: null,
  open: (baseUrl) => createAnthropicAdapter({ baseUrl }),
  basePath: '',
  requestIdHeader: 'request-id',
  errorBody: (message) => ({ type: 'error', error: { type: 'invalid_request_error', message } }),
  errorHeaders: {},
  answerBody: (text) => ({
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 2 },
  }),
  plainErrorBody: (message) => ({ type: 'error', error: { type: 'error', message } }),
  plainErrorHeaders: {},
  fullBody: {
    model: 'model-1',
    max_tokens: 20,
    messages: fullRequest.messages.slice(1),
    system: [{ type: 'text', text: 'Be brief.' }],
    temperature: 0.5,
    top_p: 0.9,
    stop_sequences: ['END'],
  },
  environment: {
    ANTHROPIC_BASE_URL: 'TRAP',
    ANTHROPIC_API_KEY: 'sk-ant-of-someone-else',
    ANTHROPIC_AUTH_TOKEN: 'token-of-someone-else',
    ANTHROPIC_CUSTOM_HEADERS: 'authorization: Bearer sk-ant-of-someone-else\nx-other: other',
  },
};

const accessKeyId = 'AKIASANDBOXEXAMPLE01';

const bedrock: Vendor = {
  provider: 'bedrock',
  credential: 'platform',
  credentialSent: accessKeyId,
  canary: tail,
  userKey: null,
  wrongKey: new Secret(`sk-user-${tail}`),
  open: (baseUrl) =>
    createBedrockAdapter({
      baseUrl,
      region: 'eu-central-1',
      auth: { kind: 'access_key', accessKeyId, secretAccessKey: new Secret(tail) },
    }),
  basePath: '',
  requestIdHeader: 'x-amzn-requestid',
  errorBody: (message) => ({ message }),
  errorHeaders: { 'x-amzn-errortype': 'ValidationException' },
  answerBody: (text) => ({
    output: { message: { role: 'assistant', content: [{ text }] } },
    stopReason: 'end_turn',
    usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
  }),
  plainErrorBody: (message) => ({ message }),
  plainErrorHeaders: { 'x-amzn-errortype': 'SomeException' },
  fullBody: {
    messages: [
      { role: 'user', content: [{ text: 'First.' }] },
      { role: 'assistant', content: [{ text: 'Second.' }] },
      { role: 'user', content: [{ text: 'Third.' }, { text: 'Fourth.' }] },
    ],
    system: [{ text: 'Be brief.' }],
    inferenceConfig: { maxTokens: 20, temperature: 0.5, topP: 0.9, stopSequences: ['END'] },
  },
  environment: {
    AWS_ENDPOINT_URL: 'TRAP',
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: 'TRAP',
    AWS_BEARER_TOKEN_BEDROCK: 'token-of-someone-else',
    AWS_ACCESS_KEY_ID: 'AKIAOFSOMEONEELSE000',
    AWS_SECRET_ACCESS_KEY: 'secret-of-someone-else',
    AWS_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '5',
    AWS_AUTH_SCHEME_PREFERENCE: 'httpBearerAuth',
  },
};

type ErrorForm = Pick<Vendor, 'errorBody' | 'plainErrorBody'>;
const googleError = (status: string) => (message: string) => [{ error: { code: 400, message, status } }];
const mistralError = (type: string) => (message: string) => ({
  object: 'error',
  message,
  type,
  param: null,
  code: null,
});
const ERROR_FORMS: Record<VendorManifest['errors'], ErrorForm> = {
  openai,
  google: { errorBody: googleError('INVALID_ARGUMENT'), plainErrorBody: googleError('UNKNOWN') },
  mistral: { errorBody: mistralError('invalid_request_error'), plainErrorBody: mistralError('error') },
};

const compatible = (provider: CompatibleVendor): Vendor => {
  const { baseUrl, formats, errors } = vendorOf(provider);
  const { limit: maxTokens } = formats['openai.chat'];
  const { max_completion_tokens, ...fullBody } = openaiBody;
  return {
    ...openai,
    ...ERROR_FORMS[errors],
    provider,
    open: (url) => createCompatibleAdapter(provider, { baseUrl: url }),
    basePath: new URL(baseUrl).pathname,
    fullBody: { ...fullBody, [maxTokens]: max_completion_tokens },
  };
};

export const VENDORS = [openai, anthropic, bedrock, ...VENDOR_NAMES.map(compatible)];
