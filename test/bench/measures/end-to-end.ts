/** How many jobs a second go the whole way. */
import { setTimeout as delay } from 'node:timers/promises';
import { clockMs } from '../figures/clock.ts';
import { withCpu } from '../figures/cpu.ts';
import { inTurn, type Measure, type Row, row } from '../measure.ts';
import { ON_PLATFORM_ACCOUNT, PLATFORM_KEY } from '../processes/request.ts';

const CONNECTIONS = 50;
const LOOK_MS = 25;
const STUCK_MS = 60_000;

type Round = { rate: number; micros: Record<'api' | 'redis' | 'workers' | 'provider' | 'load', number> };

/** Completed jobs, as the usage endpoint says. */
const completedJobs = async (url: string): Promise<number> => {
  // From yesterday: a run may go past midnight.
  const from = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const response = await fetch(`${url}/v1/usage?from=${from}`, { headers: { 'x-api-key': PLATFORM_KEY } });
  const { totals } = (await response.json()) as { totals: { requests: number; completed: number } };
  if (totals.requests !== totals.completed) throw new Error('some jobs did not complete');
  return totals.completed;
};

export const endToEnd: Measure = {
  name: 'end-to-end',
  title:
    'End to end: jobs/s from the first request to the last final state, provider without delay, beside a bare route, BullMQ worker and SDK call',
  notes: [
    `Load of ${CONNECTIONS} connections, API, Redis, workers (default concurrency) and provider stand-in share the machine; CPU is user + system a job.`,
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const count = quick ? 1_000 : 6_000;
    const load = ground.load();
    const providers = await ground.providers({ record: false });

    type Site = { url: string; pids: { api: number; redis: number; workers: number[] }; done: () => Promise<number> };
    const gatewaySite = async (workerCount: number): Promise<Site> => {
      const redis = await ground.redis();
      const api = await ground.api(redis, { providers });
      const workers: number[] = [];
      for (let index = 0; index < workerCount; index++) workers.push((await ground.worker(redis, providers)).pid);
      return {
        url: api.url,
        pids: { api: api.pid, redis: redis.pid, workers },
        done: () => completedJobs(api.url),
      };
    };
    const bareSite = async (): Promise<Site> => {
      const redis = await ground.redis();
      const api = await ground.bareApi(redis);
      const worker = await ground.bareWorker(redis, providers);
      return {
        url: api.url,
        pids: { api: api.pid, redis: redis.pid, workers: [worker.pid] },
        done: () => worker.call('done', undefined),
      };
    };

    const drained = async (site: Site, total: number): Promise<void> => {
      let before = -1;
      let movedAt = clockMs();
      for (;;) {
        const done = await site.done();
        if (done >= total) return;
        if (done > before) movedAt = clockMs();
        if (clockMs() - movedAt > STUCK_MS) throw new Error(`stuck at ${done} of ${total} jobs`);
        before = done;
        await delay(LOOK_MS);
      }
    };
    const run = async (site: Site, jobs: number): Promise<Round> => {
      const total = (await site.done()) + jobs;
      const { api, redis, workers } = site.pids;
      const { result: elapsedMs, cpu } = await withCpu([api, redis, providers.pid, load.pid, ...workers], async () => {
        const sending = load.call('flood', {
          url: site.url,
          template: ON_PLATFORM_ACCOUNT,
          first: 0,
          userKeys: 0,
          status: 202,
          connections: CONNECTIONS,
          limitMs: STUCK_MS,
          limitRequests: jobs,
        });
        const { startedAt } = await sending;
        await drained(site, total);
        return clockMs() - startedAt;
      });
      const [apiMicros = 0, redisMicros = 0, provider = 0, generator = 0, ...each] = cpu.map(
        (ms) => (ms * 1_000) / jobs,
      );
      return {
        rate: (jobs * 1_000) / elapsedMs,
        micros: {
          api: apiMicros,
          redis: redisMicros,
          workers: each.reduce((sum, micros) => sum + micros, 0),
          provider,
          load: generator,
        },
      };
    };

    const one = await gatewaySite(1);
    const two = await gatewaySite(2);
    const bare = await bareSite();
    bench.progress('warming up');
    for (const site of [one, two, bare]) await run(site, quick ? 200 : 1_500);
    const rounds = await inTurn(bench, quick ? 1 : 3, {
      bare: () => run(bare, count),
      one: () => run(one, count),
      two: () => run(two, count),
    });

    const figures = (name: string, of: readonly Round[]): Row[] => {
      const cpu = (what: string, part: keyof Round['micros']): Row =>
        row(
          `${name}: CPU of ${what}`,
          'µs',
          of.map(({ micros }) => micros[part]),
          { bare: rounds.bare.map(({ micros }) => micros[part]) },
        );
      return [
        row(
          `${name}: jobs`,
          '/s',
          of.map(({ rate }) => rate),
          { bare: rounds.bare.map(({ rate }) => rate), aim: { of: 'value', is: 'at least', limit: 700 } },
        ),
        cpu('the API', 'api'),
        cpu('Redis', 'redis'),
        cpu('the workers', 'workers'),
        cpu('the provider stand-in', 'provider'),
        cpu('the load generator', 'load'),
      ];
    };
    return [...figures('one worker', rounds.one), ...figures('two workers', rounds.two)];
  },
};
