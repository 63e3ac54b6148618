/** The header `Prefer` (RFC 7240). A preference that nobody knows is ignored, as the RFC has it. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { parameterOf, partsOf } from './header-list.ts';

/** Longer waits can be asked for, and end with the process's own limit. */
export const LONGEST_ASKED_SECONDS = 600;

export type Preferences = {
  /** `respond-async`: to be answered when the work is accepted. */
  respondAsync: boolean;
  /** `wait=N` in milliseconds; 0 if it is not asked for. */
  waitMs: number;
};

/** Throws RequestError 400 for a wait that is none. */
export const preferencesOf = (c: ApiContext): Preferences => {
  // A preference may have parameters of its own, which none of ours has.
  const named = partsOf(c.req.header('prefer') ?? '', ',').map((preference) => partsOf(preference, ';')[0] ?? '');
  const wait = named.map(parameterOf).find((preference) => preference?.name === 'wait');
  const respondAsync = named.some((name) => name.toLowerCase() === 'respond-async');
  if (!wait) return { respondAsync, waitMs: 0 };
  const seconds = /^\d{1,9}$/.test(wait.value) ? Number(wait.value) : 0;
  if (!(seconds >= 1 && seconds <= LONGEST_ASKED_SECONDS)) {
    throw new RequestError('invalid_header', {
      param: 'Prefer',
      message: `Prefer: wait=N takes 1 to ${LONGEST_ASKED_SECONDS} seconds.`,
    });
  }
  return { respondAsync, waitMs: seconds * 1_000 };
};
