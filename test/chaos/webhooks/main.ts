/** `npm run chaos:webhooks [-- --jobs N --seed N]`: 10,000 events to an endpoint that fails 30 % of the time, ten worker kills and a Redis kill. */
import { parseArgs } from 'node:util';
import { runWebhookChaos } from './run.ts';

const { values } = parseArgs({ options: { jobs: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
const jobs = Number(values.jobs);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!(jobs >= 1 && jobs <= 100_000) || !Number.isSafeInteger(seed)) {
  process.stderr.write('--jobs is a number up to 100000, --seed a whole number.\n');
  process.exit(2);
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

say(`chaos of webhooks: ${jobs} jobs, seed ${seed}`);
const outcome = await runWebhookChaos({ seed, jobs, jobsASecond: 100, workerKills: 10, redisKills: 1 }, say);
say(`
${jobs} events in ${outcome.seconds.toFixed(0)} s
deliveries      ${outcome.delivered} delivered, ${outcome.failed} failed
requests        ${outcome.requests}, of which ${outcome.taken} were answered with 2xx; each verified by standardwebhooks and by the OpenAI SDK
duplicates      ${outcome.duplicates} requests with 2xx beyond one for each event
`);
for (const violation of outcome.violations.slice(0, 20)) say(`VIOLATION: ${violation}`);
say(outcome.violations.length === 0 ? 'no violation' : `${outcome.violations.length} violations`);
process.exitCode = outcome.violations.length === 0 ? 0 : 1;
