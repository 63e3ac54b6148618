/** `npm run audit -- …`: what the audit log says, and whether it is as it was written. */
import { Command } from 'commander';
import { z } from 'zod';
import type { AuditRow } from '../shared/domain/audit/audit-row.ts';
import { isTenantId } from '../shared/domain/ids.ts';
import type { AuditPage, AuditPlace } from '../shared/storage/audit/audit-store.ts';
import { type Anchor, type ChainReport, parseAnchor, verifyChain } from '../shared/storage/audit/verify-chain.ts';
import { withStores } from './command/open-stores.ts';
import { CommandError, check, runCommand, say, withJson } from './command/run-command.ts';
import { tableText } from './command/table.ts';

const anchorIn = (text: string): Anchor => {
  const anchor = parseAnchor(text);
  if (!anchor) throw new CommandError('An anchor looks like s0:128:…, as verify prints it.');
  return anchor;
};

const reportText = (reports: readonly ChainReport[]): string => {
  const table = tableText(
    ['chain', 'holds', 'rows verified', 'since', 'sealed late', 'not sealed yet', 'since', 'anchor'],
    reports.map((report) => [
      report.chain,
      report.holds ? 'yes' : 'NO',
      report.verified_rows,
      report.since,
      report.sealed_late,
      report.unsealed_rows,
      report.unsealed_since,
      report.anchor,
    ]),
  );
  const broken = reports.flatMap(({ chain, flaws }) => flaws.map(({ text }) => `${chain} is broken: ${text}.`));
  return [table, ...broken].join('\n');
};

/** What all rows have in columns, and the rest of each as it is named. */
const rowsText = (rows: readonly AuditRow[]): string =>
  tableText(
    ['id', 'time', 'kind', 'tenant', 'what'],
    rows.map(({ id, time, kind, tenant, ...rest }) => [
      id,
      time,
      kind,
      tenant,
      Object.entries(rest)
        .flatMap(([name, value]) =>
          value === null || name === 'object'
            ? []
            : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
        )
        .join(' '),
    ]),
  );

const PAGE = 100;
const listOptions = z.object({
  tenant: z.string().refine(isTenantId, 'must be the id of a tenant').optional(),
  limit: z
    .string()
    .refine((text) => /^[1-9]\d{0,5}$/.test(text), 'must be a whole number from 1 to 999999')
    .transform(Number),
});

const program = new Command('npm run audit --')
  .description('The audit log, in the Redis of this gateway.')
  .showHelpAfterError();

withJson(
  program.command('verify').description('checks that no row was changed, removed, added or moved since it was sealed'),
)
  .option('--anchor <anchors...>', 'seals noted elsewhere that the chains must still hold')
  .action(({ json, anchor = [] }: { json?: boolean; anchor?: string[] }) =>
    withStores(process.env, async ({ audit, seals, anchors: kept }) => {
      const anchors = [...kept, ...anchor.map(anchorIn)];
      const foreign = anchors.find(({ chain }) => !audit.chains.includes(chain));
      if (foreign) throw new CommandError(`There is no chain ${foreign.chain} here.`);
      const reports: ChainReport[] = [];
      for (const chain of audit.chains) {
        const expected = anchors.filter((each) => each.chain === chain);
        reports.push(await verifyChain({ audit, seals }, chain, expected));
      }
      say(json ? JSON.stringify(reports) : reportText(reports));
      if (reports.some(({ holds }) => !holds)) process.exitCode = 1;
    }),
  );

withJson(program.command('list').description('shows the newest rows, newest first'))
  .option('--tenant <tenant>', 'of one tenant')
  .option('--limit <rows>', 'how many', '50')
  .action((options: { json?: boolean; tenant?: string; limit: string }) =>
    withStores(process.env, async ({ audit }) => {
      const { tenant = null, limit } = check(listOptions, options);
      const rows: AuditRow[] = [];
      for (let after: AuditPlace | null = null; rows.length < limit; ) {
        const page: AuditPage = await audit.list({ tenant, limit: Math.min(limit - rows.length, PAGE), after });
        rows.push(...page.rows);
        if (page.next === null) break;
        after = page.next;
      }
      say(options.json ? JSON.stringify(rows) : rowsText(rows));
    }),
  );

await runCommand(program);
