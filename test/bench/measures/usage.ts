/** How long a tenant waits for what it used in a year. */

import { COUNTERS } from '../../../shared/domain/records/usage-counters.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { type Aim, inTurn, type Measure, row } from '../measure.ts';
import { PLATFORM_KEY, TENANT } from '../processes/request.ts';

const DAYS = 365;
/** Of a busy tenant, and as many as a day keeps apart. */
const MODELS = { busy: 50, most: 200 } as const;
const DAY_MS = 86_400_000;

const AIM: Aim = { of: 'value', is: 'at most', limit: 100 };

export const usage: Measure = {
  name: 'usage',
  title: `Usage: GET /v1/usage over ${DAYS} days`,
  notes: [
    `One query after the other. Each day has ${MODELS.busy} models; below, ${MODELS.most}, the most that are kept apart.`,
    `Told apart by everything, the answers have ${DAYS * MODELS.busy} and ${DAYS * MODELS.most} rows.`,
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const redis = await ground.redis();
    const api = await ground.api(redis);
    const dayAt = (index: number): string => new Date(Date.now() - index * DAY_MS).toISOString().slice(0, 10);
    const counts = COUNTERS.map((_, index) => 10 ** index + 1).join(' ');
    const fill = async (models: number): Promise<void> => {
      for (let index = 0; index < DAYS; index++) {
        const rows = Array.from({ length: models }, (_, model) => [
          `bedrock|us.anthropic.claude-of-some-kind-${model}-20250929-v1:0|platform`,
          counts,
        ]);
        await redis.client.hset(key(shardTag(0), 'USAGE', `${TENANT}:${dayAt(index)}`), ...rows.flat());
      }
    };

    const query =
      (groups: string, rows: number, accept = 'application/json') =>
      async (): Promise<number> => {
        const startedMs = performance.now();
        const answer = await fetch(`${api.url}/v1/usage?from=${dayAt(DAYS - 1)}&group_by=${groups}`, {
          headers: { 'X-API-Key': PLATFORM_KEY, accept },
        });
        const text = await answer.text();
        const tookMs = performance.now() - startedMs;
        if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
        const told =
          accept === 'text/csv'
            ? text.trim().split('\n').length - 1
            : (JSON.parse(text) as { data: unknown[] }).data.length;
        if (told !== rows) throw new Error(`${told} rows instead of ${rows}`);
        return tookMs;
      };
    const everything = 'day,provider,model,credential';
    const measure = async (models: number) => {
      await fill(models);
      const variants = {
        'by model': query('model', models),
        'by day': query('day', DAYS),
        'by provider and credential': query('provider,credential', 1),
        'by everything': query(everything, DAYS * models),
        'by everything, as CSV': query(everything, DAYS * models, 'text/csv'),
      };
      bench.progress('warming up');
      await inTurn({ progress: () => {} }, 3, variants);
      return Object.entries(await inTurn(bench, quick ? 3 : 15, variants));
    };
    const busy = await measure(MODELS.busy);
    const most = await measure(MODELS.most);
    return [
      ...busy.map(([what, ms]) => row(what, 'ms', ms, { aim: AIM })),
      ...most.map(([what, ms]) => row(`${MODELS.most} models, ${what}`, 'ms', ms)),
    ];
  },
};
