/** What the real providers refuse and the stand-in would not notice: a program that works here shall work there. */

import { type Ask, Refusal, type Wire } from '../providers/stand-in/wire.ts';
import type { Provider } from '../shared/domain/completion.ts';
import { createPrices } from '../shared/domain/prices/pricing.ts';

/** Names that begin so are models of every provider: for tests. */
const MADE_UP = /^model-/;
/** Models of an account's own, which no price list has. */
const OWN = { openai: /^ft:/, anthropic: /^$/, bedrock: /^arn:aws[\w-]*:bedrock:/ } as const satisfies Record<
  Provider,
  RegExp
>;

const prices = createPrices(null);
const NOTHING = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0 };

const isKnown = (provider: Provider, model: string): boolean =>
  MADE_UP.test(model) || OWN[provider].test(model) || prices.of(provider, model, NOTHING).costNano !== null;

type Limit = {
  provider: Provider;
  models: RegExp;
  temperature?: readonly [min: number, max: number];
  maxTokens?: number;
};

/**
 * The first row that names a field counts. Only what is documented:
 * https://developers.openai.com/api/docs/models, https://developers.openai.com/api/docs/guides/reasoning,
 * https://platform.claude.com/docs/en/about-claude/models/overview,
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html
 */
const LIMITS: readonly Limit[] = [
  { provider: 'openai', models: /^(?:o[134]|gpt-5)(?:-(?:mini|nano|pro))?(?:-\d{4}-\d\d-\d\d)?$/, temperature: [1, 1] },
  { provider: 'openai', models: /./, temperature: [0, 2] },
  { provider: 'openai', models: /^gpt-4o(?:-mini)?(?:-2024-(?:07-18|08-06|11-20))?$/, maxTokens: 16_384 },
  { provider: 'openai', models: /^gpt-4\.1/, maxTokens: 32_768 },
  { provider: 'openai', models: /^gpt-(?:3\.5|4-turbo)/, maxTokens: 4_096 },
  { provider: 'openai', models: /^gpt-5/, maxTokens: 128_000 },
  { provider: 'anthropic', models: /./, temperature: [0, 1] },
  { provider: 'anthropic', models: /^claude-3-(?:haiku|opus)/, maxTokens: 4_096 },
  { provider: 'anthropic', models: /^claude-3-5-/, maxTokens: 8_192 },
  { provider: 'anthropic', models: /^claude-opus-4-(?:1|2025)/, maxTokens: 32_000 },
  { provider: 'anthropic', models: /^claude-(?:opus-4-5|sonnet-4-5|sonnet-4-2025|haiku-4-5)/, maxTokens: 64_000 },
  { provider: 'anthropic', models: /^claude-/, maxTokens: 128_000 },
  { provider: 'bedrock', models: /./, temperature: [0, 1] },
];

/** Each provider's own words. */
const WORDS = {
  openai: {
    model: (model: string) =>
      new Refusal(404, `The model \`${model}\` does not exist or you do not have access to it.`),
    temperature: (value: number, [min, max]: readonly [number, number]) =>
      min === max
        ? `Unsupported value: 'temperature' does not support ${value} with this model. Only the default (${max}) value is supported.`
        : `Invalid 'temperature': decimal ${value < min ? 'below minimum' : 'above maximum'} value. Expected a value between ${min} and ${max}, but got ${value} instead.`,
    maxTokens: (value: number, max: number) =>
      `max_tokens is too large: ${value}. This model supports at most ${max} completion tokens, whereas you provided ${value}.`,
  },
  anthropic: {
    model: (model: string) => new Refusal(404, `model: ${model}`),
    temperature: (_value: number, [min, max]: readonly [number, number]) => `temperature: range: ${min}..${max}`,
    maxTokens: (value: number, max: number, model: string) =>
      `max_tokens: ${value} > ${max}, which is the maximum allowed number of output tokens for ${model}`,
  },
  bedrock: {
    model: () => new Refusal(400, 'The provided model identifier is invalid.'),
    temperature: (value: number, [min, max]: readonly [number, number]) =>
      `1 validation error detected: Value '${value}' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value ${value < min ? `greater than or equal to ${min}` : `less than or equal to ${max}`}`,
    maxTokens: (value: number, max: number) =>
      `The maximum tokens you requested (${value}) exceeds the model limit of ${max}.`,
  },
} as const satisfies Record<
  Provider,
  {
    model: (model: string) => Refusal;
    temperature: (value: number, range: readonly [number, number]) => string;
    maxTokens: (value: number, max: number, model: string) => string;
  }
>;

/** Throws a `Refusal` where the real provider would refuse the request for its model or a value. */
export const demandWhatIsReal = (provider: Wire['provider'], { model, temperature, maxTokens }: Ask): void => {
  const words = WORDS[provider];
  if (!isKnown(provider, model)) throw words.model(model);
  const limits = LIMITS.filter((limit) => limit.provider === provider && limit.models.test(model));
  const range = limits.find((limit) => limit.temperature)?.temperature;
  if (range && temperature !== null && (temperature < range[0] || temperature > range[1])) {
    throw new Refusal(400, words.temperature(temperature, range));
  }
  const max = limits.find((limit) => limit.maxTokens)?.maxTokens;
  if (max !== undefined && maxTokens !== null && maxTokens > max) {
    throw new Refusal(400, words.maxTokens(maxTokens, max, model));
  }
};
