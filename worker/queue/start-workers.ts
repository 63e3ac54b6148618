/** BullMQ as the gateway uses it: it distributes hand-offs, holds their locks and brings back those of a lost worker. What a job comes to is not its business. */
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { describeError, type Log } from '../../shared/domain/log.ts';
import { every } from '../../shared/process/every.ts';
import type { Handoff } from '../../shared/storage/queue/queues.ts';
import { type QueueName, shardTag } from '../../shared/storage/redis/names.ts';
import { answerOf, RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';

/** A hand-off whose worker is lost runs again within 13 seconds: the rest of its lock, then the next stall check. */
const LOCK_MS = 10_000;
const STALL_CHECK_MS = 3_000;
const WATCH_MS = 2_500;
/**
 * A worker that starts nothing from one look to the next, so many times in a row and although it could, is stuck: its blocking connection was lost without a sign.
 * Looks are counted, not time: a process that was stopped for a while is not stuck.
 */
const STUCK_LOOKS = 4;

export type QueueWorkers = {
  /** Takes no more hand-offs and waits for those that run. */
  close: () => Promise<void>;
};

type Needs = {
  queue: QueueName;
  redis: Redis;
  shards: number;
  slotsAShard: number;
  run: (shard: number, handoff: Handoff, lost: AbortSignal) => Promise<void>;
  log: Log;
};

export const startQueueWorkers = (needs: Needs): QueueWorkers => {
  const workers = Array.from({ length: needs.shards }, (_, shard) => startWatchedWorker(needs, shard));
  return {
    close: async () => {
      await Promise.all(workers.map(({ close }) => close()));
    },
  };
};

const startWatchedWorker = ({ queue: name, redis, slotsAShard, run, log }: Needs, shard: number): QueueWorkers => {
  const runs = new Set<Promise<void>>();
  let idleLooks = 0;

  const start = (): Worker => {
    const worker = new Worker(
      name,
      // BullMQ passes the signal only to a function that declares three parameters.
      async (job, _token, signal) => {
        if (!job.id || !signal) return;
        idleLooks = 0;
        // The job stays in the in-flight set, which brings it again, and BullMQ would keep the error's text.
        const running = run(shard, job.id, signal).catch((error: unknown) =>
          error instanceof RedisUnavailable
            ? log.warn('run_put_off', { shard, ...describeError(error) })
            : log.error('run_broke', { shard, ...describeError(error) }),
        );
        runs.add(running);
        await running.finally(() => runs.delete(running));
      },
      {
        connection: redis,
        prefix: shardTag(shard),
        concurrency: slotsAShard,
        lockDuration: LOCK_MS,
        stalledInterval: STALL_CHECK_MS,
        // How often a job may be lost is decided in its own record.
        maxStalledCount: 1_000_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        skipVersionCheck: true,
      },
    );
    // BullMQ prints what nobody listens to. Connection trouble heals by itself and shows in the upkeep's log.
    worker.on('error', () => {});
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) worker.cancelJob(id);
    });
    return worker;
  };

  let worker = start();
  const queue = new Queue(name, {
    connection: redis,
    prefix: shardTag(shard),
    skipVersionCheck: true,
    skipWaitingForReady: true,
    // It would set the length of BullMQ's event stream, which nobody reads, back to its default.
    skipMetasUpdate: true,
  });
  queue.on('error', () => {});

  const watch = every(
    WATCH_MS,
    async () => {
      const couldStart = runs.size < slotsAShard && (await answerOf(queue.getWaitingCount())) > 0;
      idleLooks = couldStart ? idleLooks + 1 : 0;
      if (idleLooks <= STUCK_LOOKS) return;
      log.error('worker_stuck', { shard, count: runs.size });
      const stuck = worker;
      worker = start();
      idleLooks = 0;
      // What it runs goes on to its end; the locks of its hand-offs are renewed until then.
      void stuck.close().catch(() => {});
    },
    (error) => log.warn('watch_failed', { shard, ...describeError(error) }),
  );

  return {
    close: async () => {
      const closed = worker.close();
      await watch.stop();
      await closed;
      // Those of a worker that was replaced.
      await Promise.allSettled(runs);
      await queue.close();
    },
  };
};
