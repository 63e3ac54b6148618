/** How long a tenant waits for what it used in a year. */

import { key, shardTag } from '../../../shared/redis/keys.ts';
import { COUNTERS } from '../../../shared/stores/usage-store.ts';
import { type Aim, inTurn, type Measure, row } from '../measure.ts';
import { PLATFORM_KEY } from '../request.ts';

const DAYS = 365;
const MODELS = 200;
const DAY_MS = 86_400_000;

const AIM: Aim = { of: 'value', is: 'at most', limit: 100 };

export const usage: Measure = {
  name: 'usage',
  title: `Usage: GET /v1/usage over ${DAYS} days with ${MODELS} models each`,
  notes: [`One query after the other. Told apart by everything, the answer has ${DAYS * MODELS} rows.`],
  run: async (bench) => {
    const { ground, quick } = bench;
    const redis = await ground.redis();
    const api = await ground.api(redis);
    const dayAt = (index: number): string => new Date(Date.now() - index * DAY_MS).toISOString().slice(0, 10);
    const counts = COUNTERS.map((_, index) => 10 ** index + 1).join(' ');
    for (let index = 0; index < DAYS; index++) {
      const rows = Array.from({ length: MODELS }, (_, model) => [
        `bedrock|us.anthropic.claude-of-some-kind-${model}-20250929-v1:0|platform`,
        counts,
      ]);
      await redis.client.hset(key(shardTag(0), 'USAGE', `bench:${dayAt(index)}`), ...rows.flat());
    }

    const query =
      (groups: string, accept = 'application/json') =>
      async (): Promise<number> => {
        const startedMs = performance.now();
        const answer = await fetch(`${api.url}/v1/usage?from=${dayAt(DAYS - 1)}&group_by=${groups}`, {
          headers: { 'X-API-Key': PLATFORM_KEY, accept },
        });
        await answer.arrayBuffer();
        if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
        return performance.now() - startedMs;
      };
    const everything = 'day,provider,model,credential';
    const variants = {
      'by model': query('model'),
      'by day': query('day'),
      'by provider and credential': query('provider,credential'),
      'by everything': query(everything),
      'by everything, as CSV': query(everything, 'text/csv'),
    };
    bench.progress('warming up');
    await inTurn({ progress: () => {} }, 3, variants);
    const times = await inTurn(bench, quick ? 3 : 15, variants);
    return Object.entries(times).map(([what, ms]) =>
      row(what, 'ms', ms, what.startsWith('by everything') ? {} : { aim: AIM }),
    );
  },
};
