/** How soon a single job starts in a worker that is full of another tenant's long calls. */
import { setTimeout as delay } from 'node:timers/promises';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { until } from '../../support/until.ts';
import { clockMs } from '../figures/clock.ts';
import { percentile } from '../figures/statistics.ts';
import { type Measure, row } from '../measure.ts';
import { callOf, NEIGHBOUR_KEYS, SHORT_CALL } from '../processes/request.ts';

const CALLS = 1_000;
/** Of which one tenant's batches hold at most nine tenths. */
const SLOTS = Math.ceil(CALLS / 0.9);
const LINES = 20_000;
const CALL_MS = 2_000;
const FIRST_SINGLE = 600_000;
const PER_SECOND = 5;
const INFLIGHT = key(shardTag(0), 'INFLIGHT');

export const crowd: Measure = {
  name: 'crowd',
  title: `Crowd: ${LINES.toLocaleString('en')} lines of ${CALL_MS / 1_000} s, ${CALLS.toLocaleString('en')} of them at once in one worker process, while another tenant sends ${PER_SECOND} single jobs a second`,
  notes: ['Start: from the request to the call’s arrival at the provider’s stand-in.'],
  run: async ({ ground, quick, progress }) => {
    const load = ground.load();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers, { slots: SLOTS });
    await load.call('uploadBatch', { url: api.url, template: callOf(CALL_MS), first: 0, userKeys: 0, lines: LINES });
    progress('until its calls run');
    await until('its calls run', async () => (await redis.client.hlen(INFLIGHT)) >= CALLS, { withinMs: 20_000 });
    await delay(2 * CALL_MS);

    progress('single jobs');
    const sinceMs = clockMs();
    const single = { url: api.url, template: SHORT_CALL, key: NEIGHBOUR_KEYS[0], userKeys: 0, status: 202 };
    const count = PER_SECOND * (quick ? 5 : 20);
    const sent = await load.call('pace', { ...single, first: FIRST_SINGLE, perSecond: PER_SECOND, count });
    const untilMs = clockMs();
    await delay(1_000);
    const starts = new Map(await providers.call('starts', { first: FIRST_SINGLE, count }));
    const waits = sent.map(({ number, sentAt }) => (starts.get(number) ?? Number.POSITIVE_INFINITY) - sentAt);
    const held = await providers.call('held', { first: 0, count: LINES, sinceMs, untilMs });
    return [
      row('a single job starts, p95', 'ms', [percentile(waits, 0.95)], {
        aim: { of: 'value', is: 'at most', limit: 100 },
      }),
      row('the same, p50', 'ms', [percentile(waits, 0.5)]),
      row('calls of the batch at once meanwhile, mean', 'calls', [held / (untilMs - sinceMs)]),
    ];
  },
};
