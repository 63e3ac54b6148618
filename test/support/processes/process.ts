/** One of the gateway's processes, started as `npm run start:api` and `start:worker` do, with its log at hand. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const ROOT = new URL('../../..', import.meta.url).pathname;

export type LogLine = Readonly<Record<string, unknown>> & { msg: string };

export type GatewayProcess = {
  pid: number;
  log: readonly LogLine[];
  /** Everything it printed that is no line of the log. */
  otherOutput: readonly string[];
  /** Every line as it was printed. */
  printed: { readonly stdout: readonly string[]; readonly stderr: readonly string[] };
  signal: (signal: NodeJS.Signals) => void;
  /** Resolves when the process is gone. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** SIGTERM, and SIGKILL after 20 s. */
  stop: () => Promise<void>;
};

/** `root`: the folder of another release, if it is not this one's process. */
export const startProcess = (
  file: 'api/main.ts' | 'worker/main.ts',
  env: Record<string, string>,
  { root = ROOT }: { root?: string } = {},
): GatewayProcess => {
  const child = spawn(process.execPath, [file], {
    cwd: root,
    // Nothing of the machine's own environment but what a program needs to run.
    env: { PATH: process.env.PATH, HOME: '/nonexistent', EXIT_WITH_PARENT: 'true', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  const otherOutput: string[] = [];
  const printed = { stdout: [] as string[], stderr: [] as string[] };
  const read = (line: string): void => {
    try {
      // Every line of the log is an object with a `msg`.
      log.push(JSON.parse(line) as LogLine);
    } catch {
      otherOutput.push(line);
    }
  };
  for (const name of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[name] }).on('line', (line) => {
      printed[name].push(line);
      read(line);
    });
  }
  const { promise: exited, resolve } = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  child.on('exit', (code, signal) => resolve({ code, signal }));
  const send = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  return {
    pid: child.pid ?? 0,
    log,
    otherOutput,
    printed,
    signal: send,
    exited,
    stop: async () => {
      // A stopped process takes no other signal than these two.
      send('SIGCONT');
      send('SIGTERM');
      const limit = setTimeout(() => send('SIGKILL'), 20_000);
      await exited;
      clearTimeout(limit);
    },
  };
};
