import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server program that runs here, and the environment that it needs (undefined: the launcher's own). */
export type RedisProgram = { command: string; version: string; env?: Record<string, string> };

const programs = ['redis-server', 'valkey-server'];
// 6.2 is the oldest with every command that the scripts use.
const oldestVersion = { major: 6, minor: 2 };

/**
 * Finds a Redis or Valkey server of 6.2 or newer: on PATH, else unpacked by an earlier `installRedis` under `packagesDir`.
 * Undefined when there is none.
 */
export const findRedisServer = async (packagesDir: string): Promise<RedisProgram | undefined> => {
  for (const command of programs) {
    const version = await readVersion(command);
    if (version) return { command, version };
  }
  return findUnpacked(packagesDir);
};

/**
 * Fetches Debian's or Ubuntu's own redis-server with the libraries that this machine lacks, verified by apt as in an install, and unpacks it under `packagesDir`.
 * Needs no root, changes nothing outside that folder, and no service is started (an `apt-get install` would start one on port 6379). Safe to call twice at once.
 * Throws with the command that a person would run where that cannot be done.
 */
export const installRedis = async (packagesDir: string, log: (line: string) => void): Promise<RedisProgram> => {
  if (!(await isOnPath('apt-get'))) throw new Error(await adviseInstall());
  log('No Redis on this machine: fetching Debian’s redis-server into a private folder (once)');
  await mkdir(packagesDir, { recursive: true });
  const work = await mkdtemp(join(packagesDir, 'unpacking-'));
  try {
    await fetchPackages(work);
    const root = join(work, 'root');
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(work, file), root]);
    }
    // Renamed only when whole, so that a killed install leaves nothing that looks finished. Of two at once the second finds the first's.
    await rename(root, join(packagesDir, 'root')).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw new Error(`${await adviseInstall()}\n(apt-get could not fetch it: ${lastLine(error)})`, { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = await findUnpacked(packagesDir);
  if (!program) throw new Error(`${await adviseInstall()}\n(the one that apt-get fetched does not run here)`);
  return program;
};

/** Downloads redis-server and what it needs that is not installed, as .deb files into `folder`. */
const fetchPackages = async (folder: string): Promise<void> => {
  const lists = join(folder, 'lists');
  const priv = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${join(folder, 'cache')}`];
  const unlocked = ['-qq', '-o', 'Debug::NoLocking=true', '-o', 'APT::Sandbox::User=root'];
  const attempt = async (options: string[]): Promise<void> => {
    // `--print-uris` lets apt compute the set without a lock and without root. The two named first are always wanted: redis-server is a link to a program of redis-tools.
    const install = ['--print-uris', '-y', '--no-install-recommends', 'install', 'redis-server'];
    const { stdout } = await run('apt-get', [...unlocked, ...options, ...install], { cwd: folder });
    const missing = [...stdout.matchAll(/^'[^']+' ([^_\s]+)_/gm)].flatMap((match) => match[1] ?? []);
    const names = new Set(['redis-server', 'redis-tools', ...missing]);
    await run('apt-get', [...unlocked, ...options, 'download', ...names], { cwd: folder });
  };
  try {
    await attempt([]);
  } catch {
    // The machine's package lists are empty or out of date: private ones, so that theirs stay as they are.
    await mkdir(join(lists, 'partial'), { recursive: true });
    await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
    await run('apt-get', [...unlocked, ...priv, 'update'], { cwd: folder });
    await attempt(priv);
  }
};

const findUnpacked = async (packagesDir: string): Promise<RedisProgram | undefined> => {
  const root = join(packagesDir, 'root');
  const command = join(root, 'usr', 'bin', 'redis-server');
  if (!existsSync(command)) return undefined;
  const libraries: string[] = [];
  for (const parent of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    libraries.push(parent, ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(parent, entry.name)));
  }
  const env = { LD_LIBRARY_PATH: libraries.join(delimiter) };
  const version = await readVersion(command, env);
  return version ? { command, version, env } : undefined;
};

/** Undefined when the program is not there, does not run or is too old. */
const readVersion = async (command: string, env?: Record<string, string>): Promise<string | undefined> => {
  const { stdout } = await run(command, ['--version'], env ? { env } : {}).catch(() => ({ stdout: '' }));
  const [, version, major = 0, minor = 0] = /\bv=((\d+)\.(\d+)[^\s]*)/.exec(stdout) ?? [];
  const isRecent =
    Number(major) > oldestVersion.major ||
    (Number(major) === oldestVersion.major && Number(minor) >= oldestVersion.minor);
  return isRecent ? version : undefined;
};

const commands: Record<string, string> = {
  'apt-get': 'sudo apt-get update && sudo apt-get install redis-server',
  brew: 'brew install redis',
  dnf: 'sudo dnf install valkey',
  pacman: 'sudo pacman -S valkey',
  zypper: 'sudo zypper install redis',
  apk: 'sudo apk add redis',
};

const adviseInstall = async (): Promise<string> => {
  for (const [program, command] of Object.entries(commands)) {
    if (await isOnPath(program))
      return `No Redis 6.2 or newer was found. Install it (${command}) or set REDIS_URL to a running one.`;
  }
  return 'No Redis 6.2 or newer was found. Install redis-server or valkey-server, or set REDIS_URL to a running one.';
};

const isOnPath = async (program: string): Promise<boolean> => {
  return run(program, ['--version']).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
};

const lastLine = (error: unknown): string => {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr || message).trim().split('\n').at(-1) ?? '';
};
