/** How soon an idle system starts a job. */

import { percentile } from '../figures/statistics.ts';
import type { Api } from '../ground.ts';
import { inTurn, type Measure, row } from '../measure.ts';
import { ON_PLATFORM_ACCOUNT } from '../processes/request.ts';

const PER_SECOND = 20;

type Starts = () => Promise<[number: number, atMs: number][]>;

export const start: Measure = {
  name: 'start',
  title: `Start: at ${PER_SECOND} jobs/s, from the request to the provider call, beside BullMQ alone from its add to its processor`,
  notes: [
    'One API and one worker process. The gateway’s end is the arrival of the whole call at the provider’s stand-in, so an SDK call is in it; the bare end is the first line of the processor.',
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const load = ground.load();
    const redis = await ground.redis();
    const bareRedis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers);
    const bareApi = await ground.bareApi(bareRedis);
    const bareWorker = await ground.bareWorker(bareRedis);

    let next = 0;
    const paced = async (to: Api, starts: Starts, count: number, perSecond = PER_SECOND) => {
      const first = next;
      next += count;
      const sent = await load.call('pace', {
        url: to.url,
        template: ON_PLATFORM_ACCOUNT,
        first,
        userKeys: 0,
        status: 202,
        perSecond,
        count,
      });
      const started = await allStarted(starts, first, count);
      const fromAnswer = sent.map(({ number, answeredAt }) => (started.get(number) ?? Number.NaN) - answeredAt);
      const fromRequest = sent.map(({ number, sentAt }) => (started.get(number) ?? Number.NaN) - sentAt);
      return {
        answerP50: percentile(fromAnswer, 0.5),
        answerP99: percentile(fromAnswer, 0.99),
        requestP50: percentile(fromRequest, 0.5),
        requestP99: percentile(fromRequest, 0.99),
      };
    };
    const ofGateway: Starts = () => providers.call('starts', undefined);
    const ofBare: Starts = () => bareWorker.call('starts', undefined);
    bench.progress('warming up');
    await paced(bareApi, ofBare, 500, 250);
    await paced(api, ofGateway, 500, 250);

    const count = PER_SECOND * (quick ? 5 : 15);
    const { gateway, bare } = await inTurn(bench, quick ? 1 : 3, {
      bare: () => paced(bareApi, ofBare, count),
      gateway: () => paced(api, ofGateway, count),
    });
    const figure = (what: string, pick: keyof (typeof gateway)[number], limit: number | null) =>
      row(
        what,
        'ms',
        gateway.map((each) => each[pick]),
        {
          bare: bare.map((each) => each[pick]),
          ...(limit !== null && { aim: { of: 'value', is: 'at most', limit } }),
        },
      );
    return [
      figure('from the 202, p50', 'answerP50', 4),
      figure('from the 202, p99', 'answerP99', 15),
      figure('from the request, p50', 'requestP50', null),
      figure('from the request, p99', 'requestP99', null),
    ];
  },
};

/** When each of the requests from `first` on was started; waits for the last of them. */
const allStarted = async (starts: Starts, first: number, count: number): Promise<Map<number, number>> => {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const ours = new Map((await starts()).filter(([number]) => number >= first && number < first + count));
    if (ours.size === count) return ours;
    if (performance.now() > deadline) throw new Error(`only ${ours.size} of ${count} jobs were started`);
  }
};
