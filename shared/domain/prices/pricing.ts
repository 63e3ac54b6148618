/** What a call cost: by the operator's price file where it names the model, else by price data that ships with a library. No network. */
import { readFileSync } from 'node:fs';
import { calcPrice, type PriceOptions } from '@pydantic/genai-prices';
import { z } from 'zod';
import { manifestOf, type Provider } from '../../../providers/catalogue.ts';
import type { TokenUsage } from '../completion.ts';
import type { UsageEstimate } from './estimate.ts';
import type { ModelPrice, PriceFile } from './price-file.ts';

// The library does not tell its version; ours is pinned exactly.
const { dependencies } = z
  .object({ dependencies: z.object({ '@pydantic/genai-prices': z.string() }) })
  .parse(JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')));

const LIST_VERSION = `genai-prices-${dependencies['@pydantic/genai-prices']}`;

/**
 * Models that search the web at every call, at a fee for each search that the list has not and no answer counts
 * (https://developers.openai.com/api/docs/pricing).
 */
const SEARCHES_UNASKED = /-(?:search-(?:preview|api)|deep-research)(?!\w)/;

export type Price = {
  /** Whole nano-dollars, rounded once; null where no price is known for the model, or for all that was used. */
  costNano: number | null;
  /** The data that decided. */
  priceVersion: string;
};

export type Prices = {
  of: (provider: Provider, model: string, usage: TokenUsage) => Price;
  /** The most that a call can cost which uses no more than this, in whole nano-dollars; null where no price is known for the model. */
  max: (provider: Provider, model: string, usage: UsageEstimate) => number | null;
};

/** How a provider may count input: it reads from a cache and writes to one unasked, and writing costs more than input does. */
const WAYS_TO_COUNT_INPUT = [
  () => ({ cachedInputTokens: 0, cacheWriteTokens: 0 }),
  (inputTokens) => ({ cachedInputTokens: inputTokens, cacheWriteTokens: 0 }),
  (inputTokens) => ({ cachedInputTokens: 0, cacheWriteTokens: inputTokens }),
] as const satisfies readonly ((inputTokens: number) => Partial<TokenUsage>)[];

/** `file`: null where the operator gave none. */
export const createPrices = (file: PriceFile | null): Prices => {
  const of: Prices['of'] = (provider, model, usage) => {
    if (usage.free) return { costNano: 0, priceVersion: LIST_VERSION };
    const own = file?.find(provider, model);
    if (file && own) {
      return { costNano: costNano(usage, model, asListed(model, own)), priceVersion: `price-file-${file.version}` };
    }
    const listed = SEARCHES_UNASKED.test(model)
      ? null
      : costNano(usage, model, { providerId: manifestOf(provider).priceList });
    return { costNano: listed, priceVersion: LIST_VERSION };
  };
  return {
    of,
    max: (provider, model, { hourCache, ...usage }) => {
      const costs = WAYS_TO_COUNT_INPUT.flatMap(
        (parts) => of(provider, model, { ...usage, ...parts(usage.inputTokens) }).costNano ?? [],
      );
      if (hourCache) {
        const { inputTokens } = usage;
        const parts = { cachedInputTokens: 0, cacheWriteTokens: inputTokens, hourCacheWriteTokens: inputTokens };
        const { costNano } = of(provider, model, { ...usage, ...parts });
        if (costNano === null) return null;
        costs.push(costNano);
      }
      return costs.length > 0 ? Math.max(...costs) : null;
    },
  };
};

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

/** Null when a figure is unknown, and when the list has no price of its own for what was used: the library would take that of something near it. */
const costNano = (usage: TokenUsage, model: string, options: PriceOptions): number | null => {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, hourCacheWriteTokens, webSearches } = usage;
  if (inputTokens === null || outputTokens === null || cachedInputTokens === null || cacheWriteTokens === null)
    return null;
  if (usage.offList) return null;
  try {
    const price = calcPrice(
      {
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        cache_read_tokens: cachedInputTokens,
        cache_write_tokens: cacheWriteTokens,
        ...(hourCacheWriteTokens && { cache_write_1h_tokens: hourCacheWriteTokens }),
        ...(webSearches && { web_searches: webSearches }),
      },
      model,
      options,
    );
    if (price === null) return null;
    if (hourCacheWriteTokens && price.model_price.cache_write_1h_mtok === undefined) return null;
    if (webSearches && price.model_price.web_searches_kcount === undefined) return null;
    return Math.round(price.total_price * 1e9);
  } catch {
    // It throws on usage that no list can price, such as more cached than input tokens.
    return null;
  }
};
