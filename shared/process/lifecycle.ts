/** How a process starts and stops: what was opened last is closed first, once, within a bound. */
import type { Log } from '../domain/log.ts';
import { describeError } from '../domain/log.ts';

/** Beside the waits that the configuration asks for: past both, a process that is asked to stop goes without waiting further. */
const STOP_LIMIT_MS = 15_000;

type Closer = { name: string; close: () => Promise<void> | void };

export type Lifecycle = {
  /** Registers what is to be closed; the last one registered is closed first. */
  onStop: (name: string, close: Closer['close']) => void;
  /** Closes everything; the same promise for every caller. */
  stop: () => Promise<void>;
};

export const createLifecycle = ({ log }: { log: Log }): Lifecycle => {
  const closers: Closer[] = [];
  let stopping: Promise<void> | null = null;
  const closeAll = async (): Promise<void> => {
    for (let closer = closers.pop(); closer; closer = closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        log.error('close_failed', { ...describeError(error), code: closer.name });
      }
    }
  };
  return {
    onStop: (name, close) => closers.push({ name, close }),
    stop: () => {
      stopping ??= closeAll();
      return stopping;
    },
  };
};

/** Ties a process to its signals, to errors nobody caught and, for a launcher's child, to its parent's life. */
export const runUntilStopped = ({
  lifecycle,
  log,
  waitsMs,
  exitWithParent,
}: {
  lifecycle: Lifecycle;
  log: Log;
  /** Of the waits at a stop that are configured. */
  waitsMs: number;
  exitWithParent: boolean;
}): void => {
  let stopping = false;
  const stop = (reason: string, exitCode: number): void => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal: reason });
    const limit = setTimeout(() => {
      log.error('stop_took_too_long');
      process.exit(1);
    }, waitsMs + STOP_LIMIT_MS);
    limit.unref();
    void lifecycle.stop().then(() => process.exit(exitCode));
  };
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  // A second one is a person's impatience, and ends the process.
  process.once('SIGINT', () => stop('SIGINT', 0));
  if (exitWithParent) {
    process.stdin.on('end', () => stop('parent gone', 0)).on('error', () => stop('parent gone', 0));
    process.stdin.resume();
  }
  // Node would print the whole error, and a library's error may hold a key.
  const crash = (event: string) => (error: unknown) => {
    log.error(event, describeError(error));
    process.exit(1);
  };
  process.on('uncaughtException', crash('uncaught_exception'));
  process.on('unhandledRejection', crash('unhandled_rejection'));
};
