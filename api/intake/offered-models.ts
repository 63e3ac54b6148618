/** The models that a tenant is told of: those that it may submit for on an account, as far as anybody can list them. */
import { PROVIDERS, type Provider } from '../../providers/catalogue.ts';
import type { PricedModel } from '../../shared/domain/prices/priced-models.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import type { JudgedFor, JudgeModel } from './judge-model.ts';

type Of = Pick<JudgedFor, 'account' | 'caller'>;

export type OfferedModels = {
  list: (of: Of) => readonly PricedModel[];
  /** Also of one that is priced though it is not listed, such as a dated name; null for one that is unknown or not allowed. */
  find: (model: string, of: Of) => PricedModel | null;
};

const NOTHING = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0 };

type Needs = { prices: Prices; priced: Record<Provider, readonly PricedModel[]>; judgeModel: JudgeModel };

export const createOfferedModels = ({ prices, priced, judgeModel }: Needs): OfferedModels => {
  const isPriced = (model: string, provider: Provider): boolean =>
    prices.of(provider, model, NOTHING).costNano !== null;
  const named = (model: string, provider: Provider): PricedModel =>
    priced[provider].find(({ id }) => id === model) ?? { id: model, name: model };
  /** A tenant's list names no providers: one that is nobody's may be anybody's, such as a deployment of one's own. */
  const mayBeOf = (model: string, provider: Provider): boolean =>
    isPriced(model, provider) || !PROVIDERS.some((other) => isPriced(model, other));

  const list: OfferedModels['list'] = (of) => {
    const { provider } = of.account;
    const allowed = judgeModel.allowedOf(of);
    if (allowed === null) return priced[provider];
    return [...new Set(allowed)].filter((id) => mayBeOf(id, provider)).map((id) => named(id, provider));
  };
  return {
    list,
    find: (model, of) => {
      const { provider } = of.account;
      const offered = list(of).find(({ id }) => id === model);
      if (offered !== undefined) return offered;
      return judgeModel.allowedOf(of) === null && isPriced(model, provider) ? named(model, provider) : null;
    },
  };
};
