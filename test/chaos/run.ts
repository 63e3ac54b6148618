/** One chaos run: a plan from a seed, the run itself, and what can be proved afterwards. */
import { setTimeout as delay } from 'node:timers/promises';
import { expectInvariants } from '../support/invariants/invariants.ts';
import { createRandom } from '../support/random.ts';
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
import { checkBatches, planBatch, readBatchesAgain, runBatch } from './clients/batches.ts';
import { type Clients, createClients, planJob } from './clients/clients.ts';
import { createHistory, type History } from './clients/history.ts';
import { type Growth, judgeGrowth } from './soak/growth.ts';
import { watch } from './soak/watch.ts';
import { type Fault, injectFaults, planFaults } from './stage/faults.ts';
import { setStage } from './stage/stage.ts';
import { noteStalls } from './stage/stalls.ts';

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
  /** How everything that was watched stood early and late; null where the run was too short. */
  growth: Growth[] | null;
  violations: string[];
};

const BATCHES_A_MINUTE = 6;
/** A run of so many minutes watches for growth: what is erased leaves a stub for a quarter of an hour, and only then the same number of keys comes and goes. */
const SOAK_MINUTES = 60;
const SAMPLES = 90;
/** After this, no lost attempt reports any more; and the record is far from its end. */
const READ_AGAIN_AFTER_MS = 120_000;

const count = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

/** Reads again what has been final for a while, before its record goes, until it has read all. */
const createRereading = (history: History, clients: Clients): { finish: () => Promise<void> } => {
  let [jobs, batches] = [0, 0];
  const read = async (endedBefore: number): Promise<void> => {
    const isDue = ({ endedMs }: { endedMs: number }): boolean => endedMs <= endedBefore;
    const [dueJobs, dueBatches] = [
      history.jobs.slice(jobs).filter(isDue),
      history.batches.slice(batches).filter(isDue),
    ];
    jobs += dueJobs.length;
    batches += dueBatches.length;
    history.violations.push(...(await readAgain(dueJobs, clients)), ...(await readBatchesAgain(dueBatches, clients)));
  };
  const stopping = new AbortController();
  const readOn = async (): Promise<void> => {
    for (;;) {
      await delay(5_000, null, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return read(performance.now());
      await read(performance.now() - READ_AGAIN_AFTER_MS);
    }
  };
  const done = readOn().catch((error: unknown) => void history.violations.push(`reading again: ${String(error)}`));
  return {
    finish: () => {
      stopping.abort();
      return done;
    },
  };
};

export const runChaos = async ({
  seed,
  minutes,
  jobsASecond = 40,
  say,
}: {
  seed: number;
  minutes: number;
  jobsASecond?: number;
  say: (text: string) => void;
}): Promise<Outcome> => {
  const durationMs = minutes * 60_000;
  const jobCount = Math.round((durationMs / 1_000) * jobsASecond);
  const batchCount = Math.max(1, Math.round(minutes * BATCHES_A_MINUTE));
  const startedMs = performance.now();
  const history = createHistory();
  const { violations } = history;
  const { stalls, stop } = noteStalls();
  const stage = await setStage(createRandom(seed, -2_000_000), { isSoak: minutes >= SOAK_MINUTES });
  try {
    const clients = createClients(stage, history, createRandom(seed, -1_000_000));
    const { watched, gateway } = stage;
    const ended = (): number => history.jobs.length;
    const watching = watched && watch(watched, gateway.redis.url, ended, { durationMs, samples: SAMPLES });
    const injecting = injectFaults(stage, seed, planFaults(seed, durationMs), say);
    const running: Promise<void>[] = [];
    const sendingBatches = Promise.all(
      Array.from({ length: batchCount }, async (_, number) => {
        await delay((number / batchCount) * durationMs);
        await runBatch(stage, clients, planBatch(seed, number)).then(
          (story) => history.batches.push(story),
          (error: unknown) => violations.push(`batch ${number}: ${String(error)}`),
        );
      }),
    );
    const rereading = createRereading(history, clients);
    const beganMs = performance.now();
    for (let number = 0; number < jobCount; number++) {
      await delay(Math.max(0, beganMs + (number / jobsASecond) * 1_000 - performance.now()));
      const job = clients.runJob(planJob(seed, number));
      running.push(job.catch((error: unknown) => void violations.push(`job ${number}: ${String(error)}`)));
    }
    const injected = await injecting;
    await Promise.all(running);
    await sendingBatches;
    await rereading.finish();
    const { batches } = history;
    const faults = [...injected, ...stalls];

    say('everything is final; looking at all of it again');
    if (history.jobs.length !== jobCount)
      violations.push(`${jobCount} jobs were sent and ${history.jobs.length} ended`);
    await expectInvariants(stage.gateway.redis.url, { allRecordsStored: false }).catch((error: unknown) =>
      violations.push(String(error)),
    );
    violations.push(...checkJobs(history.jobs, stage.gateway.sandbox.calls, faults));
    violations.push(...checkBatches(batches, stage.gateway.sandbox.calls));
    violations.push(...(await checkLedgers(history.jobs, batches, clients)));
    violations.push(...(await checkWebhooks(history.jobs, stage, clients)));
    violations.push(...checkLogs(stage, faults));
    violations.push(...(await checkKeys(stage)));
    violations.push(...(await checkAudit(stage)));
    const judged = watching && judgeGrowth(await watching, durationMs);
    violations.push(...(judged?.violations ?? []));

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
      growth: judged?.growth ?? null,
      violations,
    };
  } finally {
    stop();
    await stage.stop();
  }
};
