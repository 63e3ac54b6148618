/** `npm run audit -- …`: whether the audit log is as it was written. */
import { Command } from 'commander';
import { type Anchor, type ChainReport, parseAnchor, verifyChain } from '../../shared/audit/verify-chain.ts';
import { withStores } from './open-stores.ts';
import { CommandError, runCommand, say, withJson } from './run-command.ts';
import { tableText } from './table.ts';

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
      report.broken === null ? 'yes' : 'NO',
      report.verified_rows,
      report.since,
      report.sealed_late,
      report.unsealed_rows,
      report.unsealed_since,
      report.anchor,
    ]),
  );
  const broken = reports.flatMap(({ chain, broken: what }) => (what === null ? [] : [`${chain} is broken: ${what}.`]));
  return [table, ...broken].join('\n');
};

const program = new Command('npm run audit --')
  .description('The audit log, in the Redis of this gateway.')
  .showHelpAfterError();

withJson(
  program.command('verify').description('checks that no row was changed, removed, added or moved since it was sealed'),
)
  .option('--anchor <anchors...>', 'seals noted elsewhere that the chains must still hold')
  .action(({ json, anchor = [] }: { json?: boolean; anchor?: string[] }) =>
    withStores(process.env, async ({ audit, seals }) => {
      const anchors = anchor.map(anchorIn);
      const foreign = anchors.find(({ chain }) => !audit.chains.includes(chain));
      if (foreign) throw new CommandError(`There is no chain ${foreign.chain} here.`);
      const reports: ChainReport[] = [];
      for (const chain of audit.chains) {
        const expected = anchors.filter((each) => each.chain === chain);
        reports.push(await verifyChain({ audit, seals }, chain, expected));
      }
      say(json ? JSON.stringify(reports) : reportText(reports));
      if (reports.some(({ broken }) => broken !== null)) process.exitCode = 1;
    }),
  );

await runCommand(program);
