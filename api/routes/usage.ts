import type { Hono } from 'hono';
import { z } from 'zod';
import { RequestError } from '../../shared/errors.ts';
import {
  addUsage,
  noUsage,
  type UsageCounters,
  type UsageRow,
  type UsageStore,
} from '../../shared/stores/usage-store.ts';
import type { ApiEnv } from '../context.ts';
import { readQuery } from '../read-query.ts';
import { route } from '../route.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 366;
const GROUPS = ['day', 'provider', 'model', 'credential'] as const;
type Group = (typeof GROUPS)[number];

const day = z.iso.date();

export const usageQuery = z.strictObject({
  from: day.optional(),
  to: day.optional(),
  group_by: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(GROUPS)))
    .default([...GROUPS]),
});

/** The UTC days from first to last, both inclusive; throws where there are none or too many. */
const daysBetween = (from: string, to: string): string[] => {
  const first = Date.parse(from);
  const count = (Date.parse(to) - first) / DAY_MS + 1;
  if (count < 1) throw new RequestError('invalid_query', { param: 'from', message: 'from must not be after to.' });
  if (count > MOST_DAYS) {
    throw new RequestError('invalid_query', { param: 'from', message: `A range has at most ${MOST_DAYS} days.` });
  }
  return Array.from({ length: count }, (_, index) => new Date(first + index * DAY_MS).toISOString().slice(0, 10));
};

const countersJson = ({ cost_nano, ...counters }: UsageCounters) => ({ ...counters, cost_usd: cost_nano / 1e9 });

const sumOf = (rows: readonly UsageRow[]): UsageCounters => {
  const sum = noUsage();
  for (const row of rows) addUsage(sum, row);
  return sum;
};

const groupRows = (rows: readonly UsageRow[], groups: readonly Group[]) => {
  const chosen = GROUPS.filter((group) => groups.includes(group));
  const byKey = Map.groupBy(rows, (row) => chosen.map((group) => row[group]).join('|'));
  return [...byKey.values()].flatMap((members) => {
    const [first] = members;
    if (!first) return [];
    const names = Object.fromEntries(chosen.map((group) => [group, first[group]]));
    return [{ ...names, ...countersJson(sumOf(members)) }];
  });
};

export const addUsageRoute = (app: Hono<ApiEnv>, { usage, now }: { usage: UsageStore; now: () => number }): void => {
  route(app, '/v1/usage', {
    GET: async (c) => {
      const query = readQuery(c, usageQuery);
      const today = new Date(now()).toISOString().slice(0, 10);
      const to = query.to ?? today;
      const from = query.from ?? `${to.slice(0, 7)}-01`;
      const rows = await usage.rows(c.get('tenant'), daysBetween(from, to));
      return c.json({
        object: 'usage',
        tenant: c.get('tenant'),
        from,
        to,
        totals: countersJson(sumOf(rows)),
        platform: countersJson(sumOf(rows.filter(({ credential }) => credential === 'platform'))),
        user: countersJson(sumOf(rows.filter(({ credential }) => credential === 'user'))),
        limits: null,
        data: groupRows(rows, query.group_by),
      });
    },
  });
};
