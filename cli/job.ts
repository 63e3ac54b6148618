/** `npm run job -- <id>`: a job, its attempts and its delivery, for whoever runs the gateway. What was asked and answered is not shown. */
import { Command } from 'commander';
import { deliveryOf, isJobId } from '../shared/domain/ids.ts';
import { toListedJob } from '../shared/domain/jobs/job.ts';
import type { ListedJob } from '../shared/domain/jobs/schema.ts';
import type { Delivery } from '../shared/domain/webhooks/schema.ts';
import { withStores } from './command/open-stores.ts';
import { CommandError, runCommand, say, withJson } from './command/run-command.ts';
import { tableText } from './command/table.ts';

/** The job without texts of the tenant's. */
type ShownJob = Omit<ListedJob, 'metadata' | 'urls' | 'object'> & { tenant: string };

const jobText = ({ attempts, queue, error, usage, billed_usage, budget, warnings, ...fields }: ShownJob): string => {
  const shown = {
    ...fields,
    wait_reason: queue?.wait_reason ?? null,
    error: error?.code ?? null,
    tokens: usage?.total_tokens ?? null,
    billed_tokens: billed_usage?.total_tokens ?? null,
    billed_usd: billed_usage?.cost_usd ?? null,
    estimate_usd: budget?.estimate_usd ?? null,
    warnings: warnings?.length ?? 0,
  };
  const rows = attempts.map((attempt) => [
    attempt.number,
    attempt.started_at,
    attempt.finished_at,
    attempt.outcome,
    attempt.provider_request_id,
  ]);
  return [
    tableText(['field', 'value'], Object.entries(shown)),
    tableText(['attempt', 'started', 'finished', 'outcome', 'provider request'], rows),
  ].join('\n\n');
};

const deliveryText = ({ id, type, url, status, reason, next_attempt_at, attempts }: Delivery): string => {
  const shown = { delivery: id, type, url, status, reason, next_attempt_at };
  const rows = attempts.map((attempt) => [
    attempt.number,
    attempt.started_at,
    attempt.duration_ms,
    attempt.status,
    attempt.code,
  ]);
  return [
    tableText(['field', 'value'], Object.entries(shown)),
    tableText(['attempt', 'started', 'ms', 'status', 'code'], rows),
  ].join('\n\n');
};

const program = new Command('npm run job --')
  .description('A job with its attempts and its delivery, in the Redis of this gateway.')
  .argument('<id>', 'job_…')
  .showHelpAfterError();

withJson(program).action((id: string, { json }: { json?: boolean }) =>
  withStores(process.env, async ({ jobs, deliveries }) => {
    if (!isJobId(id)) throw new CommandError('The id of a job looks like job_01k….');
    const tenant = await jobs.ownerOf(id);
    if (tenant === null) throw new CommandError('No job of this id is stored here.');
    // Past its retention it may still be there for its delivery.
    const view = (await jobs.read(tenant, id, { watcher: null })) ?? (await jobs.readTold(tenant, id));
    if (view === null) throw new CommandError('This job was deleted.');
    const { object: _, metadata: _metadata, urls: _urls, ...fields } = toListedJob(view);
    const job = { tenant, ...fields };
    const delivery = await deliveries.read(tenant, deliveryOf(id));
    if (json) return say(JSON.stringify({ job, delivery }));
    say(jobText(job));
    say(`\n${delivery === null ? 'No delivery.' : deliveryText(delivery)}`);
  }),
);

await runCommand(program);
