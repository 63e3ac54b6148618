/** The lines of one batch: each checked by itself and beside those before it. */
import { MODELS_A_BATCH } from '../../../shared/domain/batches/batch.ts';
import { type LineError, RequestError } from '../../../shared/domain/errors.ts';
import type { NewLine } from '../../../shared/storage/batches/batch-staging.ts';
import { checkLine, type LineRules } from './check-line.ts';
import { createSeenIds } from './seen-ids.ts';
import type { Line } from './split-lines.ts';

/** So many errors are told; past them lines are only counted. */
export const MOST_ERRORS = 100;

export type LineCheck = {
  /** The line if it can be run; null for one that cannot, which is noted. */
  check: (line: Line) => NewLine | null;
  /** What is wrong with the first lines that cannot be run, in their order. */
  errors: readonly LineError[];
  /** How many cannot be run. */
  wrong: () => number;
};

export const createLineCheck = (rules: LineRules): LineCheck => {
  const seen = createSeenIds();
  const models = new Set<string>();
  const errors: LineError[] = [];
  let wrong = 0;

  const accept = ({ bytes }: Line): NewLine => {
    const checked = checkLine(bytes, rules);
    const { model } = checked.request;
    if (!models.has(model) && models.size === MODELS_A_BATCH) {
      throw new RequestError('invalid_body', {
        param: 'body.model',
        message: `A batch may name at most ${MODELS_A_BATCH} different models; send the lines of others as another batch.`,
      });
    }
    if (!seen.add(checked.customId)) {
      throw new RequestError('invalid_body', {
        param: 'custom_id',
        message: 'custom_id must be different in each line; an earlier one has the same.',
      });
    }
    models.add(model);
    return checked;
  };

  return {
    check: (line) => {
      try {
        return accept(line);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        wrong += 1;
        const { code, message, param } = error;
        if (errors.length < MOST_ERRORS) errors.push({ line: line.number, code, message, param });
        return null;
      }
    },
    errors,
    wrong: () => wrong,
  };
};
