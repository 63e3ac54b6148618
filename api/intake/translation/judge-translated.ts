/** What a body in foreign words asks for on the platform's account, through the neutral form. */
import { needsOf } from '../../../shared/domain/needs.ts';
import type { NewJob } from '../../../shared/storage/jobs/accept-job.ts';
import { chooseModel } from '../completion-body.ts';
import type { EstimateJob } from '../estimate-job.ts';
import type { JudgedFor } from '../judge-model.ts';
import type { OnUnsupported } from '../support/lacks.ts';
import { readTranslated, type Translate } from './read-translated.ts';

type Of = Omit<JudgedFor, 'names'> & { translate: Translate; onUnsupported: OnUnsupported };

type JudgedTranslated = {
  judged: Pick<NewJob, 'model' | 'asked' | 'warnings' | 'needs' | 'tokens' | 'cost' | 'refusal'>;
  /** That the body names for the job. */
  metadata: Record<string, string>;
};

/** `json`: the body as `parseJson` gives it. Throws RequestError 400 for one that cannot be understood. */
export type JudgeTranslated = (json: unknown, of: Of) => JudgedTranslated;

/** `platformModel` runs what names no model. */
export const createJudgeTranslated =
  ({ estimateJob, platformModel }: { estimateJob: EstimateJob; platformModel: string }): JudgeTranslated =>
  (json, { translate, onUnsupported, ...of }) => {
    const { fields, names, refusal: lack, warnings: before } = readTranslated(json, translate, onUnsupported);
    const { metadata, model, ...said } = fields;
    const asked = { model: chooseModel(model, platformModel), ...said };
    const { request, warnings = [], refusal, ...estimated } = estimateJob(asked, { ...of, names, onUnsupported });
    const all = [...before, ...warnings];
    return {
      metadata,
      judged: {
        ...estimated,
        model: asked.model,
        asked: { format: 'neutral', request },
        needs: needsOf(request),
        refusal: lack ?? refusal,
        ...(all.length > 0 && { warnings: all }),
      },
    };
  };
