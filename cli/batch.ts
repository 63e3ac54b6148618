/** `npm run batch -- …`: sends a file of lines to a gateway, follows the batch, fetches its results, cancels it and runs again what failed. A client of the public interface only. */
import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Batch } from '../shared/domain/batches/schema.ts';
import { createGatewayClient, type GatewayClient } from './batches/gateway-client.ts';
import { createProgress } from './batches/progress.ts';
import { openResults } from './batches/results-file.ts';
import { CommandError, runCommand, say, withJson } from './command/run-command.ts';
import { tableText } from './command/table.ts';

type Options = {
  url?: string;
  json?: boolean;
  wait?: boolean;
  output?: string;
  deadlineSeconds?: string;
  onInvalid?: string;
  idempotencyKey?: string;
  only?: string;
};

const program = new Command('npm run batch --')
  .description(
    'Batches of a gateway. GATEWAY_API_KEY is the platform key; GATEWAY_USER_API_KEY and GATEWAY_USER_PROVIDER run the lines on a user’s own key.',
  )
  .showHelpAfterError();

/** Files are those of whoever types, wherever npm runs this. */
const TYPED_IN = process.env.INIT_CWD ?? process.cwd();

/** Keys come from the environment only: others on the machine can see what is typed behind a command. */
const clientFor = ({ url }: Options): GatewayClient => {
  const { GATEWAY_URL, GATEWAY_API_KEY, GATEWAY_USER_API_KEY, GATEWAY_USER_PROVIDER } = process.env;
  if (!GATEWAY_API_KEY) throw new CommandError('Set GATEWAY_API_KEY to your platform key.');
  for (const [name, value = ''] of Object.entries({ GATEWAY_API_KEY, GATEWAY_USER_API_KEY, GATEWAY_USER_PROVIDER })) {
    if (!/^[\x21-\x7e]*$/.test(value))
      throw new CommandError(`${name} holds a space, a line break or other characters that no key has: copy it again.`);
  }
  return createGatewayClient({
    url: (url ?? GATEWAY_URL ?? 'http://localhost:4000').replace(/\/+$/, ''),
    key: GATEWAY_API_KEY,
    user: {
      ...(GATEWAY_USER_API_KEY && { 'X-User-API-Key': GATEWAY_USER_API_KEY }),
      ...(GATEWAY_USER_PROVIDER && { 'X-User-Provider': GATEWAY_USER_PROVIDER }),
    },
  });
};

const openFile = async (file: string): Promise<Blob> => {
  try {
    return await openAsBlob(resolve(TYPED_IN, file));
  } catch {
    throw new CommandError(`${file} cannot be read.`);
  }
};

const batchText = (batch: Batch, { json }: Options): string => {
  if (json) return JSON.stringify(batch);
  const { id, status, provider, credential, request_counts, usage, skipped, created_at, finished_at, deadline_at } =
    batch;
  const { total_tokens, cost_usd } = usage;
  const shown = {
    id,
    status,
    provider,
    credential,
    ...request_counts,
    skipped,
    total_tokens,
    cost_usd,
    created_at,
    finished_at,
    deadline_at,
  };
  return tableText(['field', 'value'], Object.entries(shown));
};

/** Follows it to its end where that is wished, fetches the results, and says where they are. */
const fetchResults = async (client: GatewayClient, id: string, options: Options): Promise<void> => {
  // Standard output is for what was asked for.
  if (options.wait) await client.follow(id, createProgress(process.stderr));
  const path = resolve(TYPED_IN, options.output ?? `${id}.results.ndjson`);
  const results = await openResults(path, id);
  // Before the download: what ends meanwhile may be in it or not.
  const { total, queued, in_progress } = (await client.read(id)).request_counts;
  const lines = await results.append((after) => client.results(id, after), { atLeast: total - queued - in_progress });
  const batch = await client.read(id);
  say(batchText(batch, options));
  process.stderr.write(`${lines} results in ${path}\n`);
};

/** Of a batch that was just accepted: as it stands, or with --wait its results. */
const showAccepted = async (client: GatewayClient, batch: Batch, options: Options): Promise<void> => {
  if (!options.wait) return say(batchText(batch, options));
  process.stderr.write(`${batch.id} accepted; after an interruption: npm run batch -- results ${batch.id} --wait\n`);
  await fetchResults(client, batch.id, options);
};

const withUrl = (command: Command): Command =>
  withJson(command).option('--url <url>', 'of the gateway; else GATEWAY_URL, else http://localhost:4000');
const withResults = (command: Command): Command =>
  withUrl(command)
    .option('--wait', 'follow it until it is over')
    .option('--output <file>', 'for the results; a file that was cut short is continued');

withResults(
  program.command('submit <file>').description('sends a file of lines of JSON; with --wait it fetches the results too'),
)
  .option('--deadline-seconds <seconds>', 'of the whole batch')
  .option('--on-invalid <reject|skip>', 'what becomes of a batch with bad lines')
  .option('--idempotency-key <key>', 'to send the same file again after an interruption')
  .action(async (file: string, options: Options) => {
    const client = clientFor(options);
    const query = new URLSearchParams({
      ...(options.deadlineSeconds && { deadline_seconds: options.deadlineSeconds }),
      ...(options.onInvalid && { on_invalid: options.onInvalid }),
    });
    const blob = await openFile(file);
    const batch = await client.submit(blob, query, options.idempotencyKey ?? randomUUID());
    await showAccepted(client, batch, options);
  });

withUrl(program.command('status <id>').description('shows a batch as it stands')).action(
  async (id: string, options: Options) => say(batchText(await clientFor(options).read(id), options)),
);

withResults(program.command('results <id>').description('appends the results that are ready to the file')).action(
  (id: string, options: Options) => fetchResults(clientFor(options), id, options),
);

withUrl(program.command('cancel <id>').description('cancels what has not ended')).action(
  async (id: string, options: Options) => say(batchText(await clientFor(options).cancel(id), options)),
);

withResults(
  program
    .command('retry <id>')
    .description(
      'runs lines that failed or expired again, as a batch of their own; with --wait it fetches the results',
    ),
)
  .option('--only <failed,expired>', 'which of them; both when left out')
  .option('--idempotency-key <key>', 'to ask for the same again after an interruption')
  .action(async (id: string, options: Options) => {
    const client = clientFor(options);
    const batch = await client.retry(id, options.only?.split(','), options.idempotencyKey ?? randomUUID());
    await showAccepted(client, batch, options);
  });

await runCommand(program);
