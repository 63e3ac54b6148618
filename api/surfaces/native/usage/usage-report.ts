/** What `/v1/usage` says of a ledger's rows: their sums, and the rows brought together in groups. */

import { COUNTERS } from '../../../../shared/domain/records/usage-counters.ts';
import type { Counts, SeeUsage, UsageName } from '../../../../shared/storage/usage/usage-store.ts';

/** What rows can be told apart by, in the order of the columns. */
export const GROUPS = ['day', 'provider', 'model', 'credential'] as const;
export type Group = (typeof GROUPS)[number];

/** `by`: the values of GROUPS, null for those that were not asked for. */
type GroupedRow = { by: (string | null)[]; counts: Counts };

export type UsageReport = { totals: Counts; platform: Counts; user: Counts; rows: GroupedRow[] };

/** A report to be filled row by row, with `see`. */
export const createUsageReport = (groups: readonly Group[]): { see: SeeUsage; finish: () => UsageReport } => {
  const sums = { platform: noCounts(), user: noCounts() };
  const rows = new Map<string, GroupedRow>();
  const byDay = groups.includes('day');
  // Where each name's counts go: found once a day at most, because a year names the same few hundred again and again.
  const places = new Map<UsageName, GroupedRow>();
  let today = '';

  const placeOf = (day: string, name: UsageName): GroupedRow => {
    const values = { day, ...name };
    const by = GROUPS.map((group) => (groups.includes(group) ? values[group] : null));
    const id = by.join('|');
    const place = rows.get(id) ?? { by, counts: noCounts() };
    rows.set(id, place);
    places.set(name, place);
    return place;
  };
  return {
    see: (day, name, counts) => {
      if (byDay && day !== today) {
        places.clear();
        today = day;
      }
      add(sums[name.credential], counts);
      add((places.get(name) ?? placeOf(day, name)).counts, counts);
    },
    finish: () => {
      const totals = noCounts();
      add(totals, sums.platform);
      add(totals, sums.user);
      return { totals, ...sums, rows: [...rows.values()] };
    },
  };
};

const noCounts = (): Counts => new Float64Array(COUNTERS.length);

const add = (sums: Counts, counts: Counts): void => {
  for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + (counts[index] ?? 0);
};
