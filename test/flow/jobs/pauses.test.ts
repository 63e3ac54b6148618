import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { key } from '../../../shared/storage/redis/names.ts';
import { billedAnswers, outcomes } from '../../support/invariants/job-facts.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { TAG } from '../../support/redis/engine.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

/** A worker's lock on a hand-off, and the longest until another one takes it over: the next two stall checks, and a margin. */
const LOCK_MS = 10_000;
const TAKEN_OVER_MS = LOCK_MS + 6_000;

const failuresOf = (url: string, id: string): Promise<number> =>
  withRedis(url, async (redis) => Number((await redis.hget(key(TAG, 'JOB', id), 'failures')) ?? 0));

/** Longer than the pause and the time until another worker takes over: such a call's second attempt still runs when the first worker goes on. */
const LONG = `delay=${TAKEN_OVER_MS + 500}`;

test.concurrent('a worker paused past its lock changes nothing that was settled meanwhile, wins where it is first, and is always accounted', {
  timeout: 90_000,
}, async ({ annotate }) => {
  await withGateway({}, async (gateway) => {
    const [paused] = gateway.workers;
    const submit = async (text: string): Promise<{ id: string; calls: () => ReturnType<typeof gateway.callsWith> }> => {
      const { id } = await gateway.submit(text);
      return { id, calls: () => gateway.callsWith(text) };
    };
    const jobs = {
      takerFirst: await submit('the taker answers first. sandbox:delay=500'),
      pausedFirst: await submit(`the paused one answers first. sandbox:${LONG}`),
      failedLate: await submit('the paused call fails, late. sandbox:delay=500 status=500 times=1'),
      failedBetween: await submit(`the paused call fails, in between. sandbox:${LONG} status=500 times=1`),
      unanswered: await submit('the paused call has no answer yet. sandbox:fail=hang times=1'),
    };
    const all = Object.values(jobs);
    await until('all calls have begun', () => all.every(({ calls }) => calls().length === 1));
    paused?.signal('SIGSTOP');
    const pausedMs = performance.now();
    await gateway.addWorker();

    // The answers to the paused worker wait in its sockets from here on.
    const settled = {
      takerFirst: await gateway.finished(jobs.takerFirst.id),
      failedLate: await gateway.finished(jobs.failedLate.id),
    };
    expect(outcomes(settled.takerFirst)).toEqual(['unknown', 'completed']);
    expect(outcomes(settled.failedLate)).toEqual(['unknown', 'completed']);
    await until('the other worker runs all that is left', () => all.every(({ calls }) => calls().length === 2), {
      withinMs: TAKEN_OVER_MS,
    });
    await until(
      'the long calls to the paused worker are answered',
      () => [jobs.pausedFirst, jobs.failedBetween].every(({ calls }) => calls()[0]?.completed),
      { withinMs: TAKEN_OVER_MS },
    );
    await annotate(`paused for ${((performance.now() - pausedMs) / 1_000).toFixed(1)} s`);
    expect(jobs.unanswered.calls()[0]?.finishedAt).toBeNull();
    paused?.signal('SIGCONT');

    // The taker was first: what comes late is accounted and changes nothing else.
    const afterwards = await until('the late result is accounted', async () => {
      const job = await gateway.read(jobs.takerFirst.id);
      return job.attempts[0]?.outcome === 'superseded' ? job : null;
    });
    expect(afterwards).toEqual({
      ...settled.takerFirst,
      attempts: [expect.objectContaining({ number: 1, outcome: 'superseded' }), settled.takerFirst.attempts[1]],
      billed_usage: expect.anything(),
    });
    expect(billedAnswers(settled.takerFirst)).toBe(1);
    expect(billedAnswers(afterwards)).toBe(2);

    // The paused one was first: its result is the job's, and the taker's call is hung up on.
    const pausedWon = await gateway.finished(jobs.pausedFirst.id);
    expect(pausedWon.status).toBe('completed');
    await until('the taker has hung up', () => jobs.pausedFirst.calls()[1]?.aborted);
    const closed = await until('both attempts are closed', async () => {
      const job = await gateway.read(jobs.pausedFirst.id);
      return job.attempts.every(({ outcome }) => outcome !== null && outcome !== 'unknown') ? job : null;
    });
    expect(outcomes(closed)).toEqual(['completed', 'cancelled']);
    expect(billedAnswers(closed)).toBe(1);
    expect(closed).toMatchObject({
      finished_at: pausedWon.finished_at,
      result: pausedWon.result,
      usage: pausedWon.usage,
    });

    // A failure that is reported late names itself, and moves nothing.
    const failedLate = await until('the late failure is noted', async () => {
      const job = await gateway.read(jobs.failedLate.id);
      return job.attempts[0]?.outcome === 'unavailable' ? job : null;
    });
    expect({ ...failedLate, attempts: [] }).toEqual({ ...settled.failedLate, attempts: [] });
    const failedBetween = await gateway.finished(jobs.failedBetween.id);
    expect(failedBetween.status).toBe('completed');
    expect(outcomes(failedBetween)).toEqual(['unavailable', 'completed']);
    expect(await failuresOf(gateway.redis.url, jobs.failedBetween.id)).toBe(0);
    expect(jobs.failedBetween.calls()).toHaveLength(2);

    // No answer yet: the paused worker hangs up on a job that is no longer its own.
    await until('the paused worker has hung up', () => jobs.unanswered.calls()[0]?.aborted);
    const unanswered = await gateway.finished(jobs.unanswered.id);
    expect(outcomes(unanswered)).toEqual(['unknown', 'completed']);
    expect(billedAnswers(unanswered)).toBe(1);
    expect(all.map(({ calls }) => calls().length)).toEqual([2, 2, 2, 2, 2]);
  });
});

test.concurrent('a pause shorter than the lock is not noticed: the job has one attempt', {
  timeout: 60_000,
}, async () => {
  await withGateway({}, async (gateway) => {
    const { id } = await gateway.submit('a short pause sandbox:delay=6000');
    await until('the call has begun', () => gateway.sandbox.calls.length === 1);
    gateway.workers[0]?.signal('SIGSTOP');
    await gateway.addWorker();
    // A lock is renewed when half of it is left at the latest: a pause of 4 s ends before it does.
    await delay(4_000);
    gateway.workers[0]?.signal('SIGCONT');
    expect(outcomes(await gateway.finished(id))).toEqual(['completed']);
    expect(gateway.sandbox.calls).toHaveLength(1);
  });
});
