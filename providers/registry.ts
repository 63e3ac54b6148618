import type { Provider } from '../shared/domain/completion.ts';
import { createAnthropicAdapter } from './anthropic/adapter.ts';
import { type BedrockAuth, createBedrockAdapter } from './bedrock/adapter.ts';
import type { ProviderAdapter } from './call/provider.ts';
import { createOpenAIAdapter } from './openai/adapter.ts';

export type ProvidersConfig = {
  /** In the form of each SDK's base URL (OpenAI's ends in `/v1`); null is the vendor's own. */
  openaiUrl: string | null;
  anthropicUrl: string | null;
  bedrockUrl: string | null;
  awsRegion: string;
  bedrockAuth: BedrockAuth;
};

/** Every provider's adapter. No connection is made before the first call; `close` each one when no call is running. */
export const createProviders = (config: ProvidersConfig) =>
  ({
    openai: createOpenAIAdapter({ baseUrl: config.openaiUrl }),
    anthropic: createAnthropicAdapter({ baseUrl: config.anthropicUrl }),
    bedrock: createBedrockAdapter({ baseUrl: config.bedrockUrl, region: config.awsRegion, auth: config.bedrockAuth }),
  }) satisfies Record<Provider, ProviderAdapter>;
