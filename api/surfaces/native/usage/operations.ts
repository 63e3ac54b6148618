/** GET /v1/usage: what a tenant used, and the limits in force for it. */
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { TenantId } from '../../../../shared/domain/ids.ts';
import { COUNTERS } from '../../../../shared/domain/records/usage-counters.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { JobStore } from '../../../../shared/storage/jobs/job-store.ts';
import type { BudgetStore } from '../../../../shared/storage/usage/budget-store.ts';
import type { BatchLedger, Counts, UsageStore } from '../../../../shared/storage/usage/usage-store.ts';
import { operation } from '../../../access/operation.ts';
import { prefersCsv } from '../../../http/headers/prefers-csv.ts';
import { listText } from '../../../http/query/read-query.ts';
import { batchGone, noBatch } from '../../../intake/uploads/accept-batch.ts';
import type { TakeTurns } from '../take-turns.ts';
import { toLimitsReport } from './limits-report.ts';
import { type Counters, type Usage, type UsageRow, usage as usageForm } from './schema.ts';
import { usageCsv } from './usage-csv.ts';
import { createUsageReport, GROUPS, type UsageReport } from './usage-report.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 366;

const day = z.iso.date();

export const usageQuery = z.strictObject({
  from: day.optional(),
  to: day.optional(),
  group_by: listText(GROUPS).default([...GROUPS]),
  batch_id: z.string().optional(),
});

const refuse = (param: 'from' | 'to', message: string): never => {
  throw new RequestError('invalid_query', { param, message });
};

const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The range that is asked for, by default all since the batch's first day, or this month so far. Refused where it has no day of the past or too many. */
const rangeOf = (query: z.infer<typeof usageQuery>, today: string, firstDay: string | null) => {
  const to = query.to ?? (query.from !== undefined && query.from > today ? query.from : today);
  const from = query.from ?? (firstDay !== null && firstDay <= to ? firstDay : `${to.slice(0, 7)}-01`);
  const count = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  if (count < 1) refuse('from', 'from must not be after to.');
  if (count > MOST_DAYS) refuse('from', `A range has at most ${MOST_DAYS} days.`);
  if (from > today) {
    refuse(query.from === undefined ? 'to' : 'from', `A range must not begin in the future: today is ${today} (UTC).`);
  }
  return { from, to, days: Array.from({ length: count }, (_, index) => dayText(Date.parse(from) + index * DAY_MS)) };
};

const countsJson = (counts: Counts): Counters => {
  const json: Partial<Counters> = {};
  for (const [index, counter] of COUNTERS.entries()) {
    const count = counts[index] ?? 0;
    if (counter === 'cost_nano') json.cost_usd = count / 1e9;
    else json[counter] = count;
  }
  // A cast because what was counted was each of them.
  return json as Counters;
};

const rowJson = ({ by, counts }: UsageReport['rows'][number]): UsageRow => {
  const names: Record<string, string> = {};
  for (const [index, group] of GROUPS.entries()) {
    const value = by[index];
    if (typeof value === 'string') names[group] = value;
  }
  return Object.assign(names, countsJson(counts));
};

const batchLedger = async (
  tenant: TenantId,
  id: string,
  { usage, batchIds }: Pick<Needs, 'usage' | 'batchIds'>,
): Promise<BatchLedger> => {
  if (!batchIds.isGenuine(tenant, id)) {
    throw noBatch('batch_id');
  }
  const ledger = await usage.ofBatch(tenant, id);
  if (ledger === null) throw batchGone();
  return ledger;
};

type Needs = {
  takeTurns: TakeTurns;
  usage: UsageStore;
  budgets: BudgetStore;
  jobs: Pick<JobStore, 'storedBytes'>;
  batchIds: BatchIds;
  now: () => number;
};

export const USAGE_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/v1/usage',
    access: 'usage:read',
    summary: 'Tokens and cost, in totals and rows; as CSV the rows',
    query: usageQuery,
    answers: {
      200: {
        description: 'What the tenant used.',
        schema: usageForm,
        type: 'text/csv',
        headers: ['Vary', 'Content-Disposition'],
      },
    },
    errors: ['not_found', 'result_expired'],
    handle:
      ({ takeTurns, usage, budgets, jobs, batchIds, now }: Needs) =>
      (c, query) =>
        takeTurns(c, async () => {
          const tenant = c.get('tenant');
          const batch =
            query.batch_id === undefined ? null : await batchLedger(tenant, query.batch_id, { usage, batchIds });
          const { from, to, days } = rangeOf(query, dayText(now()), batch && dayText(batch.acceptedMs));
          const { see, finish } = createUsageReport(query.group_by);
          if (batch === null) await usage.read(tenant, days, see);
          else batch.show((day, name, counts) => day >= from && day <= to && see(day, name, counts));
          const report = finish();
          c.header('Vary', 'Accept');
          if (prefersCsv(c.req.header('accept'))) {
            c.header('Content-Type', 'text/csv; charset=utf-8; header=present');
            c.header('Content-Disposition', `attachment; filename="usage-${from}-${to}.csv"`);
            return c.body(usageCsv(report));
          }
          const [month, storedBytes] = await Promise.all([budgets.read(tenant), jobs.storedBytes(tenant)]);
          return c.json<Usage>({
            object: 'usage',
            tenant,
            from,
            to,
            totals: countsJson(report.totals),
            platform: countsJson(report.platform),
            user: countsJson(report.user),
            limits: toLimitsReport(c.get('caller').limits, { budgets: month, storedBytes }),
            data: report.rows.map(rowJson),
          });
        }),
  }),
];
