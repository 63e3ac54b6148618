/**
 * The environment, taken away from where others read it. Linux shows what a process was started with in /proc/PID/environ for as
 * long as it lives, whatever it deletes: to its own user, and to a path that a fault lets somebody choose. So the secrets are
 * overwritten where they lie. What started the process, npm or a supervisor, has a copy of its own that only it can drop.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { IGNORE_CONFIGURED_ENDPOINTS } from './aws-settings.ts';
import type { Environment } from './config.ts';
import { VARIABLE_NAMES } from './variables.ts';

/** By what a variable is called, or by a password in its URL. */
const isSecret = (name: string, value: string): boolean =>
  /KEY|TOKEN|SECRET|PASS|CREDENTIAL|PEPPER/.test(name) || /:\/\/[^/\s]*@/.test(value);

const ENV_START = 47;

/** Where the block begins and ends in memory: fields 50 and 51 of /proc/PID/stat (proc_pid_stat(5)), counted behind the name. */
const blockPlace = (): [start: number, end: number] => {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [Number(fields[ENV_START]), Number(fields[ENV_START + 1])];
};

/** Overwrites the values of these variables in the block; what is set anew later lies elsewhere. */
const overwrite = (names: ReadonlySet<string>): void => {
  const memory = openSync('/proc/self/mem', 'r+');
  try {
    const [start, end] = blockPlace();
    const block = Buffer.alloc(end - start);
    readSync(memory, block, 0, block.length, start);
    for (let at = 0; at < block.length; ) {
      const stop = block.indexOf(0, at) < 0 ? block.length : block.indexOf(0, at);
      const equals = block.indexOf('=', at);
      if (equals > at && equals < stop && names.has(block.toString('utf8', at, equals))) {
        writeSync(memory, Buffer.alloc(stop - equals - 1), 0, stop - equals - 1, start + equals + 1);
      }
      at = stop + 1;
    }
    block.fill(0);
  } finally {
    closeSync(memory);
  }
};

/**
 * A copy of `own`, the environment of this process, for our own reading. Afterwards that holds none of the secrets, and what the
 * process was started with shows none. `forLibraries`: those that are not ours (`AWS_…`) stay in `own`, for an SDK to find, but
 * none of its files names an endpoint to it.
 * Where there is no /proc, what the process was started with stays.
 */
export const takeEnvironment = (own: NodeJS.ProcessEnv, { forLibraries }: { forLibraries: boolean }): Environment => {
  const taken: Environment = { ...own };
  const secrets = Object.entries(taken).filter(([name, value = '']) => value !== '' && isSecret(name, value));
  if (process.platform === 'linux') {
    try {
      overwrite(new Set(secrets.map(([name]) => name)));
    } catch {
      // A kernel or a sandbox that forbids it leaves things as they are everywhere else.
    }
  }
  for (const [name, value] of secrets) {
    if (forLibraries && !VARIABLE_NAMES.includes(name)) own[name] = value;
    else delete own[name];
  }
  if (forLibraries) Object.assign(own, IGNORE_CONFIGURED_ENDPOINTS);
  return taken;
};
