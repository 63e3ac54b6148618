/** What a job in the neutral form may use and cost, and whether its tenant may run it, before it is accepted. */
import { manifestOf } from '../../providers/catalogue.ts';
import { type CompletionRequest, DEFAULT_MAX_TOKENS } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { estimateUsage } from '../../shared/domain/prices/estimate.ts';
import { budgetNano } from '../../shared/domain/tenants/limits.ts';
import type { NewJob } from '../../shared/storage/jobs/accept-job.ts';
import type { JudgedFor, JudgeModel } from './judge-model.ts';
import { contradiction } from './support/contradiction.ts';
import { judge } from './support/judge.ts';
import type { OnUnsupported } from './support/lacks.ts';
import type { Names } from './support/names.ts';

/** `onUnsupported`: as the client wishes; a request that was judged before is as it can be sent. */
type Of = JudgedFor & { onUnsupported?: OnUnsupported };

/** `refusal`: that the tenant may not use the model, that the request contradicts itself or its provider does not take it, or that a budget applies and nobody knows what it may cost; else null. */
export type EstimateJob = (
  request: CompletionRequest,
  of: Of,
) => { request: CompletionRequest } & Pick<NewJob, 'warnings' | 'tokens' | 'cost' | 'refusal'>;

export const createEstimateJob =
  ({ refusalOf, costOf }: JudgeModel): EstimateJob =>
  (asked, { onUnsupported = 'reject', ...of }) => {
    const { account, caller, names } = of;
    const { provider, credential } = account;
    const { request, warnings, refusal: lack } = judge(asked, { provider, names, onUnsupported });
    const { likely, max } = estimateUsage(request, manifestOf(provider));
    const tokens = likely.inputTokens + likely.outputTokens;
    const sent = { request, ...(warnings.length > 0 && { warnings }), tokens };
    const isBudgeted = budgetNano(caller.limits, credential) !== null;
    const refusal =
      refusalOf(request.model, of) ??
      contradiction(asked, names) ??
      lack ??
      (isBudgeted ? unbounded(request, names) : null);
    if (refusal !== null) return { ...sent, cost: null, refusal };
    try {
      const cost = costOf(request.model, () => max, of);
      if (cost === null) return { ...sent, cost, refusal };
      // Nothing else bounds the answer.
      return { ...sent, request: { ...request, max_tokens: request.max_tokens ?? DEFAULT_MAX_TOKENS }, cost, refusal };
    } catch (error) {
      if (error instanceof RequestError) return { ...sent, cost: null, refusal: error };
      throw error;
    }
  };

/** Terms that cost more than the list, by nobody knows how much. */
const unbounded = ({ service_tier }: CompletionRequest, names: Names): RequestError | null => {
  if (service_tier !== 'priority') return null;
  const param = names.of(['service_tier']);
  return new RequestError('budget_unbounded', {
    param,
    message: `${param} must not be priority where a budget applies: nobody here knows what that costs.`,
  });
};
