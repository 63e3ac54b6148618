/** What it costs to go through the queue, for a client that waits for its answer. */
import { inTurn, type Measure, row } from '../measure.ts';
import { bodyOf, ON_PLATFORM_ACCOUNT } from '../processes/request.ts';

export const wait: Measure = {
  name: 'wait',
  title: 'Wait: POST /v1/complete with Prefer: wait, beside the same call by the SDK alone',
  notes: ['One call after the other, provider without delay.'],
  run: async (bench) => {
    const { ground, quick } = bench;
    const count = quick ? 100 : 500;
    const load = ground.load();
    const direct = ground.directCalls();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: false });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers);

    // The cast: a body made here.
    const { messages } = JSON.parse(bodyOf(ON_PLATFORM_ACCOUNT, 0)) as { messages: [{ content: string }] };
    const text = messages[0].content;
    const variants = {
      bare: () => direct.call('call', { bedrockUrl: providers.urls.bedrock, text, count }),
      gateway: () =>
        load.call('flood', {
          url: api.url,
          template: ON_PLATFORM_ACCOUNT,
          first: 0,
          userKeys: 0,
          headers: { prefer: 'wait=30' },
          // The answer of a job that is final.
          status: 200,
          connections: 1,
          limitMs: 60_000,
          limitRequests: count,
        }),
    };
    bench.progress('warming up');
    await inTurn({ progress: () => {} }, 1, variants);
    const { gateway, bare } = await inTurn(bench, quick ? 2 : 5, variants);
    const p50 = ({ p50 }: { p50: number }): number => p50;
    const p99 = ({ p99 }: { p99: number }): number => p99;
    return [
      row('p50', 'ms', gateway.map(p50), { bare: bare.map(p50) }),
      row('p99', 'ms', gateway.map(p99), { bare: bare.map(p99) }),
      row(
        'added by the gateway, p50',
        'ms',
        gateway.map((each, round) => each.p50 - (bare[round]?.p50 ?? Number.NaN)),
      ),
    ];
  },
};
