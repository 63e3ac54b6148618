/** Once a second: tells the scheduler that this worker lives, aborts what was cancelled, and sets the clock. */
import { describeError, type Log } from '../../shared/log.ts';
import type { RedisClock } from '../../shared/redis/clock.ts';
import type { SchedulerStore } from '../../shared/stores/scheduler-store.ts';
import { every, type Repeating } from './every.ts';

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
  /** Called after each beat that reached Redis. */
  onBeat: () => void;
  log: Log;
}): Repeating & { leave: () => Promise<void> } => {
  const beat = async (slots: number): Promise<void> => {
    for (let shard = 0; shard < shards; shard++) {
      for (const beginning of await scheduler.heartbeat(shard, worker, slots)) abort(beginning);
    }
    await clock.sync();
    onBeat();
  };
  const beats = every(
    BEAT_MS,
    () => beat(slotsAShard),
    (error) => log.warn('heartbeat_failed', describeError(error)),
  );
  return {
    stop: beats.stop,
    /** From here on the scheduler hands nothing off for this worker. */
    leave: async () => {
      await beats.stop();
      await beat(0);
    },
  };
};
