/** How the queue stands. */
import { z } from 'zod';
import { count, listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { NO_COUNTS, type SchedulerStore } from '../../../../shared/storage/jobs/scheduler-store.ts';
import { operation } from '../../../access/operation.ts';
import { pageJson } from '../../../http/query/page.ts';

const countOfShard = count.nullable().meta({ description: 'Null if the shard does not answer.' });

const queue = z.object({
  queue: z.string(),
  shard: count,
  unfinished: countOfShard,
  handed_off: countOfShard,
  delayed: countOfShard,
  parked_lanes: countOfShard,
  worker_slots: countOfShard,
});
type Queue = z.infer<typeof queue>;

const queueList = listOf(queue).register(NAMED, { id: 'QueueList' });

type Needs = { config: Pick<Config, 'redis'>; scheduler: Pick<SchedulerStore, 'counts'> };

export const QUEUE_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/admin/queues',
    access: 'operator',
    summary: 'Counts the queue, by shard',
    answers: { 200: { description: 'The counts.', schema: queueList } },
    handle:
      ({ config, scheduler }: Needs) =>
      async (c) => {
        const shards = Array.from({ length: config.redis.shards }, (_, shard) => shard);
        const counts = await Promise.allSettled(shards.map((shard) => scheduler.counts(shard)));
        const [first] = counts;
        if (first?.status === 'rejected' && counts.every(({ status }) => status === 'rejected')) throw first.reason;
        const data = counts.map(
          (each, shard): Queue => ({
            queue: 'completions',
            shard,
            ...(each.status === 'fulfilled' ? each.value : NO_COUNTS),
          }),
        );
        return c.json(pageJson(data, null));
      },
  }),
];
