/** Chat Completions as api.openai.com speaks it. */
import { askOf, bearerOf, chatAnswer, readChatRequest } from '../stand-in/chat-completions.ts';
import { chatStreaming } from '../stand-in/chat-stream.ts';
import { type Answer, type Demands, Refusal, type Wire } from '../stand-in/wire.ts';

const ERRORS: Readonly<Record<number, { type: string; code: string | null }>> = {
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
};

/** OpenAI's own way of hiding a key, which shows its ends. */
const masked = (key: string): string => `${key.slice(0, 8)}${'*'.repeat(Math.max(key.length - 12, 3))}${key.slice(-4)}`;

const reply = (status: number, id: string, body: Record<string, unknown>) => ({
  status,
  headers: { 'x-request-id': id, 'openai-version': '2020-10-01' },
  body,
});

/** https://developers.openai.com/api/docs/models, https://developers.openai.com/api/docs/guides/reasoning */
const demands: Demands = {
  ownModels: /^ft:/,
  limits: [
    { models: /^(?:o[134]|gpt-5)(?:-(?:mini|nano|pro))?(?:-\d{4}-\d\d-\d\d)?$/, temperature: [1, 1] },
    { models: /^gpt-4o(?:-mini)?(?:-2024-(?:07-18|08-06|11-20))?$/, maxTokens: 16_384 },
    { models: /^gpt-4\.1/, maxTokens: 32_768 },
    { models: /^gpt-(?:3\.5|4-turbo)/, maxTokens: 4_096 },
    { models: /^gpt-5/, maxTokens: 128_000 },
  ],
  noSuchModel: (model) => new Refusal(404, `The model \`${model}\` does not exist or you do not have access to it.`),
  temperature: (value, [min, max]) =>
    min === max
      ? `Unsupported value: 'temperature' does not support ${value} with this model. Only the default (${max}) value is supported.`
      : `Invalid 'temperature': decimal ${value < min ? 'below minimum' : 'above maximum'} value. Expected a value between ${min} and ${max}, but got ${value} instead.`,
  maxTokens: (value, max) =>
    `max_tokens is too large: ${value}. This model supports at most ${max} completion tokens, whereas you provided ${value}.`,
};

const completionOf = (answer: Answer) => ({
  ...chatAnswer(answer),
  service_tier: 'default',
  system_fingerprint: 'fp_sandbox',
});

export const openaiWire: Wire = {
  provider: 'openai',
  path: /^\/chat\/completions$/,
  demands,
  keyOf: bearerOf,
  readAsk: (body) => askOf(readChatRequest(body)),
  answer: (answer) => reply(200, answer.id, completionOf(answer)),
  streaming: chatStreaming(completionOf, 'if_asked'),

  error: (trouble, id) => {
    if (trouble.kind === 'bad_key') {
      const message =
        trouble.key === ''
          ? "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
          : `Incorrect API key provided: ${masked(trouble.key)}. You can find your API key at https://platform.openai.com/account/api-keys.`;
      return reply(401, id, {
        error: { message, type: 'invalid_request_error', param: null, code: 'invalid_api_key' },
      });
    }
    if (trouble.kind === 'quota') {
      const message = 'You exceeded your current quota, please check your plan and billing details.';
      return reply(429, id, {
        error: { message, type: 'insufficient_quota', param: null, code: 'insufficient_quota' },
      });
    }
    const { status, message } = trouble;
    const { type, code } = ERRORS[status] ?? {
      type: status < 500 ? 'invalid_request_error' : 'server_error',
      code: null,
    };
    return reply(status, id, { error: { message, type, param: null, code } });
  },
};
