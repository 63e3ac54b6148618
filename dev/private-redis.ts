import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer, connect as openSocket } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findRedisServer, installRedis, type RedisProgram } from './install-redis.ts';

/** How a process ended: one of the two is null. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type PrivateRedis = {
  url: string;
  port: number;
  pid: number;
  version: string;
  /** Resolves when the server is gone, whatever the reason. */
  exited: Promise<Exit>;
  /** Asks the server to write what it holds and end; kills it after 10 s. Safe to call twice. */
  stop: () => Promise<void>;
};

const packagesDir = join(import.meta.dirname, '..', '.data', 'redis-packages');
const startLimitMs = 60_000;
const stopLimitMs = 10_000;
const LEAST_MEMORY_BYTES = 512 * 1_048_576;
// After a launcher that was killed, its API and worker still hand back what they hold: leave them Redis for that long.
const orphanGraceSeconds = 3;

/** Where `npm start` keeps its Redis: the sandbox's data apart, so that real providers never see its jobs. */
export const redisDir = (dataDir: string, { sandbox }: { sandbox: boolean }): string =>
  join(dataDir, sandbox ? 'sandbox-redis' : 'redis');

/**
 * Starts a Redis server of our own on 127.0.0.1 with its data in `dir`; installs one when the machine has none (see `installRedis`).
 * Without `port`: the one used with this folder before, else any free one. A folder has one server at a time: one that an earlier, killed launcher left is stopped first; throws when its launcher still runs.
 * The server ends when this process does, even by SIGKILL.
 */
export const startPrivateRedis = async (options: {
  dir: string;
  port?: number;
  log?: (line: string) => void;
}): Promise<PrivateRedis> => {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const program = (await findRedisServer(packagesDir)) ?? (await installRedis(packagesDir, options.log ?? (() => {})));
  const record = await openRecord(dir, options.port);
  let port = options.port ?? record.port;
  for (let attempt = 1; ; attempt++) {
    // The port is the lock on the folder: Redis binds it before it opens its files, and a second server on it ends at once.
    const server = await launch(program, dir, port);
    if (server) {
      await writeRecord(dir, { port, launcherPid: process.pid });
      return server;
    }
    if (attempt === 3) throw new Error(`Redis found no free port (tried ${port} last)`);
    const isOurs = await stopLeftBehind(dir, port, record);
    if (isOurs) continue;
    if (options.port !== undefined) throw new Error(`port ${port} is in use, so Redis cannot listen there`);
    port = await findFreePort();
  }
};

/** `silent`: something holds the port that the folder's server had last, and does not say what it is. */
type FoundRedis = { kind: 'runs'; url: string } | { kind: 'silent'; port: number } | { kind: 'none' };

/** The server that runs on this folder now. */
export const findPrivateRedis = async (dir: string): Promise<FoundRedis> => {
  const record = parseRecord(await readFile(recordPath(dir), 'utf8').catch(() => ''));
  if (record === null) return { kind: 'none' };
  const { port } = record;
  try {
    const reply = await ask(port, 'CONFIG GET dir');
    if (isOfFolder(reply, await realpath(dir))) return { kind: 'runs', url: `redis://127.0.0.1:${port}` };
    return /^-(BUSY|LOADING)\b/.test(reply) ? { kind: 'silent', port } : { kind: 'none' };
  } catch (error) {
    const isFree = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
    return isFree ? { kind: 'none' } : { kind: 'silent', port };
  }
};

/** A port on 127.0.0.1 that nothing listened on a moment ago. */
export const findFreePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
};

/** Half of the memory that this process may use: the rest is for what Redis needs while it rewrites its log, and for everybody else. */
const maxMemoryBytes = (): number => {
  const ofContainer = process.constrainedMemory();
  const available = ofContainer > 0 ? Math.min(ofContainer, totalmem()) : totalmem();
  return Math.max(LEAST_MEMORY_BYTES, Math.floor(available / 2));
};

/** Undefined when the port is taken; throws with the server's last words when it does not start for another reason. */
const launch = async (program: RedisProgram, dir: string, port: number): Promise<PrivateRedis | undefined> => {
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    'protected-mode': 'yes',
    dir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    maxmemory: String(maxMemoryBytes()),
    'maxmemory-policy': 'noeviction',
    'hash-max-listpack-value': '1024',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  // A group of its own: Ctrl-C in the terminal must reach the launcher only, which stops Redis last.
  const child = spawn(program.command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(program.env && { env: program.env }),
  });
  const lastWords = collectLastWords(child);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program.command} could not be started`);
  const guard = guardAgainstOrphan(pid);
  const guardExited = new Promise<void>((resolve) => {
    guard.once('exit', () => resolve());
    guard.once('error', () => resolve());
  });
  let hasEnded = false;
  void exited.then(() => {
    hasEnded = true;
    guard.kill('SIGKILL');
  });

  const deadline = Date.now() + startLimitMs;
  while (!hasEnded && !(await isServing(port, pid))) {
    if (Date.now() > deadline) child.kill('SIGKILL');
    await Promise.race([exited, delay(20)]);
  }
  if (hasEnded) {
    if (/address already in use/i.test(lastWords())) return undefined;
    throw new Error(`${program.command} did not start:\n${lastWords()}`);
  }

  const stop = async (): Promise<void> => {
    if (!hasEnded) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await exited;
    clearTimeout(timer);
    await guardExited;
  };
  return { url: `redis://127.0.0.1:${port}`, port, pid, version: program.version, exited, stop };
};

/** A shell that waits for the end of this process (its stdin closes) and then ends the server; killed itself when the server ends first, so that it never meets a process id that was given again. */
const guardAgainstOrphan = (pid: number): ChildProcess => {
  const script = 'cat >/dev/null; sleep "$1"; kill -TERM "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'redis-guard', String(orphanGraceSeconds), String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.stdin?.on('error', () => {});
  return guard;
};

/** True when the port turned out to be held by a server on this very folder, which is stopped by then. */
const stopLeftBehind = async (dir: string, port: number, record: ServerRecord): Promise<boolean> => {
  if (!(await servesFolder(port, dir))) return false;
  if (isAlive(record.launcherPid)) {
    throw new Error(
      `another gateway (process ${record.launcherPid}) runs on the data in ${dir}; stop it first, or set DATA_DIR to another folder`,
    );
  }
  await ask(port, 'SHUTDOWN').catch(() => '');
  const deadline = Date.now() + stopLimitMs;
  while (Date.now() < deadline && (await ask(port, 'PING').catch(() => '')) !== '') await delay(50);
  return true;
};

/** Whether a server on this port has its data in this folder: any other may have taken the port over. */
const servesFolder = async (port: number, dir: string): Promise<boolean> => {
  const reply = await ask(port, 'CONFIG GET dir').catch(() => '');
  return isOfFolder(reply, await realpath(dir));
};

const isOfFolder = (reply: string, folder: string): boolean => reply.split('\r\n')[4] === folder;

/** Whether the server of this process id answers commands; false while it still loads its data, and for another server on the port. */
const isServing = async (port: number, pid: number): Promise<boolean> => {
  const reply = await ask(port, 'INFO server').catch(() => '');
  return reply.includes(`\r\nprocess_id:${pid}\r\n`) && (await ask(port, 'PING').catch(() => '')).startsWith('+PONG');
};

/** One inline command on a connection of its own, its reply as it came. Enough for a launcher, which then needs no Redis client. */
const ask = async (port: number, command: string): Promise<string> => {
  const socket = openSocket({ host: '127.0.0.1', port });
  socket.setTimeout(2_000, () => socket.destroy(new Error('no reply')));
  let reply = '';
  try {
    socket.setEncoding('utf8').write(`${command}\r\n`);
    socket.end('QUIT\r\n');
    for await (const chunk of socket) reply += chunk;
  } finally {
    socket.destroy();
  }
  return reply;
};

const collectLastWords = (child: ChildProcess): (() => string) => {
  let words = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      words = (words + chunk).slice(-2_000);
    });
  }
  return () => words;
};

type ServerRecord = { port: number; launcherPid: number };

/** The record of the server that this folder had last; on the first start it names a port before anything listens there, so that two first starts meet on one port. */
const openRecord = async (dir: string, wantedPort: number | undefined): Promise<ServerRecord> => {
  const first = { port: wantedPort ?? (await findFreePort()), launcherPid: process.pid };
  try {
    await writeRecord(dir, first, 'wx');
    return first;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return parseRecord(await readFile(recordPath(dir), 'utf8')) ?? first;
};

const parseRecord = (text: string): ServerRecord | null => {
  const [, port, launcherPid] = /"port":(\d+),"launcherPid":(\d+)/.exec(text) ?? [];
  return port && launcherPid ? { port: Number(port), launcherPid: Number(launcherPid) } : null;
};

const writeRecord = async (dir: string, record: ServerRecord, flag: 'w' | 'wx' = 'w'): Promise<void> => {
  await writeFile(recordPath(dir), `${JSON.stringify(record)}\n`, { flag });
};

const recordPath = (dir: string): string => {
  return join(dir, 'server.json');
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};
