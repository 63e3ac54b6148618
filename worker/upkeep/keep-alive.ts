/** Once a second, for each shard by itself: tells the scheduler that this worker lives, and aborts what was cancelled. Sets the clock. */
import { describeError, type Log } from '../../shared/domain/log.ts';
import { every, type Repeating, together } from '../../shared/process/every.ts';
import type { SchedulerStore } from '../../shared/storage/jobs/scheduler-store.ts';
import type { RedisClock } from '../../shared/storage/redis/clock.ts';

const BEAT_MS = 1_000;

export const keepAlive = ({
  clock,
  scheduler,
  worker,
  shards,
  slotsAShard,
  abort,
  onBeat,
  log,
}: {
  clock: RedisClock;
  scheduler: SchedulerStore;
  worker: string;
  shards: number;
  slotsAShard: number;
  /** Of one job, or of all whose ids begin so. */
  abort: (beginning: string) => void;
  /** Called after each beat that reached a shard. */
  onBeat: () => void;
  log: Log;
}): Repeating & { leave: () => Promise<void> } => {
  const numbers = Array.from({ length: shards }, (_, shard) => shard);
  let slots = slotsAShard;
  const beat = async (shard: number): Promise<void> => {
    for (const beginning of await scheduler.heartbeat(shard, worker, slots)) abort(beginning);
    onBeat();
  };
  const complain = (shard: number) => (error: unknown) =>
    log.warn('heartbeat_failed', { shard, ...describeError(error) });
  const beats = together([
    ...numbers.map((shard) => every(BEAT_MS, () => beat(shard), complain(shard))),
    every(BEAT_MS, clock.sync, (error) => log.warn('clock_not_set', describeError(error))),
  ]);
  return {
    stop: beats.stop,
    /** From here on the scheduler hands nothing off for this worker; cancellations still reach what it runs. Never rejects. */
    leave: async () => {
      slots = 0;
      await Promise.all(numbers.map((shard) => beat(shard).catch(complain(shard))));
    },
  };
};
