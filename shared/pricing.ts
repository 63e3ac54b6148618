/** What a call cost: by the operator's price file where it names the model, else by price data that ships with a library. No network. */
import { readFileSync } from 'node:fs';
import { calcPrice, type PriceOptions } from '@pydantic/genai-prices';
import { z } from 'zod';
import type { Provider, TokenUsage } from './completion.ts';
import type { ModelPrice, PriceFile } from './price-file.ts';

// The library does not tell its version; ours is pinned exactly.
const { dependencies } = z
  .object({ dependencies: z.object({ '@pydantic/genai-prices': z.string() }) })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));

const LIST_VERSION = `genai-prices-${dependencies['@pydantic/genai-prices']}`;

const PRICE_LISTS = { openai: 'openai', anthropic: 'anthropic', bedrock: 'aws' } as const satisfies Record<
  Provider,
  string
>;

export type Price = {
  /** Whole nano-dollars, rounded once; null where no price is known for the model. */
  costNano: number | null;
  /** The data that decided. */
  priceVersion: string;
};

export type Prices = { of: (provider: Provider, model: string, usage: TokenUsage) => Price };

/** `file`: null where the operator gave none. */
export const createPrices = (file: PriceFile | null): Prices => ({
  of: (provider, model, usage) => {
    const own = file?.find(provider, model);
    if (file && own) {
      return { costNano: costNano(usage, model, asListed(model, own)), priceVersion: `price-file-${file.version}` };
    }
    return { costNano: costNano(usage, model, { providerId: PRICE_LISTS[provider] }), priceVersion: LIST_VERSION };
  },
});

/** A price of the operator's in the library's form, so that both are counted the same way. */
const asListed = (model: string, { input, cached_input, cache_write, output }: ModelPrice): PriceOptions => ({
  provider: {
    id: 'price-file',
    name: 'price-file',
    api_pattern: '',
    models: [
      {
        id: model,
        match: { equals: model },
        prices: {
          input_mtok: input,
          cache_read_mtok: cached_input ?? input,
          cache_write_mtok: cache_write ?? input,
          output_mtok: output,
        },
      },
    ],
  },
});

const costNano = (usage: TokenUsage, model: string, options: PriceOptions): number | null => {
  try {
    const price = calcPrice(
      {
        input_tokens: usage.inputTokens,
        output_tokens: usage.outputTokens,
        cache_read_tokens: usage.cachedInputTokens,
        cache_write_tokens: usage.cacheWriteTokens,
      },
      model,
      options,
    );
    return price ? Math.round(price.total_price * 1e9) : null;
  } catch {
    // It throws on usage that no list can price, such as more cached than input tokens.
    return null;
  }
};
