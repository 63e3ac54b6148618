/** Holds what the provider stand-in saw against what the gateway says of its attempts. */
import type { SandboxCall } from '../../local/sandbox/call-record.ts';
import type { Job } from '../../shared/job.ts';

export type Explanation = {
  jobs: number;
  statuses: Record<string, number>;
  outcomes: Record<string, number>;
  calls: number;
  completedCalls: number;
  /** Answers that the provider gave in full beyond one for each job: what a user would pay for twice. */
  duplicates: number;
  /** How long after the fault before it each lost attempt was followed by another, in milliseconds, ascending. */
  recoveries: number[];
  problems: string[];
};

const numberOf = (call: SandboxCall): number => Number(/chaos job (\d+)\./.exec(JSON.stringify(call.body))?.[1]);

const count = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

export const explain = (
  jobs: readonly { number: number; job: Job }[],
  calls: readonly SandboxCall[],
  faultTimes: readonly number[],
): Explanation => {
  const problems: string[] = [];
  const byJob = Map.groupBy(calls, numberOf);
  let duplicates = 0;
  const recoveries: number[] = [];
  for (const { number, job } of jobs) {
    const made = byJob.get(number) ?? [];
    const completed = made.filter((call) => call.completed).length;
    duplicates += Math.max(0, completed - 1);
    const outcomes = job.attempts.map(({ outcome }) => outcome);
    const reported = outcomes.filter((outcome) => outcome === 'completed' || outcome === 'superseded').length;
    const unknown = outcomes.filter((outcome) => outcome === 'unknown').length;
    const attempts = job.attempts.length + job.attempts_omitted;

    if (outcomes.includes(null)) problems.push(`job ${number} is final with an open attempt`);
    if (made.length > attempts) problems.push(`job ${number}: ${made.length} calls, but ${attempts} attempts`);
    if (completed > reported + unknown) {
      problems.push(
        `job ${number}: ${completed} calls were answered, ${reported} attempts reported, ${unknown} are unknown`,
      );
    }
    if (reported > completed)
      problems.push(`job ${number}: ${reported} attempts reported, but ${completed} calls were answered`);
    const each = job.usage?.input_tokens ?? 0;
    if ((job.billed_usage?.input_tokens ?? 0) !== each * reported) {
      problems.push(
        `job ${number}: billed ${job.billed_usage?.input_tokens} input tokens for ${reported} reports of ${each}`,
      );
    }
    for (const [index, attempt] of job.attempts.entries()) {
      const next = job.attempts[index + 1];
      const fault = faultTimes.findLast((at) => at <= Date.parse(next?.started_at ?? ''));
      if (attempt.outcome === 'unknown' && next && fault) recoveries.push(Date.parse(next.started_at) - fault);
    }
  }
  return {
    jobs: jobs.length,
    statuses: count(jobs.map(({ job }) => job.status)),
    outcomes: count(jobs.flatMap(({ job }) => job.attempts.map(({ outcome }) => outcome ?? 'open'))),
    calls: calls.length,
    completedCalls: calls.filter((call) => call.completed).length,
    duplicates,
    recoveries: recoveries.toSorted((a, b) => a - b),
    problems,
  };
};
