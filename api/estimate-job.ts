/** What a job may use and cost, before it is accepted. */
import type { CompletionRequest, CredentialKind, Provider } from '../shared/completion.ts';
import { DEFAULT_MAX_TOKENS } from '../shared/completion.ts';
import { RequestError } from '../shared/errors.ts';
import { estimateUsage } from '../shared/estimate.ts';
import type { Prices } from '../shared/pricing.ts';
import type { NewJob } from '../shared/stores/job-store.ts';
import { budgetNano, type TenantLimits } from '../shared/tenant.ts';

export type EstimateJob = (
  request: CompletionRequest,
  of: { provider: Provider; credential: CredentialKind; limits: TenantLimits },
) => Pick<NewJob, 'request' | 'tokens' | 'cost'>;

/** Throws `model_unpriced` where a budget applies and nobody knows what the model costs. */
export const createEstimateJob =
  (prices: Prices): EstimateJob =>
  (request, { provider, credential, limits }) => {
    const usage = estimateUsage(request);
    const tokens = usage.inputTokens + usage.outputTokens;
    const budget = budgetNano(limits, credential);
    if (budget === null) return { request, tokens, cost: null };
    const { costNano } = prices.of(provider, request.model, { ...usage, cachedInputTokens: 0, cacheWriteTokens: 0 });
    if (costNano === null) throw unpriced(request.model, provider);
    return {
      // Without a limit of its own an answer may cost more than was estimated.
      request: { ...request, max_tokens: request.max_tokens ?? DEFAULT_MAX_TOKENS },
      tokens,
      cost: { estimateNano: costNano, budgetNano: budget },
    };
  };

const unpriced = (model: string, provider: Provider): RequestError =>
  new RequestError('model_unpriced', {
    param: 'model',
    message: `No price is known for ${model} on ${provider}, and this tenant has a budget: use another model, or have whoever runs the gateway give it a price in PRICE_FILE.`,
  });
