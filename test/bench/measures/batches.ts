/** How fast a batch is accepted and cancelled, and what the API process takes for it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { clockMs } from '../figures/clock.ts';
import { type Measure, row } from '../measure.ts';
import { BODY_BYTES, LONG_CALL, ON_PLATFORM_ACCOUNT } from '../processes/request.ts';

const LOOK_MS = 20;
const WARM_UP_LINES = 100_000;

const residentMiB = async (pid: number): Promise<number> =>
  Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1_024;

/** How large the process is before `step` and at most while it runs. */
const withMemory = async <T>(
  pid: number,
  step: () => Promise<T>,
): Promise<{ result: T; before: number; most: number }> => {
  const before = await residentMiB(pid);
  let most = before;
  let over = false;
  const look = async (): Promise<void> => {
    while (!over) {
      most = Math.max(most, await residentMiB(pid));
      await delay(LOOK_MS);
    }
  };
  const looking = look();
  try {
    const result = await step();
    return { result, before, most };
  } finally {
    over = true;
    await looking;
  }
};

const createMeasure = (name: string, lines: number, aimSeconds: number | null): Measure => ({
  name,
  title: `Batches: POST /v1/batches with ${lines.toLocaleString('en')} lines of ${BODY_BYTES} bytes and a name, beside BullMQ’s addBulk of the same bodies, a thousand at a time`,
  notes: [
    `Growth: the API process’ resident memory at its largest during the upload, less that before it; the process has taken a batch of ${WARM_UP_LINES.toLocaleString('en')} lines before, because what V8 takes for its first one it keeps.`,
    'Cancel: all but a few of the lines wait. A second later no call of the batch may start.',
  ],
  run: async ({ ground, quick, progress }) => {
    const load = ground.load();
    const bareRedis = await ground.redis();
    const redis = await ground.redis();
    const bareApi = await ground.bareApi(bareRedis);
    const providers = await ground.providers({ record: true });
    const api = await ground.api(redis, { providers });
    const target = { url: api.url, template: ON_PLATFORM_ACCOUNT, first: 0, userKeys: 0 };
    await load.call('uploadBatch', { ...target, lines: WARM_UP_LINES });
    await redis.reset();

    const accepted: number[] = [];
    const sizes: { before: number; most: number }[] = [];
    const bare: number[] = [];
    for (let round = 1; round <= (quick || lines > 100_000 ? 1 : 3); round++) {
      progress(`round ${round}: upload`);
      const { result, ...size } = await withMemory(api.pid, () => load.call('uploadBatch', { ...target, lines }));
      accepted.push(result.elapsedMs / 1_000);
      sizes.push(size);
      await redis.reset();
      progress(`round ${round}: addBulk`);
      const plan = { redisUrl: bareRedis.url, template: ON_PLATFORM_ACCOUNT, first: 0, count: lines };
      bare.push((await bareApi.call('addBulk', plan)) / 1_000);
      await bareRedis.reset();
    }

    progress('cancel');
    await ground.worker(redis, providers);
    const { id } = await load.call('uploadBatch', { ...target, template: LONG_CALL, lines });
    const cancelled = await load.call('post', { url: api.url, path: `/v1/batches/${id}/cancel` });
    const cancelledAt = clockMs();
    await delay(4_000);
    const late = (await providers.call('starts', undefined)).filter(([, startedAt]) => startedAt > cancelledAt + 1_000);
    return [
      row('accepted', 's', accepted, {
        bare,
        ...(aimSeconds !== null && { aim: { of: 'value', is: 'at most', limit: aimSeconds } }),
      }),
      row(
        'growth of the API process',
        'MiB',
        sizes.map(({ before, most }) => most - before),
        { aim: { of: 'value', is: 'at most', limit: 100 } },
      ),
      row(
        'the API process at its largest',
        'MiB',
        sizes.map(({ most }) => most),
      ),
      row('cancel answers', 'ms', [cancelled.elapsedMs], { aim: { of: 'value', is: 'at most', limit: 200 } }),
      row('calls started later than a second after', 'calls', [late.length], {
        aim: { of: 'value', is: 'at most', limit: 0 },
      }),
    ];
  },
});

export const batches = createMeasure('batches', 100_000, 5);
export const batchesMillion: Measure = { ...createMeasure('batches-million', 1_000_000, null), isLong: true };
