/** The queue catalogue: BullMQ carries `<id>-<hand-off>` of jobs and deliveries, and nothing else. Their data is in our own keys. */
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { DeliveryId, JobId } from '../../domain/ids.ts';
import { describeError, type Log } from '../../domain/log.ts';
import { key, QUEUE_NAMES, type QueueName, shardTag } from '../redis/names.ts';
import { answerOf } from '../redis/unavailable.ts';

/** `<job id>-<hand-off>` or `<delivery id>-<hand-off>`, the id of a BullMQ job. */
export type Handoff = string;

/** The version of what a BullMQ job holds, for workers of another release. */
export const HANDOFF_VERSION = 1;

export const parseHandoff = (handoff: Handoff): { id: JobId; number: string } | null => {
  const [, id, number] = /^(job_[0-9a-z]{34})-(\d+)$/.exec(handoff) ?? [];
  // A cast because the form was checked; that it is a job of ours, `claim` finds out.
  return id && number ? { id: id as JobId, number } : null;
};

export const parseDeliveryHandoff = (handoff: Handoff): { id: DeliveryId; number: string } | null => {
  const [, id, number] = /^(evt_[0-9a-z]{26,34})-(\d+)$/.exec(handoff) ?? [];
  // As above.
  return id && number ? { id: id as DeliveryId, number } : null;
};

const queueOf = (handoff: Handoff): QueueName => (handoff.startsWith('evt_') ? 'deliveries' : 'completions');

export type Queues = {
  /** Gives the hand-offs of one shard to BullMQ, each to its queue. One that BullMQ knows already changes nothing. */
  add: (shard: number, handoffs: readonly Handoff[]) => Promise<void>;
  /** As `add`, for whoever does not wait for it: the hand-offs are safe in Redis, and those that BullMQ does not get now, upkeep brings. */
  handOff: (shard: number, handoffs: readonly Handoff[]) => void;
  close: () => Promise<void>;
};

export const createQueues = ({ redis, shards, log }: { redis: Redis; shards: number; log: Log }): Queues => {
  const open = (name: QueueName, shard: number): Queue => {
    const queue = new Queue(name, {
      connection: redis,
      prefix: shardTag(shard),
      // A queue that is built while Redis is away stays broken for ever unless both are set.
      skipVersionCheck: true,
      skipWaitingForReady: true,
      skipMetasUpdate: true,
    });
    // BullMQ prints what nobody listens to.
    return queue.on('error', () => {});
  };
  const shardsQueues = Array.from({ length: shards }, (_, shard) => ({
    completions: open('completions', shard),
    deliveries: open('deliveries', shard),
  }));
  // Nobody reads BullMQ's events, and their stream would outlive the jobs. BullMQ's own option for it is lost, without a word, where Redis is not ready when a queue is built.
  const keepNoEvents = (): void => {
    for (let shard = 0; shard < shards; shard++) {
      for (const name of ['COMPLETIONS', 'DELIVERIES'] as const) {
        redis.hset(key(shardTag(shard), name, 'meta'), 'opts.maxLenEvents', 0).catch(() => {});
      }
    }
  };
  redis.on('ready', keepNoEvents);
  if (redis.status === 'ready') keepNoEvents();

  const addNow = async (queue: Queue, handoffs: readonly Handoff[]): Promise<void> => {
    const jobs = handoffs.map((handoff) => ({
      name: queueOf(handoff),
      data: { v: HANDOFF_VERSION },
      opts: {
        jobId: handoff,
        attempts: 1,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        stackTraceLimit: 0,
      },
    }));
    await answerOf(queue.addBulk(jobs));
  };

  // What one turn of the event loop hands off goes together: building a pipeline costs more than a job in it.
  const collected = new Map<Queue, { handoffs: Handoff[]; added: Promise<void> }>();
  const collect = (queue: Queue): { handoffs: Handoff[]; added: Promise<void> } => {
    const handoffs: Handoff[] = [];
    const { promise: added, resolve, reject } = Promise.withResolvers<void>();
    setImmediate(() => {
      collected.delete(queue);
      addNow(queue, handoffs).then(resolve, reject);
    });
    const batch = { handoffs, added };
    collected.set(queue, batch);
    return batch;
  };

  const add: Queues['add'] = async (shard, handoffs) => {
    const queues = shardsQueues[shard];
    if (!queues || handoffs.length === 0) return;
    const batches = new Set(
      handoffs.map((handoff) => {
        const queue = queues[queueOf(handoff)];
        const batch = collected.get(queue) ?? collect(queue);
        batch.handoffs.push(handoff);
        return batch;
      }),
    );
    await Promise.all([...batches].map(({ added }) => added));
  };

  return {
    add,
    handOff: (shard, handoffs) => {
      add(shard, handoffs).catch((error: unknown) => log.warn('hand_off_failed', { shard, ...describeError(error) }));
    },
    close: async () => {
      await Promise.all(shardsQueues.flatMap((queues) => QUEUE_NAMES.map((name) => queues[name].close())));
    },
  };
};
