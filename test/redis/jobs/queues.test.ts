import { expect, test } from 'vitest';
import type { JobId } from '../../../shared/domain/ids.ts';
import { createLog } from '../../../shared/process/log.ts';
import { createQueues } from '../../../shared/storage/queue/queues.ts';
import { connectForRequests, connectForWork } from '../../../shared/storage/redis/client.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { startQueueWorkers } from '../../../worker/queue/start-workers.ts';
import { startSharedRedis } from '../../support/redis/shared-redis.ts';
import { until } from '../../support/until.ts';

const TAG = '{s0}';

test('queues that are built before Redis is ready keep no events of jobs that are gone, whatever workers start', async () => {
  const server = await startSharedRedis();
  const redis = connectForRequests(server.url);
  const queues = createQueues({ redis, shards: 1, log: createLog({ level: 'silent', process: 'worker' }) });
  const forWork = connectForWork(server.url);
  let runs = 0;
  try {
    await until('Redis is ready', () => redis.status === 'ready');
    for (const name of ['COMPLETIONS', 'DELIVERIES'] as const) {
      const most = (): Promise<string | null> => redis.hget(key(TAG, name, 'meta'), 'opts.maxLenEvents');
      await until('the length is set', async () => (await most()) === '0');
    }
    const workers = startQueueWorkers({
      queue: 'completions',
      redis: forWork,
      shards: 1,
      slotsAShard: 10,
      run: async () => {
        runs += 1;
      },
      log: createLog({ level: 'silent', process: 'worker' }),
    });
    for (let round = 0; round < 20; round++) {
      const ids = Array.from({ length: 64 }, (_, index) => `job_${round}_${index}` as JobId);
      await queues.add(
        0,
        ids.map((id) => `${id}-1`),
      );
    }
    await until('all of them have run', () => runs === 20 * 64);
    await workers.close();
    // Redis forgets a hundred at a time.
    expect(await redis.xlen(key(TAG, 'COMPLETIONS', 'events'))).toBeLessThan(300);
  } finally {
    await queues.close();
    redis.disconnect();
    forWork.disconnect();
    await server.stop();
  }
});
