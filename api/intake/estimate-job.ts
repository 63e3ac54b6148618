/** What a job may use and cost, and whether its tenant may run it, before it is accepted. */

import { manifestOf, type Provider } from '../../providers/catalogue.ts';
import type { Account } from '../../shared/domain/account.ts';
import type { Caller } from '../../shared/domain/caller.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { DEFAULT_MAX_TOKENS } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { estimateUsage } from '../../shared/domain/prices/estimate.ts';
import type { Prices } from '../../shared/domain/prices/pricing.ts';
import { budgetNano } from '../../shared/domain/tenant.ts';
import type { NewJob } from '../../shared/storage/jobs/job-store.ts';
import { contradiction } from './support/contradiction.ts';
import { judge, type OnUnsupported } from './support/judge.ts';

type Of = {
  account: Pick<Account, 'provider' | 'credential'>;
  caller: Pick<Caller, 'limits' | 'allowedModels'>;
  /** What stands before the names of the request's fields in `param`. */
  place: '' | 'body.';
  /** As the client wishes; a request that was judged before is as it can be sent. */
  onUnsupported?: OnUnsupported;
};

/** `refusal`: that the tenant may not use the model, that the request contradicts itself or its provider does not take it, or that a budget applies and nobody knows what it may cost; else null. */
export type EstimateJob = (
  request: CompletionRequest,
  of: Of,
) => Pick<NewJob, 'request' | 'warnings' | 'tokens' | 'cost' | 'refusal'>;

/** `platformModels`: see Config. */
export const createEstimateJob =
  (prices: Prices, platformModels: readonly string[] | null): EstimateJob =>
  (
    asked,
    { account: { provider, credential }, caller: { limits, allowedModels }, place, onUnsupported = 'reject' },
  ) => {
    const allowed = allowedModels ?? (credential === 'platform' ? platformModels : null);
    const { request, warnings, refusal: lack } = judge(asked, { provider, place, onUnsupported });
    const sent = { request, ...(warnings.length > 0 && { warnings }) };
    const { likely, max } = estimateUsage(request, manifestOf(provider));
    const tokens = likely.inputTokens + likely.outputTokens;
    const budget = budgetNano(limits, credential);
    const refusal =
      allowed === null || allowed.includes(request.model)
        ? (contradiction(asked, place) ?? lack ?? (budget === null ? null : unbounded(request, place)))
        : notAllowed(allowed, `${place}model`);
    if (budget === null || refusal !== null) return { ...sent, tokens, cost: null, refusal };
    const maxNano = prices.max(provider, request.model, max);
    if (maxNano === null) {
      const unknown = unpriced(request.model, provider, `${place}model`);
      return { ...sent, tokens, cost: null, refusal: unknown };
    }
    return {
      ...sent,
      // Nothing else bounds the answer.
      request: { ...request, max_tokens: request.max_tokens ?? DEFAULT_MAX_TOKENS },
      tokens,
      cost: { estimateNano: maxNano, budgetNano: budget },
      refusal,
    };
  };

/** Terms that cost more than the list, by nobody knows how much. */
const unbounded = ({ service_tier }: CompletionRequest, place: Of['place']): RequestError | null =>
  service_tier === 'priority'
    ? new RequestError('budget_unbounded', {
        param: `${place}service_tier`,
        message: `${place}service_tier must not be priority where a budget applies: nobody here knows what that costs.`,
      })
    : null;

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
