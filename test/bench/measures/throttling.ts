/** What a tenant feels of another whose provider account answers 429. */
import { setTimeout as delay } from 'node:timers/promises';
import { clockMs } from '../figures/clock.ts';
import { inTurn, type Measure, row } from '../measure.ts';
import { callOf, NEIGHBOUR_KEYS, THROTTLED_CALL } from '../processes/request.ts';

const SLOTS = 40;
const CALL_MS = 200;
const [THROTTLED] = NEIGHBOUR_KEYS;
const LINES = 5_000;
const FIRST_THROTTLED = 500_000;

export const throttling: Measure = {
  name: 'throttling',
  title: `Throttling: a tenant’s lines of ${CALL_MS} ms on one worker process of ${SLOTS} slots, while ${LINES.toLocaleString('en')} lines of another wait for an account that answers 429 with Retry-After: 5`,
  notes: ['Bare: the same without the other tenant, in turns.'],
  run: async (bench) => {
    const { ground, quick } = bench;
    const windowMs = quick ? 6_000 : 15_000;
    const rounds = quick ? 1 : 3;
    const load = ground.load();
    const redis = await ground.redis();
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    await ground.worker(redis, providers, { slots: SLOTS });
    const lines = Math.ceil((SLOTS * (2 * rounds + 1) * (windowMs + 2_000)) / CALL_MS);
    await load.call('uploadBatch', { url: api.url, template: callOf(CALL_MS), first: 0, userKeys: 0, lines });
    await delay(2_000);

    const perSecond = async (): Promise<number> => {
      const since = clockMs();
      await delay(windowMs);
      const until = clockMs();
      const ends = await providers.call('ends', { first: 0, count: lines });
      return (ends.filter(([, at]) => at >= since && at < until).length * 1_000) / (until - since);
    };
    let refused = 0;
    const beside = async (): Promise<number> => {
      const target = { url: api.url, key: THROTTLED };
      const plan = { ...target, template: THROTTLED_CALL, first: FIRST_THROTTLED, userKeys: 1, lines: LINES };
      const before = (await providers.call('ends', { first: FIRST_THROTTLED, count: LINES })).length;
      const { id } = await load.call('uploadBatch', plan);
      const rate = await perSecond();
      await load.call('post', { ...target, path: `/v1/batches/${id}/cancel` });
      refused += (await providers.call('ends', { first: FIRST_THROTTLED, count: LINES })).length - before;
      return rate;
    };
    const found = await inTurn(bench, rounds, { alone: perSecond, beside });
    return [
      row('lines of the one', '/s', found.beside, {
        bare: found.alone,
        aim: { of: 'ratio', is: 'at least', limit: 0.95 },
      }),
      row('answers of 429 to the other, in a window', 'calls', [refused / rounds]),
    ];
  },
};
