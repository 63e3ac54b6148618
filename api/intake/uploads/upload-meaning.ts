/** What makes two uploads of a batch the same: what they mean, in whatever words and order they say it. */
import { createHash } from 'node:crypto';
import { RequestError } from '../../../shared/domain/errors.ts';
import { canonicalJson } from '../../http/body/canonical-json.ts';
import { parseJson } from '../../http/body/parse-json.ts';
import { asMeant } from '../as-meant.ts';
import type { BatchForm } from './batch-form.ts';
import type { Line } from './split-lines.ts';

/** Texts that stand for a request. `former`: as the release before made it, whose entries stay for a day. */
export type RequestTexts = { meaning: string; former: string };

export type UploadMeaning = {
  /** The upload as it comes, in its order. */
  chunk: (bytes: Buffer) => void;
  /** The same lines, noted as they are asked for. */
  lines: (lines: Iterable<Line>) => Iterable<Line>;
  /** From here on the upload is no batch: only its bytes tell it from others. */
  unclear: () => void;
  texts: () => RequestTexts;
};

/** `compared`: whether the request may be held against another, which costs a second look at each line. */
export const createUploadMeaning = (
  form: Pick<BatchForm, 'name' | 'besides' | 'members'>,
  { compared }: { compared: boolean },
): UploadMeaning => {
  const body = createHash('sha256');
  const meanings = createHash('sha256');
  let isClear = compared;

  const note = ({ bytes }: Line): void => {
    if (bytes === null) {
      isClear = false;
      return;
    }
    try {
      meanings.update(`${canonicalJson(parseJson(bytes, 'The line'))}\n`);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      // No JSON begins so.
      meanings.update(`!${bytes.length}:`).update(bytes);
    }
  };

  return {
    chunk: (bytes) => {
      body.update(bytes);
    },
    *lines(lines) {
      for (const line of lines) {
        if (isClear) note(line);
        yield line;
      }
    },
    unclear: () => {
      isClear = false;
    },
    texts: () => {
      const digest = body.digest('base64url');
      const meaning = isClear
        ? [form.name, canonicalJson(asMeant(form.members())), meanings.digest('base64url')]
        : [form.name, form.besides, digest];
      return { meaning: JSON.stringify(meaning), former: JSON.stringify([form.besides, digest]) };
    },
  };
};
