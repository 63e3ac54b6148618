/** A batch's lines from the body of a request: cut, checked and passed on chunk by chunk. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { BatchOffer } from './accept-batch.ts';
import type { BatchForm, BatchOptions } from './batch-form.ts';
import type { LineRules } from './check-line.ts';
import { createLineCheck, type LineCheck, MOST_ERRORS } from './check-lines.ts';
import type { Line } from './split-lines.ts';
import { createUploadMeaning, type UploadMeaning } from './upload-meaning.ts';

type Upload = {
  form: BatchForm;
  chunks: AsyncIterable<Buffer>;
  rules: LineRules;
  mostLines: number;
  /** See `createUploadMeaning`. */
  compared: boolean;
};

/** Reads as fast as the lines are taken; `fill` throws RequestError where the batch is refused. */
export const fillFromUpload = ({
  form,
  chunks,
  rules,
  mostLines,
  compared,
}: Upload): Pick<BatchOffer, 'fill' | 'request'> => {
  const { splitter } = form;
  const meaning = createUploadMeaning(form, { compared });
  let isFilled = false;
  return {
    fill: async (add) => {
      const check = createLineCheck({ rules, mostLines });
      let accepted = 0;
      const take = async (lines: Iterable<Line>): Promise<void> => {
        const good = check.take(meaning.lines(lines));
        const isRefused = check.wrong() > 0 && form.knownOptions()?.onInvalid === 'reject';
        if (isRefused && check.errors.length === MOST_ERRORS) throw refusal(check);
        accepted += good.length;
        if (!isRefused) await add(good);
      };
      for await (const chunk of chunks) {
        meaning.chunk(chunk);
        await take(splitter.push(chunk));
      }
      await take(splitter.end());
      isFilled = true;

      const { onInvalid, ...options }: BatchOptions = form.options();
      if (check.wrong() > 0 && (onInvalid === 'reject' || accepted === 0)) throw refusal(check);
      if (accepted === 0) {
        throw new RequestError('invalid_body', { message: 'A batch needs at least one line; this one has none.' });
      }
      return { ...options, errors: check.errors, skipped: check.wrong() };
    },
    request: async () => {
      if (!isFilled) await readOnly(form, chunks, meaning);
      return meaning.texts();
    },
  };
};

/** Reads an upload for what it means alone. */
const readOnly = async (
  { splitter }: BatchForm,
  chunks: AsyncIterable<Buffer>,
  meaning: UploadMeaning,
): Promise<void> => {
  let isBatch = true;
  const look = (cut: () => Iterable<Line>): void => {
    try {
      for (const _ of isBatch ? meaning.lines(cut()) : []);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      isBatch = false;
      meaning.unclear();
    }
  };
  for await (const chunk of chunks) {
    meaning.chunk(chunk);
    look(() => splitter.push(chunk));
  }
  look(() => splitter.end());
};

const refusal = ({ errors, wrong }: LineCheck): RequestError => {
  const many = errors.length === MOST_ERRORS ? `${MOST_ERRORS} lines or more` : `${wrong()} lines`;
  const [what, them] = wrong() === 1 ? ['1 line of this batch is', 'it'] : [`${many} of this batch are`, 'them'];
  return new RequestError('invalid_body', {
    lines: errors,
    message: `${what} not valid, so nothing was accepted: correct ${them}, or leave ${them} out with on_invalid=skip.`,
  });
};
