/** A batch's lines from the body of a request: cut, checked and passed on chunk by chunk. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { NewLine } from '../../../shared/storage/batches/batch-staging.ts';
import type { BatchOffer } from './accept-batch.ts';
import type { BatchForm, BatchOptions } from './batch-form.ts';
import type { LineRules } from './check-line.ts';
import { createLineCheck, type LineCheck, MOST_ERRORS } from './check-lines.ts';
import type { Line } from './split-lines.ts';
import { createUploadMeaning, type UploadMeaning } from './upload-meaning.ts';
import { createYielding } from './yielding.ts';

type Upload = {
  form: BatchForm;
  chunks: AsyncIterable<Buffer>;
  rules: LineRules;
  /** See `createUploadMeaning`. */
  compared: boolean;
};

/** What a line costs at least, in bytes; one that can be run has as many. */
const LEAST_LINE_BYTES = 64;

export type UploadFill = Pick<BatchOffer, 'fill' | 'request'> & {
  /** Bytes that came and are in no line of the batch; a short line that was left out counts as much as a short one that was not. */
  leftOutBytes: () => number;
};

/** Reads as fast as the lines are taken; `fill` throws RequestError where the batch is refused. */
export const fillFromUpload = ({ form, chunks, rules, compared }: Upload): UploadFill => {
  const { splitter } = form;
  const meaning = createUploadMeaning(form, { compared });
  const check = createLineCheck(rules);
  const yielding = createYielding();
  let isFilled = false;
  let leftOutBytes = 0;
  return {
    fill: async (add) => {
      let accepted = 0;
      const isRefused = (): boolean => check.wrong() > 0 && form.knownOptions()?.onInvalid === 'reject';
      const pass = async (good: readonly NewLine[]): Promise<void> => {
        accepted += good.length;
        if (!isRefused() && good.length > 0) await add(good);
      };
      const take = async (lines: Iterable<Line>): Promise<void> => {
        let good: NewLine[] = [];
        for (const line of meaning.lines(lines)) {
          const checked = check.check(line);
          if (checked !== null) {
            good.push(checked);
            leftOutBytes -= line.bytes?.length ?? 0;
          } else {
            leftOutBytes += LEAST_LINE_BYTES;
            if (check.errors.length === MOST_ERRORS && isRefused()) throw refusal(check);
          }
          const others = yielding();
          if (others === null) continue;
          await pass(good);
          good = [];
          await others;
        }
        await pass(good);
      };
      for await (const chunk of chunks) {
        leftOutBytes += chunk.length;
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
      if (!isFilled) await readOnly(form, chunks, meaning, yielding);
      return meaning.texts();
    },
    leftOutBytes: () => leftOutBytes,
  };
};

/** Reads an upload for what it means alone. */
const readOnly = async (
  { splitter }: BatchForm,
  chunks: AsyncIterable<Buffer>,
  meaning: UploadMeaning,
  yielding: ReturnType<typeof createYielding>,
): Promise<void> => {
  let isBatch = true;
  const look = async (cut: () => Iterable<Line>): Promise<void> => {
    try {
      for (const _ of isBatch ? meaning.lines(cut()) : []) {
        const others = yielding();
        if (others !== null) await others;
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      isBatch = false;
      meaning.unclear();
    }
  };
  for await (const chunk of chunks) {
    meaning.chunk(chunk);
    await look(() => splitter.push(chunk));
  }
  await look(() => splitter.end());
};

const refusal = ({ errors, wrong }: LineCheck): RequestError => {
  const many = errors.length === MOST_ERRORS ? `${MOST_ERRORS} lines or more` : `${wrong()} lines`;
  const [what, them] = wrong() === 1 ? ['1 line of this batch is', 'it'] : [`${many} of this batch are`, 'them'];
  return new RequestError('invalid_body', {
    lines: errors,
    message: `${what} not valid, so nothing was accepted: correct ${them}, or leave ${them} out with on_invalid=skip.`,
  });
};
