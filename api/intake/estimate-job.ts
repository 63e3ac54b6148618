/** What a job in the neutral form may use and cost, and whether its tenant may run it, before it is accepted. */
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { DEFAULT_MAX_TOKENS } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { estimateUsage } from '../../shared/domain/prices/estimate.ts';
import type { NewJob } from '../../shared/storage/jobs/accept-job.ts';
import type { JudgedFor, JudgeModel } from './judge-model.ts';
import { unsupported } from './unsupported.ts';

/** `refusal`: that the tenant may not use the model, that the provider does not take the request, or that a budget applies and nobody knows what the model costs; else null. */
export type EstimateJob = (
  request: CompletionRequest,
  of: JudgedFor,
) => { request: CompletionRequest } & Pick<NewJob, 'tokens' | 'cost' | 'refusal'>;

export const createEstimateJob =
  ({ refusalOf, costOf }: JudgeModel): EstimateJob =>
  (request, of) => {
    const { likely, max } = estimateUsage(request);
    const tokens = likely.inputTokens + likely.outputTokens;
    const refuse = (refusal: RequestError) => ({ request, tokens, cost: null, refusal });
    const refusal = refusalOf(request.model, of) ?? unsupported(request, of.account.provider, of.place);
    if (refusal !== null) return refuse(refusal);
    try {
      const cost = costOf(request.model, () => max, of);
      // Nothing else bounds the answer.
      const limited = cost === null ? request : { ...request, max_tokens: request.max_tokens ?? DEFAULT_MAX_TOKENS };
      return { request: limited, tokens, cost, refusal: null };
    } catch (error) {
      if (error instanceof RequestError) return refuse(error);
      throw error;
    }
  };
