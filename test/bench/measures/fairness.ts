/** What tenants feel of a neighbour’s batch. */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { clockMs } from '../figures/clock.ts';
import { percentile } from '../figures/statistics.ts';
import type { Ground } from '../ground.ts';
import { type Measure, row } from '../measure.ts';
import { NEIGHBOUR_KEYS, SHORT_CALL } from '../processes/request.ts';

const LINES = 100_000;
const BARE_LINES = 20_000;
const JOBS = 50;
const [B, C] = NEIGHBOUR_KEYS;
const FIRST_OF_B = 300_000;
const FIRST_OF_C = 600_000;

export const fairness: Measure = {
  name: 'fairness',
  title: `Fairness: ${LINES.toLocaleString('en')} lines of one tenant wait and hold 100 slots with calls of 20 ms, while two other tenants send single jobs`,
  notes: [
    'One API and one worker process of 100 slots. Done: from the first request to the end of the last call at the provider’s stand-in. Start: from the request to the call’s arrival there.',
    `Bare: one BullMQ queue, first in, first out, with ${BARE_LINES.toLocaleString('en')} jobs of 20 ms before the ${JOBS}.`,
  ],
  run: async ({ ground, quick, progress }) => {
    const load = ground.load();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers);
    const single = { url: api.url, template: SHORT_CALL, userKeys: 0, status: 202 };

    progress('the batch');
    await load.call('uploadBatch', { url: api.url, template: SHORT_CALL, first: 0, userKeys: 0, lines: LINES });
    await until(
      'its calls run',
      async () => (await providers.call('starts', { first: 0, count: 1_000 })).length > 500,
      {
        withinMs: 20_000,
      },
    );
    const rounds = quick ? 1 : 3;
    const done: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`round ${round + 1} of ${rounds}: ${JOBS} jobs`);
      const first = FIRST_OF_B + round * JOBS;
      const sent = await load.call('flood', {
        ...single,
        key: B,
        first,
        connections: JOBS,
        limitMs: 10_000,
        limitRequests: JOBS,
      });
      const ends = await until(
        'they are done',
        async () => {
          const ours = await providers.call('ends', { first, count: JOBS });
          return ours.length === JOBS ? ours : null;
        },
        { withinMs: 20_000, everyMs: 50 },
      );
      done.push((Math.max(...ends.map(([, at]) => at)) - sent.startedAt) / 1_000);
      await delay(500);
    }
    progress('single requests');
    const count = quick ? 20 : 60;
    const sent = await load.call('pace', { ...single, key: C, first: FIRST_OF_C, perSecond: 5, count });
    await delay(1_000);
    const starts = new Map(await providers.call('starts', { first: FIRST_OF_C, count }));
    const waits = sent.map(({ number, sentAt }) => (starts.get(number) ?? Number.POSITIVE_INFINITY) - sentAt);
    await ground.close();
    progress('first in, first out');
    const fifo = await inOrder(ground);
    return [
      row(`${JOBS} jobs of another tenant: all done`, 's', done, {
        bare: done.map(() => fifo),
        aim: { of: 'value', is: 'at most', limit: 0.5 },
      }),
      row('one request of a third: starts, p95', 'ms', [percentile(waits, 0.95)], {
        aim: { of: 'value', is: 'at most', limit: 50 },
      }),
      row('the same, p50', 'ms', [percentile(waits, 0.5)]),
    ];
  },
};

/** Seconds until the same jobs are done that come last into a queue without lanes. */
const inOrder = async (ground: Ground): Promise<number> => {
  const redis = await ground.redis();
  const providers = await ground.providers({ record: true });
  const api = await ground.bareApi(redis);
  const of = { redisUrl: redis.url, template: SHORT_CALL };
  await api.call('addBulk', { ...of, first: 0, count: BARE_LINES });
  const worker = await ground.bareWorker(redis, providers);
  const startedAt = clockMs();
  await api.call('addBulk', { ...of, first: FIRST_OF_B, count: JOBS });
  await until('all are done', async () => (await worker.call('done', undefined)) === BARE_LINES + JOBS, {
    withinMs: 120_000,
  });
  return (clockMs() - startedAt) / 1_000;
};
