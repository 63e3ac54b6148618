/** The models that prices are known of, as far as they can be listed. */
import { findProvider } from '@pydantic/genai-prices';
import { manifestOf, type Provider, perProvider } from '../../../providers/catalogue.ts';
import type { PriceFile } from './price-file.ts';

/** `name`: as people call it. */
export type PricedModel = { id: string; name: string };

/** An entry of the list may stand for many models under an id that none of them has: those of all regions, fine-tuned ones. */
const STANDS_FOR_MANY = /^regional\.|\bft[:-]/;

const listed = (provider: Provider): PricedModel[] =>
  (findProvider({ providerId: manifestOf(provider).priceList })?.models ?? []).flatMap(
    ({ id, name = id, deprecated = false }) => (deprecated || STANDS_FOR_MANY.test(id) ? [] : [{ id, name }]),
  );

/** By provider, the operator's own first. `file`: null where the operator gave none. */
export const pricedModels = (file: PriceFile | null): Record<Provider, readonly PricedModel[]> =>
  perProvider((provider) => {
    const own = file?.models(provider) ?? [];
    return [...own.map((id) => ({ id, name: id })), ...listed(provider).filter(({ id }) => !own.includes(id))];
  });
