/** One line of a batch: from its bytes to a request that can be run. */
import { z } from 'zod';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import type { NewLine } from '../../../shared/storage/batches/batch-staging.ts';
import { parseJson } from '../../http/body/parse-json.ts';
import { parseOr } from '../../http/query/parse-or.ts';
import { chooseModel, completionBody, withoutKey } from '../completion-body.ts';
import type { EstimateJob } from '../estimate-job.ts';
import type { OnUnsupported } from '../support/lacks.ts';

export const batchLine = z
  .strictObject({
    custom_id: withoutKey(z.string().min(1).max(256)).describe('Different in each line; comes back with its result.'),
    body: completionBody.describe('As for a completion alone, without `webhook` and `deadline_seconds`.'),
  })
  .register(NAMED, { id: 'BatchLine' });

export type LineRules = {
  /** What is run where a line names none; null where it must. */
  defaultModel: string | null;
  limitBytes: number;
  estimate: (request: CompletionRequest, onUnsupported: OnUnsupported) => ReturnType<EstimateJob>;
  /** Of one call, where the line says nothing. */
  defaultTimeoutMs: number;
};

/** Checks a line's text by itself; null stands for one that is longer than the limit. Throws RequestError. */
export const checkLine = (bytes: Buffer | null, rules: LineRules): NewLine => {
  if (bytes === null) {
    throw new RequestError('body_too_large', {
      message: `The line may have at most ${rules.limitBytes} bytes; send fewer or shorter messages.`,
    });
  }
  const { custom_id, body } = parseOr('invalid_body', batchLine, parseJson(bytes, 'The line'), 'The line');
  const { metadata, timeout_seconds, model, on_unsupported, ...asked } = body;
  const request = { model: chooseModel(model, rules.defaultModel, 'body.model'), ...asked };
  const { cost, refusal, ...estimated } = rules.estimate(request, on_unsupported);
  if (refusal !== null) throw refusal;
  return {
    customId: custom_id,
    ...estimated,
    estimateNano: cost?.estimateNano ?? null,
    metadata,
    timeoutMs: timeout_seconds === undefined ? rules.defaultTimeoutMs : timeout_seconds * 1_000,
  };
};
