/** What a call cost, from price data that ships with a library: no network, and the data's version stands beside each figure. */
import { readFileSync } from 'node:fs';
import { calcPrice } from '@pydantic/genai-prices';
import { z } from 'zod';
import type { Provider, TokenUsage } from './completion.ts';

// The library does not tell its version; ours is pinned exactly.
const { dependencies } = z
  .object({ dependencies: z.object({ '@pydantic/genai-prices': z.string() }) })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));

export const PRICE_VERSION = `genai-prices-${dependencies['@pydantic/genai-prices']}`;

const PRICE_LISTS = { openai: 'openai', anthropic: 'anthropic', bedrock: 'aws' } as const satisfies Record<
  Provider,
  string
>;

/** The cost in whole nano-dollars; null where no price is known for the model. */
export const costNano = (provider: Provider, model: string, usage: TokenUsage): number | null => {
  try {
    const price = calcPrice(
      {
        input_tokens: usage.inputTokens,
        output_tokens: usage.outputTokens,
        cache_read_tokens: usage.cachedInputTokens,
      },
      model,
      { providerId: PRICE_LISTS[provider] },
    );
    return price ? Math.round(price.total_price * 1e9) : null;
  } catch {
    // It throws on usage that no list can price, such as more cached than input tokens.
    return null;
  }
};
