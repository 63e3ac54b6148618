/**
 * `npm run chaos`: jobs through a real gateway while its workers and Redis are killed and stopped; afterwards everything must be explained.
 * Options: --jobs N (10000), --seed N (random; printed, so that the order of faults can be repeated).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Job } from '../../shared/job.ts';
import { startGateway, type TestGateway, userKey } from '../support/gateway.ts';
import { expectInvariants } from '../support/invariants.ts';
import { type GatewayProcess, startProcess } from '../support/process.ts';
import { until } from '../support/until.ts';
import { type Explanation, explain } from './explain.ts';

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '10000' }, seed: { type: 'string' } },
});
const jobCount = Number(values.jobs);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

const KILLS = 10;
const STOPS = 5;
const REDIS_KILLS = 2;
/** Longer than the lock of a hand-off, so that another worker takes over. */
const STOP_MS = 13_000;
const JOBS_A_SECOND = 130;
/** One job in so many takes a while at the provider, so that kills find calls under way. */
const SLOW_EVERY = 15;

/** Mulberry32: small, and the same on every machine. */
const random = ((state: number) => (): number => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
})(seed);

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const KEYS_OF = [{}, {}, userKey(), userKey('sk-ant-api03-chaos000000000000000', 'anthropic')];

/** Sends the same request under the same idempotency key until it is accepted, as a careful client does. */
const submit = async (gateway: TestGateway, number: number): Promise<string> => {
  const slow = number % SLOW_EVERY === 0 ? ' sandbox:delay=700' : '';
  const own = KEYS_OF[number % KEYS_OF.length] ?? {};
  for (;;) {
    const answer = await gateway
      .call('POST', '/v1/complete', {
        headers: { 'Idempotency-Key': `chaos-${number}`, ...own },
        body: { model: 'gpt-4o', messages: [{ role: 'user', content: `chaos job ${number}.${slow}` }] },
      })
      .catch(() => null);
    if (answer && (answer.status === 202 || answer.status === 200)) return (answer.body as Job).id;
    if (answer && answer.status !== 503) throw new Error(`refused: ${answer.status} ${JSON.stringify(answer.body)}`);
    await delay(200);
  }
};

const finalJob = async (gateway: TestGateway, id: string): Promise<Job> =>
  until(
    `${id} is final`,
    async () => {
      const { status, body } = await gateway.call('GET', `/v1/jobs/${id}?wait=10`);
      return status === 200 && (body as Job).finished_at !== null && (body as Job);
    },
    { withinMs: 180_000, everyMs: 200 },
  );

type Fault = { at: number; what: string };

/** Every fault at a random moment of the run, one after the other; a stopped worker runs on beside those that follow. */
const injectFaults = async (gateway: TestGateway, durationMs: number, faults: Fault[]): Promise<void> => {
  const plan = [
    ...Array<'kill'>(KILLS).fill('kill'),
    ...Array<'stop'>(STOPS).fill('stop'),
    ...Array<'redis'>(REDIS_KILLS).fill('redis'),
  ]
    .map((what) => ({ what, atMs: durationMs * (0.05 + 0.9 * random()) }))
    .toSorted((a, b) => a.atMs - b.atMs);
  const startedMs = performance.now();
  const continued: Promise<void>[] = [];
  const stopped = new Set<GatewayProcess>();
  const pick = (): GatewayProcess | undefined => {
    const live = gateway.workers.filter((worker) => !stopped.has(worker));
    return live[Math.floor(random() * live.length)];
  };
  for (const { what, atMs } of plan) {
    await delay(Math.max(0, startedMs + atMs - performance.now()));
    const worker = pick();
    if (what === 'redis') {
      faults.push({ at: Date.now(), what: 'Redis SIGKILL' });
      await gateway.redis.kill();
      await delay(500 + random() * 1_500);
      await gateway.redis.restart();
    } else if (worker && what === 'kill') {
      faults.push({ at: Date.now(), what: 'worker SIGKILL' });
      gateway.workers.splice(gateway.workers.indexOf(worker), 1);
      worker.signal('SIGKILL');
      gateway.workers.push(startProcess('worker/main.ts', gateway.env));
    } else if (worker) {
      faults.push({ at: Date.now(), what: 'worker SIGSTOP' });
      stopped.add(worker);
      worker.signal('SIGSTOP');
      // Another one works meanwhile: two stopped workers would only be an outage.
      gateway.workers.push(startProcess('worker/main.ts', gateway.env));
      continued.push(
        delay(STOP_MS).then(() => {
          worker.signal('SIGCONT');
          stopped.delete(worker);
        }),
      );
    }
    say(`  ${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${faults.at(-1)?.what}`);
  }
  await Promise.all(continued);
};

const report = (explanation: Explanation, faults: Fault[], seconds: number): void => {
  const { recoveries } = explanation;
  const at = (share: number): string =>
    ((recoveries[Math.floor((recoveries.length - 1) * share)] ?? 0) / 1000).toFixed(1);
  say(`
${explanation.jobs} jobs in ${seconds.toFixed(0)} s, seed ${seed}
faults               ${KILLS} workers killed, ${STOPS} stopped past their lock and continued, Redis killed ${REDIS_KILLS} times (${faults.length} in all)
final states         ${Object.entries(explanation.statuses)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')}
provider calls       ${explanation.calls}, of which ${explanation.completedCalls} were answered in full
duplicates           ${explanation.duplicates} answers beyond one for each job
attempts             ${Object.entries(explanation.outcomes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')}
taken over again     ${recoveries.length} attempts; ${at(0.5)} s after the fault in the middle, ${at(1)} s at most`);
};

const main = async (): Promise<void> => {
  say(`chaos: ${jobCount} jobs, seed ${seed}`);
  const startedMs = performance.now();
  const gateway = await startGateway({
    workers: 2,
    env: { JOB_DEADLINE_SECONDS: '600' },
    sandbox: { record: { limit: jobCount * 10, keys: 'digest' } },
  });
  try {
    const faults: Fault[] = [];
    const durationMs = (jobCount / JOBS_A_SECOND) * 1_000;
    const injecting = injectFaults(gateway, durationMs, faults);
    const seen = new Map<string, Job>();
    const finals = Array.from({ length: jobCount }, async (_, number) => {
      await delay((number / JOBS_A_SECOND) * 1_000);
      const id = await submit(gateway, number);
      const job = await finalJob(gateway, id);
      seen.set(id, job);
      return { number, id };
    });
    const accepted = await Promise.all(finals);
    await injecting;
    say(`  every job is final; looking at all of it again`);
    await expectInvariants(gateway.redis.url);

    const jobs: { number: number; job: Job }[] = [];
    const problems: string[] = [];
    for (const { number, id } of accepted) {
      const job = await finalJob(gateway, id);
      const first = seen.get(id);
      if (
        first?.status !== job.status ||
        first.finished_at !== job.finished_at ||
        JSON.stringify(first.result) !== JSON.stringify(job.result)
      ) {
        problems.push(`job ${number} changed after it was final`);
      }
      jobs.push({ number, job });
    }
    if (new Set(accepted.map(({ id }) => id)).size !== jobCount) problems.push('two requests share a job');
    const explanation = explain(
      jobs,
      gateway.sandbox.calls,
      faults.map(({ at }) => at),
    );
    problems.push(...explanation.problems);
    report(explanation, faults, (performance.now() - startedMs) / 1000);
    if (explanation.statuses.completed !== jobCount) problems.push('not every job completed');
    for (const problem of problems.slice(0, 20)) say(`VIOLATION: ${problem}`);
    say(problems.length === 0 ? 'no violation' : `${problems.length} violations`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    await gateway.stop();
  }
};

await main();
