import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server program that runs here, and the environment that it needs (undefined: the launcher's own). */
export type RedisProgram = { command: string; version: string; env?: Record<string, string> };

const programs = ['redis-server', 'valkey-server'];
// The oldest with every command that the scripts use; Valkey began at 7.2.
const oldestVersion = { major: 7, minor: 0 };

/** Why no server could be fetched. `outdated`: those that this system offers are too old. */
type Failure = { why: string; outdated: boolean };

/**
 * Finds a Redis or Valkey server of 7.0 or newer: on PATH, else unpacked by an earlier `installRedis` under `packagesDir`.
 * Undefined when there is none.
 */
export const findRedisServer = async (packagesDir: string): Promise<RedisProgram | undefined> => {
  for (const command of programs) {
    const version = await readVersion(command);
    if (version && isRecent(version)) return { command, version };
  }
  return findUnpacked(packagesDir);
};

/**
 * Fetches Debian's or Ubuntu's own redis-server with the libraries that this machine lacks, verified by apt as in an install, and unpacks it under `packagesDir`.
 * Needs no root, changes nothing outside that folder, and no service is started (an `apt-get install` would start one on port 6379). Safe to call twice at once.
 * What an earlier, broken install left there is replaced. Throws with what was found and what a person can do if it cannot be done.
 */
export const installRedis = async (packagesDir: string, log: (line: string) => void): Promise<RedisProgram> => {
  if (!(await isOnPath('apt-get'))) throw new Error(await advise(null));
  log('No Redis 7.0 or newer on this machine: fetching Debian’s redis-server into a private folder (once)');
  await mkdir(packagesDir, { recursive: true });
  await removeLeftBehind(packagesDir);
  const work = await mkdtemp(join(packagesDir, WORK));
  try {
    const unpacked = await unpackFirstThatRuns(work, log);
    const root = join(packagesDir, 'root');
    // Of two installs at once the second finds the first's. One that does not run is out of the way before, and goes with the rest of the work.
    if (!(await findUnpacked(packagesDir))) {
      await rename(root, join(work, 'broken')).catch(ignoring('ENOENT'));
      // Renamed only when whole and seen to run, so that a killed install leaves nothing that looks finished.
      await rename(unpacked, root).catch(ignoring('ENOTEMPTY', 'EEXIST'));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = await findUnpacked(packagesDir);
  if (!program) throw new Error(await advise(DOES_NOT_RUN));
  return program;
};

const DOES_NOT_RUN: Failure = { why: 'the one that apt-get fetched does not run here', outdated: false };
const WORK = 'unpacking-';
const LEFT_BEHIND_MS = 3_600_000;

/** Installs that were killed: one that still runs is younger. */
const removeLeftBehind = async (packagesDir: string): Promise<void> => {
  for (const name of await readdir(packagesDir)) {
    const path = join(packagesDir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (name.startsWith(WORK) && Date.now() - mtimeMs > LEFT_BEHIND_MS)
      await rm(path, { recursive: true, force: true });
  }
};

const ignoring =
  (...codes: string[]) =>
  (error: NodeJS.ErrnoException): void => {
    if (!codes.includes(error.code ?? '')) throw error;
  };

/**
 * A folder with a server that was seen to run: fetched by the machine's own package lists, else by fresh private ones.
 * The machine's may be empty, out of date, or lead to something that does not run.
 */
const unpackFirstThatRuns = async (work: string, log: (line: string) => void): Promise<string> => {
  let failure: Failure = DOES_NOT_RUN;
  for (const lists of ['own', 'private'] as const) {
    const folder = join(work, lists);
    try {
      if (lists === 'private') log('The machine’s package lists did not do: fetching private ones');
      await mkdir(folder);
      const root = await unpack(folder, lists === 'own' ? [] : await fetchLists(folder));
      const version = await readVersion(serverOf(root), await environmentOf(root));
      if (version && isRecent(version)) return root;
      failure = version ? { why: `apt-get offers Redis ${version}`, outdated: true } : DOES_NOT_RUN;
    } catch (error) {
      failure = { why: `apt-get could not fetch it: ${lastLine(error)}`, outdated: false };
    }
  }
  throw new Error(await advise(failure));
};

const APT = ['-qq', '-o', 'Debug::NoLocking=true', '-o', 'APT::Sandbox::User=root'];

/** Package lists of our own, so that the machine's stay as they are; answers the options that lead apt to them. */
const fetchLists = async (folder: string): Promise<string[]> => {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const options = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
  await run('apt-get', [...APT, ...options, 'update'], { cwd: folder });
  return options;
};

/** Downloads redis-server and what it needs that is not installed, and unpacks it all into one folder, which it answers. */
const unpack = async (folder: string, options: readonly string[]): Promise<string> => {
  // A simulation computes the set without a lock and without root, and whatever the archive cache already holds (`--print-uris` leaves that out).
  const install = ['--simulate', '--no-install-recommends', 'install', 'redis-server'];
  const { stdout } = await run('apt-get', [...APT, ...options, ...install], { cwd: folder });
  const missing = [...stdout.matchAll(/^Inst (\S+)/gm)].flatMap(([, name]) => name ?? []);
  // The two named first are always wanted, installed or not: redis-server is a link to a program of redis-tools.
  const names = new Set(['redis-server', 'redis-tools', ...missing]);
  await run('apt-get', [...APT, ...options, 'download', ...names], { cwd: folder });
  const root = join(folder, 'root');
  for (const file of await readdir(folder)) {
    if (file.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(folder, file), root]);
  }
  return root;
};

const serverOf = (root: string): string => join(root, 'usr', 'bin', 'redis-server');

const environmentOf = async (root: string): Promise<Record<string, string>> => {
  const libraries: string[] = [];
  for (const parent of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    libraries.push(parent, ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(parent, entry.name)));
  }
  return { LD_LIBRARY_PATH: libraries.join(delimiter) };
};

const findUnpacked = async (packagesDir: string): Promise<RedisProgram | undefined> => {
  const root = join(packagesDir, 'root');
  const command = serverOf(root);
  const env = await environmentOf(root);
  const version = await readVersion(command, env);
  return version && isRecent(version) ? { command, version, env } : undefined;
};

/** Null when the program does not run, undefined when it is not there. */
const readVersion = async (command: string, env?: Record<string, string>): Promise<string | null | undefined> =>
  run(command, ['--version'], env ? { env } : {}).then(
    ({ stdout }) => /\bv=(\d+\.\d+\S*)/.exec(stdout)?.[1] ?? null,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : null),
  );

const isRecent = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldestVersion.major || (major === oldestVersion.major && minor >= oldestVersion.minor);
};

/** What installs a server on a system whose packages this program manages. */
const commands: Record<string, string> = {
  'apt-get': 'sudo apt-get update && sudo apt-get install redis-server',
  brew: 'brew install redis',
  dnf: 'sudo dnf install valkey',
  pacman: 'sudo pacman -S valkey',
  zypper: 'sudo zypper install redis',
  apk: 'sudo apk add redis',
};

/** What is missing, what was found instead, and what to do. `failure`: null if nothing was fetched. */
const advise = async (failure: Failure | null): Promise<string> => {
  const causes = failure ? [failure.why] : [];
  // The package that gave a server that is too old would give it again.
  let outdated = failure?.outdated ?? false;
  for (const command of programs) {
    const version = await readVersion(command);
    if (version === null) causes.push(`${command} is installed but does not run`);
    if (version) causes.push(`${command} is installed in version ${version}`);
    outdated ||= Boolean(version);
  }
  const found = causes.length > 0 ? ` (${causes.join('; ')})` : '';
  return `No Redis or Valkey 7.0 or newer was found${found}. ${await remedy(outdated)} or set REDIS_URL to a running one.`;
};

const remedy = async (outdated: boolean): Promise<string> => {
  if (outdated) return 'Those of this system’s packages are too old: install one from redis.io or valkey.io,';
  for (const [program, command] of Object.entries(commands)) {
    if (await isOnPath(program)) return `Install one (${command}),`;
  }
  return 'Install redis-server or valkey-server,';
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
