/** One of the gateway's commands, as it is typed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export type CommandRun = { code: number | null; stdout: string; stderr: string };

/** Runs a file of ours to its end; `env` is all that it finds in its environment but the path. */
export const runProgram = async (
  file: string,
  args: readonly string[],
  { cwd = ROOT, env }: { cwd?: string; env: Record<string, string | undefined> },
): Promise<CommandRun> => {
  const child = spawn(process.execPath, [join(ROOT, file), ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
};

/** An empty REDIS_URL hides one in a developer's `.env`. */
export const runCommand = (
  name: 'audit' | 'job' | 'schema' | 'tenants',
  args: readonly string[],
  env: Record<string, string>,
): Promise<CommandRun> => runProgram(`cli/${name}.ts`, args, { env: { SANDBOX: 'true', REDIS_URL: '', ...env } });
