/** One of the gateway's commands, as it is typed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export type CommandRun = { code: number | null; stdout: string; stderr: string };

/** `env` is all that it finds in its environment but the path and an empty REDIS_URL, which hides one in a developer's `.env`. */
export const runCommand = async (
  name: 'audit' | 'job' | 'schema' | 'tenants',
  args: readonly string[],
  env: Record<string, string>,
): Promise<CommandRun> => {
  const child = spawn(process.execPath, [`cli/${name}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', SANDBOX: 'true', REDIS_URL: '', ...env },
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
