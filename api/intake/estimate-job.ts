/** What a job may use and cost, and whether its tenant may run it, before it is accepted. */

import type { Provider } from '../../providers/catalogue.ts';
import type { Account } from '../../shared/domain/account.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { DEFAULT_MAX_TOKENS } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { estimateUsage } from '../../shared/domain/prices/estimate.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import { budgetNano } from '../../shared/domain/tenants/limits.ts';
import type { NewJob } from '../../shared/storage/jobs/job-store.ts';
import { unsupported } from './unsupported.ts';

type Of = {
  account: Pick<Account, 'provider' | 'credential'>;
  caller: Pick<Caller, 'limits' | 'allowedModels'>;
  /** What stands before the names of the request's fields in `param`. */
  place: '' | 'body.';
};

/** `refusal`: that the tenant may not use the model, that the provider does not take the request, or that a budget applies and nobody knows what the model costs; else null. */
export type EstimateJob = (
  request: CompletionRequest,
  of: Of,
) => Pick<NewJob, 'request' | 'tokens' | 'cost' | 'refusal'>;

/** `platformModels`: see Config. */
export const createEstimateJob =
  (prices: Prices, platformModels: readonly string[] | null): EstimateJob =>
  (request, { account: { provider, credential }, caller: { limits, allowedModels }, place }) => {
    const param = `${place}model`;
    const { likely, max } = estimateUsage(request);
    const tokens = likely.inputTokens + likely.outputTokens;
    const budget = budgetNano(limits, credential);
    const allowed = allowedModels ?? (credential === 'platform' ? platformModels : null);
    const refusal =
      allowed === null || allowed.includes(request.model)
        ? unsupported(request, provider, place)
        : notAllowed(allowed, param);
    if (budget === null || refusal !== null) return { request, tokens, cost: null, refusal };
    const maxNano = prices.max(provider, request.model, max);
    if (maxNano === null) return { request, tokens, cost: null, refusal: unpriced(request.model, provider, param) };
    return {
      // Nothing else bounds the answer.
      request: { ...request, max_tokens: request.max_tokens ?? DEFAULT_MAX_TOKENS },
      tokens,
      cost: { estimateNano: maxNano, budgetNano: budget },
      refusal,
    };
  };

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
