/** What the fields of a request are called where it came from. */
import { type NameOf, pathText } from '../../../shared/domain/wording/explain-issue.ts';

export type Names = {
  /** By the path that it has in the neutral form; `param` has it so. */
  of: NameOf;
  /** How the client asks to have left out what its provider does not take. */
  warnBy: string;
};

const WARN = 'on_unsupported: "warn"';

export const BODY_NAMES: Names = { of: pathText, warnBy: WARN };
/** Of a line of a batch. */
export const LINE_NAMES: Names = { of: (path) => pathText(['body', ...path]), warnBy: WARN };
