/** One chaos run: a plan from a seed, the run itself, and what can be proved afterwards. */
import { setTimeout as delay } from 'node:timers/promises';
import { expectInvariants } from '../support/invariants.ts';
import { checkBatches, planBatch, readBatchesAgain, runBatch } from './batches.ts';
import {
  checkAudit,
  checkJobs,
  checkKeys,
  checkLedgers,
  checkLogs,
  checkWebhooks,
  findDuplicates,
  readAgain,
} from './check.ts';
import { createClients, planJob } from './clients.ts';
import { type Fault, injectFaults, planFaults } from './faults.ts';
import { createHistory, type History } from './history.ts';
import { createRandom } from './random.ts';
import { setStage } from './stage.ts';

export type Outcome = {
  seed: number;
  seconds: number;
  jobs: number;
  faults: Fault[];
  statuses: Record<string, number>;
  attempts: Record<string, number>;
  answers: History['answers'];
  batches: { number: number; lines: number };
  calls: number;
  /** Answers that the provider gave in full beyond one for each job: what somebody pays for twice. */
  duplicates: number;
  webhooks: { jobs: number; received: number };
  /** How long after its start each lost attempt was followed by another, in milliseconds, ascending. */
  takeovers: number[];
  violations: string[];
};

const JOBS_A_SECOND = 40;
const BATCHES_A_MINUTE = 6;

const count = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

export const runChaos = async ({
  seed,
  minutes,
  say,
}: {
  seed: number;
  minutes: number;
  say: (text: string) => void;
}): Promise<Outcome> => {
  const durationMs = minutes * 60_000;
  const jobCount = Math.round((durationMs / 1_000) * JOBS_A_SECOND);
  const batchCount = Math.max(1, Math.round(minutes * BATCHES_A_MINUTE));
  const startedMs = performance.now();
  const history = createHistory();
  const stage = await setStage(createRandom(seed, -2_000_000));
  try {
    const clients = createClients(stage, history, createRandom(seed, -1_000_000));
    const injecting = injectFaults(stage, seed, planFaults(seed, durationMs), say);
    const running: Promise<void>[] = [];
    const sendingBatches = Promise.all(
      Array.from({ length: batchCount }, async (_, number) => {
        await delay((number / batchCount) * durationMs);
        return runBatch(stage, clients, planBatch(seed, number)).catch((error: unknown) => {
          history.violations.push(`batch ${number}: ${String(error)}`);
          return null;
        });
      }),
    ).then((stories) => stories.filter((story) => story !== null));
    const beganMs = performance.now();
    for (let number = 0; number < jobCount; number++) {
      await delay(Math.max(0, beganMs + (number / JOBS_A_SECOND) * 1_000 - performance.now()));
      const job = clients.runJob(planJob(seed, number));
      running.push(job.catch((error: unknown) => void history.violations.push(`job ${number}: ${String(error)}`)));
    }
    const faults = await injecting;
    await Promise.all(running);
    const batches = await sendingBatches;

    say('everything is final; looking at all of it again');
    const { violations } = history;
    if (history.jobs.length !== jobCount)
      violations.push(`${jobCount} jobs were sent and ${history.jobs.length} ended`);
    await expectInvariants(stage.gateway.redis.url, { allRecordsStored: false }).catch((error: unknown) =>
      violations.push(String(error)),
    );
    violations.push(...(await readAgain(history.jobs, clients)));
    violations.push(...(await readBatchesAgain(batches, clients)));
    violations.push(...checkJobs(history.jobs, stage.gateway.sandbox.calls, faults));
    violations.push(...checkBatches(batches, stage.gateway.sandbox.calls));
    violations.push(...(await checkLedgers(history.jobs, batches, clients)));
    violations.push(...(await checkWebhooks(history.jobs, stage, clients)));
    violations.push(...checkLogs(stage));
    violations.push(...(await checkKeys(stage)));
    violations.push(...(await checkAudit(stage)));

    const attempts = history.jobs.flatMap(({ final }) => final.attempts);
    return {
      seed,
      seconds: (performance.now() - startedMs) / 1_000,
      jobs: history.jobs.length,
      faults,
      statuses: count(history.jobs.map(({ final }) => final.status)),
      attempts: count(attempts.map(({ outcome }) => outcome ?? 'open')),
      answers: history.answers,
      batches: { number: batches.length, lines: batches.reduce((sum, { plan }) => sum + plan.lines, 0) },
      calls: stage.gateway.sandbox.calls.length,
      webhooks: {
        jobs: history.jobs.filter(({ plan }) => plan.webhook).length,
        received: stage.receiver.received.length,
      },
      duplicates: findDuplicates(stage.gateway.sandbox.calls),
      takeovers: history.jobs
        .flatMap(({ final }) =>
          final.attempts.flatMap((attempt, index) => {
            const next = final.attempts[index + 1];
            return attempt.outcome === 'unknown' && next
              ? [Date.parse(next.started_at) - Date.parse(attempt.started_at)]
              : [];
          }),
        )
        .toSorted((a, b) => a - b),
      violations,
    };
  } finally {
    await stage.stop();
  }
};
