/** What cannot be taken of a request: refused, or left out with a word. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { Warning } from '../../../shared/domain/jobs/schema.ts';
import type { Names } from './names.ts';
import type { Path } from './without.ts';

/** `warn` leaves out what can be left out. */
export type OnUnsupported = 'reject' | 'warn';

/** `says` is a sentence without its end. `fixed`: there is nothing to leave out. */
export type Lack = { path: Path; says: string; fixed?: true };

export const refusalOf = ({ path, says, fixed }: Lack, { of, warnBy }: Names): RequestError => {
  const advice = fixed ? '' : `: leave it out, or have it left out by ${warnBy}`;
  return new RequestError('unsupported_by_provider', { param: of(path), message: `${says}${advice}.` });
};

/** One warning for each thing, however often it stands there. */
export const warningsOf = (lacks: readonly Lack[], { of }: Names): Warning[] =>
  [...Map.groupBy(lacks, ({ says }) => says)].map(([says, [first, ...others]]) => ({
    param: of(first?.path ?? []),
    reason: `${says}; it was left out${others.length > 0 ? `, here and in ${others.length} more places` : ''}.`,
  }));
