/** What must be true of a history, whatever was done to the gateway meanwhile. Each function answers the violations, as sentences. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import type { SandboxCall } from '../../sandbox/call-record.ts';
import type { Batch } from '../../shared/domain/batches/schema.ts';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import type { ChainFlawKind, ChainReport } from '../../shared/storage/audit/verify-chain.ts';
import { runCommand } from '../support/processes/command.ts';
import type { LogLine } from '../support/processes/process.ts';
import { withRedis } from '../support/redis/redis.ts';
import { until } from '../support/until.ts';
import { type Clients, markOf } from './clients/clients.ts';
import type { BatchStory, JobKind, JobStory } from './clients/history.ts';
import type { Fault } from './stage/faults.ts';
import { type Stage, TENANTS, type TenantName } from './stage/stage.ts';

/** The final states that a job of each kind may reach. */
const ENDINGS: Record<JobKind, Job['status'][]> = {
  plain: ['completed'],
  slow: ['completed'],
  throttled: ['completed'],
  unavailable: ['completed'],
  reset: ['completed'],
  garbled: ['completed'],
  rejected: ['failed'],
  key_rejected: ['failed'],
  cancelled: ['cancelled', 'completed'],
  // It fails where a fault leaves no time for another attempt.
  expiring: ['expired', 'failed'],
  twins: ['completed'],
  called: ['completed'],
  // What was shown is not shown again.
  streamed: ['completed', 'failed'],
};
const CODES: Partial<Record<JobKind, string[]>> = {
  rejected: ['provider_rejected_request'],
  key_rejected: ['user_key_rejected', 'platform_provider_error'],
  streamed: ['stream_interrupted', ''],
  expiring: ['deadline_exceeded', 'provider_unavailable', 'provider_bad_response'],
};

/** A fault is felt this long: the lock, the next stall check, and the way back to a worker. */
const AFTERMATH_MS = 20_000;

const numberOf = (call: SandboxCall): number => Number(/chaos job (\d+)\./.exec(JSON.stringify(call.body))?.[1]);

/** Whose call it was: a job’s, or a line’s of a batch. */
const markIn = (call: SandboxCall): string => /chaos [a-z0-9 ]+\./.exec(JSON.stringify(call.body))?.[0] ?? '';

const isGood = (call: SandboxCall): boolean => call.completed && call.status === 200;

export const findDuplicates = (calls: readonly SandboxCall[]): number => {
  let duplicates = 0;
  for (const made of Map.groupBy(calls.filter(isGood), markIn).values()) duplicates += made.length - 1;
  return duplicates;
};

/** Every job against its plan, and against what the provider saw of it. */
export const checkJobs = (
  stories: readonly JobStory[],
  calls: readonly SandboxCall[],
  faults: readonly Fault[],
): string[] => {
  const violations: string[] = [];
  const byJob = Map.groupBy(calls, numberOf);
  const seen = new Set<string>();
  for (const { plan, id, final, cancelConfirmed, heard } of stories) {
    const expect = (holds: boolean, violation: string): void => {
      if (!holds) violations.push(`job ${plan.number} (${plan.kind}, ${id}): ${violation}`);
    };
    expect(!seen.has(id), 'two requests share it');
    seen.add(id);
    expect(
      ENDINGS[plan.kind].includes(final.status),
      `is ${final.status} with ${JSON.stringify(final.error)}, outcomes ${JSON.stringify(final.attempts.map(({ outcome }) => outcome))}`,
    );
    expect(!cancelConfirmed || final.status === 'cancelled', `was said to be cancelled, and is ${final.status}`);
    const codes = CODES[plan.kind];
    expect(!codes || codes.includes(final.error?.code ?? ''), `failed with ${final.error?.code}`);
    expect(final.credential === (plan.credential === 'platform' ? 'platform' : 'user'), `ran on ${final.credential}`);
    const isHeard = plan.kind === 'called' || plan.kind === 'streamed';
    expect(
      !isHeard || (heard !== null) === (final.status === 'completed'),
      `is ${final.status}, and its client ${heard === null ? 'was told an error' : 'has an answer'}`,
    );
    const content = isHeard ? (heard ?? '') : (final.result?.content ?? '');
    const said = content.split(markOf(plan.number)).length - 1;
    expect(final.status !== 'completed' || said > 0, 'holds another job’s answer');
    expect(plan.kind !== 'streamed' || said < 2, 'was told a text twice');

    const made = byJob.get(plan.number) ?? [];
    const attempts = final.attempts.length + final.attempts_omitted;
    const outcomes = final.attempts.map(({ outcome }) => outcome);
    const reported = outcomes.filter((outcome) => outcome === 'completed' || outcome === 'superseded').length;
    expect(!outcomes.includes(null), 'is final with an open attempt');
    expect(made.length <= attempts, `${made.length} calls were made in ${attempts} attempts`);
    expect(
      made.every(({ provider }) => provider === final.provider),
      'called another provider',
    );
    const good = made.filter(isGood).length;
    expect(reported <= good, `${reported} attempts reported, but ${good} calls were answered`);
    expect(
      good <= outcomes.filter((outcome) => outcome !== 'rejected' && outcome !== 'throttled').length,
      `${good} calls were answered, and its attempts do not say so`,
    );
    const billed = final.billed_usage?.total_tokens ?? 0;
    // One that ended without a result has no usage to compare with what came late; the ledgers are compared with what it is billed.
    const each = final.usage?.total_tokens ?? billed / Math.max(1, reported);
    expect(billed === each * reported, `is billed ${billed} tokens for ${reported} reports of ${each}`);
    for (const { outcome, started_at, finished_at } of final.attempts) {
      const [from, to] = [Date.parse(started_at), Date.parse(finished_at ?? '')];
      const explained = faults.some((fault) => fault.at <= to && from <= fault.until + AFTERMATH_MS);
      expect(outcome !== 'unknown' || explained, 'lost an attempt without a fault');
    }
  }
  return violations;
};

/** Reads every job once more into its story: what was final must be as it was. */
export const readAgain = async (stories: readonly JobStory[], { ask }: Clients): Promise<string[]> => {
  const violations: string[] = [];
  const check = async (story: JobStory): Promise<void> => {
    const { plan, id, final, deleted } = story;
    const { status, body } = await ask(plan.tenant, 'GET', `/v1/jobs/${id}`);
    if (status !== (deleted ? 410 : 200))
      violations.push(`${id} (${deleted ? 'deleted' : 'final'}) is answered with ${status}`);
    if (status !== 200) return;
    story.final = body as Job;
    for (const field of [
      'status',
      'result',
      'usage',
      'error',
      'finished_at',
      'model',
      'provider',
      'metadata',
    ] as const) {
      const [then, still] = [JSON.stringify(final[field]), JSON.stringify(story.final[field])];
      if (then !== still) violations.push(`${id} changed after it was final: ${field} was ${then} and is ${still}`);
    }
  };
  for (let from = 0; from < stories.length; from += 50) await Promise.all(stories.slice(from, from + 50).map(check));
  return violations;
};

type Totals = { requests: number; input_tokens: number; output_tokens: number; cost_usd: number | null };

const NANO = 1e9;

/** The tenants' ledgers, as the API tells them, against the sum over the jobs. */
export const checkLedgers = async (
  stories: readonly JobStory[],
  batches: readonly BatchStory[],
  { ask }: Clients,
): Promise<string[]> => {
  // The run may have passed midnight, and with it the end of a month.
  const from = new Date(Date.now() - 24 * 3_600_000).toISOString().slice(0, 10);
  const violations: string[] = [];
  for (const tenant of TENANTS) {
    const own = stories.filter(({ plan }) => plan.tenant === tenant).map(({ final }) => final);
    const { body } = await ask(tenant, 'GET', `/v1/usage?from=${from}`);
    const { totals } = body as { totals: Totals };
    const sum = (of: (job: Job) => number): number => own.reduce((total, job) => total + of(job), 0);
    const ownBatches = batches.filter(({ plan }) => plan.tenant === tenant).map(({ batch }) => batch);
    const sumOfBatches = (of: (batch: Batch) => number): number =>
      ownBatches.reduce((total, batch) => total + of(batch), 0);
    const expected: Record<string, number> = {
      requests: own.length + sumOfBatches((batch) => batch.request_counts.total),
      input_tokens:
        sum((job) => job.billed_usage?.input_tokens ?? 0) + sumOfBatches(({ usage }) => usage.input_tokens ?? 0),
      output_tokens:
        sum((job) => job.billed_usage?.output_tokens ?? 0) + sumOfBatches(({ usage }) => usage.output_tokens ?? 0),
      cost_nano:
        sum((job) => Math.round((job.billed_usage?.cost_usd ?? 0) * NANO)) +
        sumOfBatches(({ usage }) => Math.round((usage.cost_usd ?? 0) * NANO)),
    };
    const told: Record<string, number | null> = { ...totals, cost_nano: Math.round((totals.cost_usd ?? 0) * NANO) };
    for (const [name, value] of Object.entries(expected)) {
      if (told[name] !== value)
        violations.push(`${tenant}’s ledger says ${told[name]} ${name}, and its jobs sum up to ${value}`);
    }
  }
  return violations;
};

/** Every end is told at least once, to whom it concerns, as it is, and under one id. */
export const checkWebhooks = async (
  stories: readonly JobStory[],
  { receiver, proxies }: Stage,
  { ask }: Clients,
): Promise<string[]> => {
  const violations: string[] = [];
  const told = stories.filter(({ plan }) => plan.webhook);
  const arrived = () => Map.groupBy(receiver.received, ({ path }) => Number(path.split('/').at(-1)));
  const allArrived = (): boolean => {
    const numbers = arrived();
    return told.every(({ plan, deleted }) => deleted || numbers.has(plan.number));
  };
  await until('every event has arrived', allArrived, { withinMs: 60_000, everyMs: 500 }).catch(() => {});
  const byNumber = arrived();
  const secrets = new Map<TenantName, string>();
  for (const tenant of TENANTS) {
    const { body } = await ask(tenant, 'GET', '/v1/webhooks/secret');
    secrets.set(tenant, (body as { secret: string }).secret);
  }
  for (const { plan, id, final, deleted } of told) {
    const events = byNumber.get(plan.number) ?? [];
    const expect = (holds: boolean, violation: string): void => {
      if (!holds) violations.push(`webhook of job ${plan.number} (${plan.kind}, ${id}): ${violation}`);
    };
    if (events.length === 0) {
      const { body } = await ask(plan.tenant, 'GET', `/v1/webhooks/deliveries?job_id=${id}`);
      const [delivery] = (body as { data: { status: string; reason: string | null }[] }).data;
      // What its owner deleted before it was told can no longer be told, and that is told.
      const isExplained = deleted && delivery?.status === 'failed' && delivery.reason === 'subject_gone';
      expect(isExplained, `was never told: ${JSON.stringify(delivery)}`);
    }
    expect(new Set(events.map((event) => event.id)).size <= 1, 'was told under several ids');
    for (const { body, headers, at } of events) {
      const event = JSON.parse(body) as { type: string; data: Job };
      expect(event.data.id === id, `told of ${event.data.id}`);
      expect(
        event.type === `job.${final.status}` && event.data.status === final.status,
        `told ${event.type}, and it is ${final.status}`,
      );
      expect(at >= Date.parse(final.finished_at ?? '') - 100, 'told before it was final');
      expect(isSigned(body, headers, secrets.get(plan.tenant) ?? ''), 'its signature is wrong');
    }
  }
  const known = new Set(told.map(({ plan }) => plan.number));
  for (const number of byNumber.keys())
    if (!known.has(number)) violations.push(`a webhook for ${number}, which wanted none`);
  if (proxies.receiver.connections.length > 1_000) violations.push('connections to the receiver pile up');
  return violations;
};

/** By the library that receivers use; its limit of five minutes does not matter here. */
const isSigned = (body: string, headers: Record<string, string>, secret: string): boolean => {
  const at = new Date(Number(headers['webhook-timestamp']) * 1_000);
  const signature = new Webhook(secret).sign(headers['webhook-id'] ?? '', at, body);
  return (headers['webhook-signature'] ?? '').split(' ').includes(signature);
};

/** A process that stops goes on its own after so long. */
const STOP_LIMIT_MS = 15_000;
/** The watchdog, which replaces a connection that died without a sign. */
const WATCHDOG = 'worker_stuck';

/** A process that cannot reach Redis, or is not run, cannot hand back in time what it holds. */
const isLateStop = ({ msg, time }: LogLine, faults: readonly Fault[]): boolean => {
  const at = Date.parse(String(time));
  const holdsUp = ({ what }: Fault): boolean => /^(redis|machine)/i.test(what);
  return (
    msg === 'stop_took_too_long' &&
    faults.some((fault) => holdsUp(fault) && fault.at <= at && at - STOP_LIMIT_MS <= fault.until)
  );
};

/** Nothing went wrong that nobody had thought of. */
export const checkLogs = ({ processes }: Stage, faults: readonly Fault[]): string[] =>
  processes.flatMap(({ log, otherOutput, pid }) => [
    ...log
      .filter((line) => Number(line.level) >= 50 && line.msg !== WATCHDOG && !isLateStop(line, faults))
      .map((line) => `process ${pid} logged ${JSON.stringify(line)}`),
    ...otherOutput.map((line) => `process ${pid} printed ${JSON.stringify(line)}`),
  ]);

/** No user's key in any output, key or value. */
export const checkKeys = async (stage: Stage): Promise<string[]> => {
  const violations: string[] = [];
  const tails = Object.values(stage.userKeys).flatMap(({ openai, anthropic }) => [
    openai.slice(-12),
    anthropic.slice(-12),
  ]);
  for (const { log, otherOutput, pid } of stage.processes) {
    const said = `${JSON.stringify(log)} ${otherOutput.join('\n')}`;
    if (tails.some((tail) => said.includes(tail))) violations.push(`process ${pid} printed a user’s key`);
  }
  // The append-only file holds all that Redis was ever told.
  const dir = await withRedis(stage.gateway.redis.url, async (redis) => (await redis.config('GET', 'dir'))[1] ?? '');
  for (const file of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = await readFile(join(file.parentPath, file.name));
    if (tails.some((tail) => bytes.includes(tail))) violations.push(`Redis’ file ${file.name} holds a user’s key`);
  }
  return violations;
};

/** The audit log's chains, which workers sealed while they were killed, stopped and cut off. */
export const checkAudit = async ({ gateway: { redis, env } }: Stage): Promise<string[]> => {
  const settings = { REDIS_URL: redis.url, DATA_DIR: env.DATA_DIR ?? '' };
  const { code, stdout, stderr } = await runCommand('audit', ['verify', '--json'], settings);
  if (code === 0) return [];
  if (stderr !== '') return [`the audit log cannot be verified: ${stderr}`];
  const flaws = (JSON.parse(stdout) as ChainReport[]).flatMap((report) => report.flaws);
  const unexplained = flaws.filter(({ kind }) => !BY_FAULTS.includes(kind));
  return unexplained.map(({ text }) => `the audit log does not verify: ${text}`);
};

/** What stopped workers and clocks that are set do to seals; it disproves nothing. */
const BY_FAULTS: readonly ChainFlawKind[] = ['late', 'future', 'order', 'unsealed'];
