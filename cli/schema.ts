/** `npm run schema`: the version of what this gateway's Redis stores, and how the operator raises it after an upgrade. */
import { Command } from 'commander';
import { NEWEST_SCHEMA, OLDEST_SCHEMA, SchemaHeld } from '../shared/storage/schema/schema-store.ts';
import { withStores } from './command/open-stores.ts';
import { CommandError, runCommand, say, withJson } from './command/run-command.ts';

const sentence = ({ lowest, highest }: { lowest: number; highest: number }): string => {
  const held =
    lowest === highest ? `schema ${lowest}` : `schema ${lowest} to ${highest}, because a raise was cut short`;
  const next =
    lowest === NEWEST_SCHEMA
      ? 'There is nothing to raise.'
      : 'When no process of the release before runs any more: npm run schema -- raise';
  return `The data is of ${held}; this release knows ${OLDEST_SCHEMA} to ${NEWEST_SCHEMA}. ${next}`;
};

const program = new Command('npm run schema --')
  .description('The version of what is stored, in the Redis of this gateway.')
  .showHelpAfterError();

const show = ({ json }: { json?: boolean }): Promise<void> =>
  withStores(process.env, async ({ schema }) => {
    const held = await schema.read();
    say(json ? JSON.stringify({ ...held, oldest_known: OLDEST_SCHEMA, newest_known: NEWEST_SCHEMA }) : sentence(held));
  });

withJson(program.command('show', { isDefault: true }).description('show it')).action(show);

withJson(
  program
    .command('raise')
    .description('let this release write its own forms; refused while a worker runs that cannot read them'),
).action(async (options: { json?: boolean }) => {
  await withStores(process.env, async ({ schema }) => {
    try {
      await schema.raise(Date.now());
    } catch (error) {
      throw error instanceof SchemaHeld ? new CommandError(error.message) : error;
    }
  });
  await show(options);
});

await runCommand(program);
