import { createAnthropicAdapter } from './anthropic/adapter.ts';
import { type BedrockAuth, createBedrockAdapter } from './bedrock/adapter.ts';
import type { ProviderAdapter } from './call/provider.ts';
import type { Provider } from './catalogue.ts';
import { createOpenAIAdapter } from './openai/adapter.ts';
import { createCompatibleAdapter } from './openai-compatible/adapter.ts';
import { VENDOR_NAMES, type Vendor } from './openai-compatible/vendors.ts';

export type ProvidersConfig = {
  /** In the form of each SDK's base URL (OpenAI's ends in `/v1`); null is the vendor's own. */
  urls: Record<Provider, string | null>;
  awsRegion: string;
  bedrockAuth: BedrockAuth;
};

const compatible = (urls: ProvidersConfig['urls']) =>
  // A cast because Object.fromEntries forgets which keys it was given.
  Object.fromEntries(
    VENDOR_NAMES.map((vendor) => [vendor, createCompatibleAdapter(vendor, { baseUrl: urls[vendor] })]),
  ) as Record<Vendor, ProviderAdapter>;

/** Every provider's adapter. No connection is made before the first call; `close` each one when no call is running. */
export const createProviders = ({ urls, awsRegion, bedrockAuth }: ProvidersConfig) =>
  ({
    openai: createOpenAIAdapter({ baseUrl: urls.openai }),
    anthropic: createAnthropicAdapter({ baseUrl: urls.anthropic }),
    ...compatible(urls),
    bedrock: createBedrockAdapter({ baseUrl: urls.bedrock, region: awsRegion, auth: bedrockAuth }),
  }) satisfies Record<Provider, ProviderAdapter>;
