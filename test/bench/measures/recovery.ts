/** How long jobs stand still when their worker is killed. */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { clockMs } from '../figures/clock.ts';
import { inTurn, type Measure, row } from '../measure.ts';
import { LONG_CALL } from '../processes/request.ts';

const JOBS = 20;
const LIMIT_S = 15;

export const recovery: Measure = {
  name: 'recovery',
  title: `Recovery: a worker with ${JOBS} running jobs is killed (SIGKILL) beside an idle one`,
  notes: ['From the kill to the provider call of each job’s next attempt.'],
  run: async (bench) => {
    const { ground, quick } = bench;
    const load = ground.load();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });

    let next = 0;
    const round = async (): Promise<{ first: number; last: number }> => {
      await redis.reset();
      const first = next;
      next += JOBS;
      const ours = () => providers.call('starts', { first, count: JOBS });

      const doomed = await ground.worker(redis, providers);
      await load.call('flood', {
        url: api.url,
        template: LONG_CALL,
        userKeys: 0,
        first,
        status: 202,
        connections: 4,
        limitMs: 10_000,
        limitRequests: JOBS,
      });
      await until('all jobs run', async () => (await ours()).length === JOBS);
      const heir = await ground.worker(redis, providers);
      // The kill may come at any moment between two renewals of the locks and between two of the heir's stall checks.
      await delay(Math.random() * 6_000);
      const killedAt = clockMs();
      await doomed.stop('SIGKILL');
      const again = await until(
        'all jobs run again',
        async () => {
          const later = new Map((await ours()).filter(([, at]) => at > killedAt));
          return later.size === JOBS ? [...later.values()] : null;
        },
        { withinMs: 60_000, everyMs: 50 },
      );
      await heir.stop('SIGKILL');
      const seconds = again.map((at) => (at - killedAt) / 1_000);
      return { first: Math.min(...seconds), last: Math.max(...seconds) };
    };

    const { rounds } = await inTurn(bench, quick ? 1 : 3, { rounds: round });
    return [
      row(
        'the first job runs again after',
        's',
        rounds.map(({ first }) => first),
      ),
      row(
        'the last job runs again after',
        's',
        rounds.map(({ last }) => last),
        { aim: { of: 'value', is: 'at most', limit: LIMIT_S } },
      ),
    ];
  },
};
