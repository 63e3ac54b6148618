/** From a body in foreign words to a request in the neutral form, with what was wrong named as the client named it. */
import type { RequestError } from '../../../shared/domain/errors.ts';
import type { Warning } from '../../../shared/domain/jobs/schema.ts';
import { pathText } from '../../../shared/domain/wording/explain-issue.ts';
import { parseOr } from '../../http/query/parse-or.ts';
import { completionBody } from '../completion-body.ts';
import { type Lack, type OnUnsupported, refusalOf, warningsOf } from '../support/lacks.ts';
import type { Names } from '../support/names.ts';
import { createOrigins } from './origins.ts';
import { type Reading, Sent } from './sent.ts';

/** Makes the neutral form of a body; what it cannot carry it notes as lacking. */
export type Translate = (body: Sent) => object;

/** What a client of these paths says in headers. */
const translatedBody = completionBody.omit({ on_unsupported: true, timeout_seconds: true });

type ReadTranslated = {
  fields: ReturnType<typeof parseOr<typeof translatedBody>>;
  names: Names;
  /** That something has no place in the neutral form, if it is not to be left out; else null. */
  refusal: RequestError | null;
  warnings: Warning[];
};

/** How a client of these paths asks for `on_unsupported`. */
const WARN = 'X-Gateway-Unsupported: warn';

/** A job keeps its warnings: so many kinds of them. */
const MAX_WARNINGS = 32;

/** The first thing that there is no room for a warning of. */
const tooMany = (lacks: readonly Lack[]): Lack | undefined => {
  const first = [...Map.groupBy(lacks, ({ says }) => says).values()][MAX_WARNINGS]?.[0];
  return first && { ...first, fixed: true };
};

/** Throws RequestError `invalid_body`. */
export const readTranslated = (json: unknown, translate: Translate, onUnsupported: OnUnsupported): ReadTranslated => {
  const reading: Reading = { lacks: [], origins: createOrigins() };
  const { lacks, origins } = reading;
  const body = new Sent(json, [], reading);
  const made = body.read(translate);
  const names: Names = {
    // A cast because the paths of JSON hold no symbols.
    of: (path) => pathText(origins.of(made ?? {}, path as readonly (string | number)[])),
    warnBy: WARN,
  };
  // What lacks is named by where it stands in the body already.
  const asSent: Names = { of: pathText, warnBy: WARN };
  const refused = onUnsupported === 'reject' ? lacks[0] : (lacks.find(({ fixed }) => fixed) ?? tooMany(lacks));
  const refusal = refused ? refusalOf(refused, asSent) : null;
  try {
    const fields = parseOr('invalid_body', translatedBody, made === body ? json : made, 'The body', names.of);
    return { fields, names, refusal, warnings: refused ? [] : warningsOf(lacks, asSent) };
  } catch (error) {
    // Without what lacks, the rest can look wrong.
    throw refusal ?? error;
  }
};
