/** Whether a tenant may use a model, and whether its budget can answer for a call of it. */
import type { Provider } from '../../providers/catalogue.ts';
import type { Account } from '../../shared/domain/account.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import type { UsageEstimate } from '../../shared/domain/prices/estimate.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import { budgetNano } from '../../shared/domain/tenants/limits.ts';
import type { NewJob } from '../../shared/storage/jobs/accept-job.ts';
import type { Names } from './support/names.ts';

export type JudgedFor = {
  account: Pick<Account, 'provider' | 'credential'>;
  caller: Pick<Caller, 'limits' | 'allowedModels'>;
  names: Names;
};

export type JudgeModel = {
  /** Null if the tenant may use the model. */
  refusalOf: (model: string, of: JudgedFor) => RequestError | null;
  /** What its month's budget must cover; null if there is no budget. Throws RequestError if nobody knows what the model costs. */
  costOf: (model: string, max: () => UsageEstimate, of: JudgedFor) => NewJob['cost'];
};

/** `platformModels`: see Config. */
export const createJudgeModel = (prices: Prices, platformModels: readonly string[] | null): JudgeModel => ({
  refusalOf: (model, { account: { credential }, caller: { allowedModels }, names }) => {
    const allowed = allowedModels ?? (credential === 'platform' ? platformModels : null);
    return allowed === null || allowed.includes(model) ? null : notAllowed(allowed, names.of(['model']));
  },
  costOf: (model, max, { account: { provider, credential }, caller: { limits }, names }) => {
    const budget = budgetNano(limits, credential);
    if (budget === null) return null;
    const estimateNano = prices.max(provider, model, max());
    if (estimateNano === null) throw unpriced(model, provider, names.of(['model']));
    return { estimateNano, budgetNano: budget };
  },
});

const notAllowed = (allowedModels: readonly string[], param: string): RequestError =>
  new RequestError('model_not_allowed', {
    param,
    message: `This tenant may not use this model; allowed are ${allowedModels.slice(0, 2).join(', ')}${allowedModels.length > 2 ? ' and others' : ''}.`,
  });

const unpriced = (model: string, provider: Provider, param: string): RequestError =>
  new RequestError('model_unpriced', {
    param,
    message: `No price is known for ${model} on ${provider}, and this tenant has a budget: use another model, or have whoever runs the gateway give it a price in PRICE_FILE.`,
  });
