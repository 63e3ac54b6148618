/** How soon the end of a job reaches its webhook, alone and beside an endpoint that never answers. */
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { until } from '../../support/until.ts';
import { percentile } from '../figures/statistics.ts';
import type { RedisServer } from '../ground.ts';
import { inTurn, type Measure, row } from '../measure.ts';
import type { ReceiverCalls } from '../processes/receiver.ts';
import { type Remote, startRemote } from '../processes/remote.ts';
import { withWebhook } from '../processes/request.ts';

const PER_SECOND = 50;
const DELIVERY = key(shardTag(0), 'DELIVERY');

export const webhooks: Measure = {
  name: 'webhooks',
  title: `Webhooks: at ${PER_SECOND} jobs/s, from the job's final state to the first byte at the receiver`,
  notes: [
    'One API and one worker process, provider without delay. A final state is taken at the beginning of its millisecond.',
    'Beside: the same while thousands of events wait for another endpoint, which takes connections and never answers; in the column "bare" stands the same without it.',
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const load = ground.load();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers);
    const receiver = ground.own(startRemote<ReceiverCalls>(new URL('../processes/receiver.ts', import.meta.url)));
    const silent = ground.own(startRemote<ReceiverCalls>(new URL('../processes/receiver.ts', import.meta.url)));
    const told = withWebhook(await receiver.call('listen', { silent: false }));
    const untold = withWebhook(await silent.call('listen', { silent: true }));

    let next = 0;
    const paced = async (count: number) => {
      const first = next;
      next += count;
      const target = { url: api.url, template: told, first, userKeys: 0, status: 202 };
      const sent = await load.call('pace', { ...target, perSecond: PER_SECOND, count });
      const latencies = await allArrived(redis, receiver, next);
      const starts = new Map(await providers.call('starts', undefined));
      const calls = sent.map(({ number, answeredAt }) => (starts.get(number) ?? Number.NaN) - answeredAt);
      return {
        p50: percentile(latencies.slice(first), 0.5),
        p95: percentile(latencies.slice(first), 0.95),
        p99: percentile(latencies.slice(first), 0.99),
        callP95: percentile(calls, 0.95),
      };
    };
    bench.progress('warming up');
    await paced(quick ? 100 : 500);
    const count = PER_SECOND * (quick ? 5 : 15);
    const { alone } = await inTurn(bench, quick ? 1 : 3, { alone: () => paced(count) });

    bench.progress('an endpoint that never answers');
    const target = { url: api.url, template: untold, first: 500_000, userKeys: 0, status: 202 };
    const waiting = quick ? 500 : 5_000;
    await load.call('flood', { ...target, connections: 20, limitMs: 60_000, limitRequests: waiting });
    const line = `${key(shardTag(0), 'ENDPOINT_LINE')}*`;
    const manyWait = async (): Promise<boolean> => {
      const [name = ''] = await redis.client.keys(line);
      return (await redis.client.llen(name)) > waiting * 0.95;
    };
    await until('they wait', manyWait, { withinMs: 60_000, everyMs: 500 });
    const { beside } = await inTurn(bench, quick ? 1 : 3, { beside: () => paced(count) });
    const of = (results: typeof alone, pick: keyof (typeof alone)[number]) => results.map((each) => each[pick]);
    const twice = { of: 'ratio', is: 'at most', limit: 2 } as const;
    return [
      row('to the receiver, p50', 'ms', of(alone, 'p50'), { aim: { of: 'value', is: 'at most', limit: 10 } }),
      row('to the receiver, p99', 'ms', of(alone, 'p99'), { aim: { of: 'value', is: 'at most', limit: 50 } }),
      row(`beside ${waiting} waiting, p95`, 'ms', of(beside, 'p95'), { bare: of(alone, 'p95'), aim: twice }),
      row(`beside them, 202 → provider call, p95`, 'ms', of(beside, 'callP95'), {
        bare: of(alone, 'callP95'),
        aim: twice,
      }),
    ];
  },
};

/** How long each event was on its way, in the order of arrival; waits for so many. */
const allArrived = async (redis: RedisServer, receiver: Remote<ReceiverCalls>, count: number): Promise<number[]> => {
  const arrivals = await until(
    `${count} events arrived`,
    async () => {
      const all = await receiver.call('arrivals', undefined);
      return all.length >= count && all;
    },
    { withinMs: 20_000, everyMs: 200 },
  );
  const pipeline = redis.client.pipeline();
  for (const [id] of arrivals) pipeline.hget(`${DELIVERY}${id}`, 'happened');
  const happened = (await pipeline.exec()) ?? [];
  return arrivals.map(([, atMs], index) => atMs - Number(happened[index]?.[1]));
};
