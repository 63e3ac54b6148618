/** A batch's lines from the body of a request: cut, checked and passed on chunk by chunk. */
import { createHash } from 'node:crypto';
import { RequestError } from '../../shared/errors.ts';
import type { BatchOffer } from '../accept-batch.ts';
import type { BatchForm, BatchOptions } from './batch-form.ts';
import type { LineRules } from './check-line.ts';
import { createLineCheck, type LineCheck, MOST_ERRORS } from './check-lines.ts';
import type { Line } from './split-lines.ts';

type Upload = {
  form: BatchForm;
  chunks: AsyncIterable<Buffer>;
  rules: LineRules;
  mostLines: number;
};

/** Reads as fast as the lines are taken; `fill` throws RequestError where the batch is refused. */
export const fillFromUpload = ({ form, chunks, rules, mostLines }: Upload): Pick<BatchOffer, 'fill' | 'request'> => {
  const { splitter } = form;
  const body = createHash('sha256');
  return {
    fill: async (add) => {
      const check = createLineCheck({ rules, mostLines });
      let accepted = 0;
      const take = async (lines: Iterable<Line>): Promise<void> => {
        const good = check.take(lines);
        const isRefused = check.wrong() > 0 && form.knownOptions()?.onInvalid === 'reject';
        if (isRefused && check.errors.length === MOST_ERRORS) throw refusal(check);
        accepted += good.length;
        if (!isRefused) await add(good);
      };
      for await (const chunk of chunks) {
        body.update(chunk);
        await take(splitter.push(chunk));
      }
      await take(splitter.end());

      const { onInvalid, ...options }: BatchOptions = form.options();
      if (check.wrong() > 0 && (onInvalid === 'reject' || accepted === 0)) throw refusal(check);
      if (accepted === 0) {
        throw new RequestError('invalid_body', { message: 'A batch needs at least one line; this one has none.' });
      }
      return { ...options, errors: check.errors, skipped: check.wrong() };
    },
    request: async () => {
      for await (const chunk of chunks) body.update(chunk);
      return JSON.stringify([form.besides, body.digest('base64url')]);
    },
  };
};

const refusal = ({ errors, wrong }: LineCheck): RequestError => {
  const many = errors.length === MOST_ERRORS ? `${MOST_ERRORS} lines or more` : `${wrong()} lines`;
  const [what, them] = wrong() === 1 ? ['1 line of this batch is', 'it'] : [`${many} of this batch are`, 'them'];
  return new RequestError('invalid_body', {
    lines: errors,
    message: `${what} not valid, so nothing was accepted: correct ${them}, or leave ${them} out with on_invalid=skip.`,
  });
};
