/**
 * `npm run chaos [-- --minutes N --jobs-a-second N --seed N --json]`: clients use a real gateway while its processes, its Redis and its network fail; afterwards everything must be explained.
 * From 60 minutes on it also watches for growth: of a worker and an API that no fault ends, and of what Redis stores.
 * The seed (random, and printed) repeats the plan of a run: what clients send and which faults come when.
 */
import { parseArgs } from 'node:util';
import { canTurnClocks } from '../support/processes/faketime.ts';
import { type Outcome, runChaos } from './run.ts';
import { describeGrowth } from './soak/growth.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '4' },
    'jobs-a-second': { type: 'string', default: '40' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const jobsASecond = Number(values['jobs-a-second']);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!(minutes > 0 && minutes <= 600) || !(jobsASecond > 0 && jobsASecond <= 200) || !Number.isSafeInteger(seed)) {
  process.stderr.write('--minutes is a number up to 600, --jobs-a-second one up to 200, --seed a whole number.\n');
  process.exit(2);
}

const say = (text: string): void => {
  (values.json ? process.stderr : process.stdout).write(`${text}\n`);
};

const list = (counts: Iterable<[string | number, number]>): string =>
  [...counts].map(([name, number]) => `${number} ${name}`).join(', ');

const report = (outcome: Outcome): void => {
  const { takeovers, faults } = outcome;
  const at = (share: number): string =>
    ((takeovers[Math.floor((takeovers.length - 1) * share)] ?? 0) / 1_000).toFixed(1);
  const kinds = new Map<string, number>();
  for (const { what } of faults) kinds.set(what, (kinds.get(what) ?? 0) + 1);
  say(`
seed ${outcome.seed}: ${outcome.jobs} jobs in ${outcome.seconds.toFixed(0)} s
faults          ${faults.length}: ${list(kinds)}
answers         ${list([...outcome.answers].map(([status, number]) => [status === 0 ? 'without one' : status, number]))}
final states    ${list(Object.entries(outcome.statuses))}
batches         ${outcome.batches.number} of ${outcome.batches.lines} lines
attempts        ${list(Object.entries(outcome.attempts))}
provider calls  ${outcome.calls}; ${outcome.duplicates} answers beyond one for each job
webhooks        ${outcome.webhooks.received} received of ${outcome.webhooks.jobs} jobs
taken over      ${takeovers.length} attempts; ${at(0.5)} s after they began in the middle, ${at(1)} s at most
`);
  for (const [of, growth] of Map.groupBy(outcome.growth ?? [], (each) => each.of))
    say(`${of.padEnd(30)} ${growth.map(describeGrowth).join(', ')}`);
};

if (!canTurnClocks) say('Clocks stay as they are: Debian’s package faketime is not installed.');
say(`chaos: ${minutes} minutes, ${jobsASecond} jobs a second, seed ${seed}`);
const outcome = await runChaos({ seed, minutes, jobsASecond, say });
report(outcome);
// A few of each form: one fault may show in a thousand jobs, and hide another.
for (const alike of Map.groupBy(outcome.violations, (violation) => violation.replace(/\w*\d\w*/g, '')).values())
  for (const violation of alike.slice(0, 5)) say(`VIOLATION: ${violation}`);
say(outcome.violations.length === 0 ? 'no violation' : `${outcome.violations.length} violations`);
if (values.json)
  process.stdout.write(`${JSON.stringify({ ...outcome, answers: Object.fromEntries(outcome.answers) })}\n`);
process.exitCode = outcome.violations.length === 0 ? 0 : 1;
