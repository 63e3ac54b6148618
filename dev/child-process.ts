import { spawn } from 'node:child_process';
import type { Exit } from './private-redis.ts';

/** A part of the running gateway that the launcher started. */
export type Part = {
  name: string;
  /** Resolves when it is gone, whatever the reason. */
  exited: Promise<Exit>;
  /** Asks it to end and waits; kills it when it takes too long. Safe to call twice. */
  stop: () => Promise<void>;
  /** Ends it at once, without its clean-up. */
  kill: () => void;
};

type Environment = Readonly<Record<string, string | undefined>>;

// Beside the configured waits longer than a process's own bound (shared/process/lifecycle.ts), so that it says itself what it waited for.
const stopLimitMs = 20_000;

/**
 * Starts one of our processes on this Node. Its log goes to our own output as it is; it ends by itself when we are gone (its standard input and its message channel close).
 * `firstMessage` resolves with what it sends first, and never when it sends nothing.
 */
export const startProcess = (
  name: string,
  file: string,
  env: Environment,
): Part & { firstMessage: Promise<unknown> } => {
  const child = spawn(process.execPath, ['--disable-sigusr1', file], {
    env: { ...env, EXIT_WITH_PARENT: '1' },
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    // A group of its own: Ctrl-C in the terminal must reach the launcher only, which keeps the order of stopping.
    detached: true,
  });
  // Writing there never happens; a child that closes its end early is no error of ours.
  child.stdin?.on('error', () => {});
  const firstMessage = new Promise<unknown>((resolve) => child.once('message', resolve));
  let hasEnded = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  void exited.then(() => {
    hasEnded = true;
  });
  const kill = (): void => {
    if (!hasEnded) child.kill('SIGKILL');
  };
  const stop = async (): Promise<void> => {
    if (!hasEnded) child.kill('SIGTERM');
    const waitsSeconds = Number(env.DRAIN_SECONDS ?? 0) + Number(env.UNREADY_SECONDS ?? 0);
    const timer = setTimeout(kill, waitsSeconds * 1_000 + stopLimitMs);
    await exited;
    clearTimeout(timer);
  };
  return { name, exited, stop, kill, firstMessage };
};
