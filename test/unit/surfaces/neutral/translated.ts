import { parseJson } from '../../../../api/http/body/parse-json.ts';
import { createEstimateJob } from '../../../../api/intake/estimate-job.ts';
import { createJudgeModel } from '../../../../api/intake/judge-model.ts';
import type { OnUnsupported } from '../../../../api/intake/support/lacks.ts';
import { createJudgeTranslated } from '../../../../api/intake/translation/judge-translated.ts';
import type { Translate } from '../../../../api/intake/translation/read-translated.ts';
import type { CompletionRequest } from '../../../../shared/domain/completion.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { Warning } from '../../../../shared/domain/jobs/schema.ts';
import { createPrices } from '../../../../shared/domain/prices/pricing.ts';
import { NO_LIMITS } from '../../../support/redis/no-limits.ts';

const limits = { ...NO_LIMITS, requests_per_minute: 600, max_queued: 10, max_stored_bytes: 1e9 };
const judgeTranslated = createJudgeTranslated({
  estimateJob: createEstimateJob(createJudgeModel(createPrices(null), null)),
  platformModel: 'default-model',
});

type Translated = {
  request: CompletionRequest | null;
  metadata: Record<string, string>;
  refusal: RequestError | null;
  warnings: readonly Warning[];
};

/** What a body comes to on the platform's account; `body` as JSON, or as the text of it. */
export const translated = (
  translate: Translate,
  body: unknown,
  onUnsupported: OnUnsupported = 'reject',
): Translated => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  try {
    const { judged, metadata } = judgeTranslated(parseJson(Buffer.from(text), 'The body'), {
      account: { provider: 'bedrock', credential: 'platform' },
      caller: { limits, allowedModels: null },
      translate,
      onUnsupported,
    });
    const { asked, refusal, warnings = [] } = judged;
    return { request: asked.format === 'neutral' ? asked.request : null, metadata, refusal, warnings };
  } catch (error) {
    if (error instanceof RequestError) return { request: null, metadata: {}, refusal: error, warnings: [] };
    throw error;
  }
};
