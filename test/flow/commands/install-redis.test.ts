import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
/** Skips say so: these fetch real packages with the machine's own apt. */
const isAptHere = existsSync('/usr/bin/apt-get') && existsSync('/var/lib/dpkg/status');
const installer = join(import.meta.dirname, '..', '..', '..', 'dev', 'install-redis.ts');
const limit = { timeout: 180_000 };

let dir = '';
let packages = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'install-redis-'));
  packages = join(dir, 'packages');
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Packages that a bare machine has not: what its status says decides what apt fetches along. */
const UNINSTALLED = /^Package: (redis|liblzf|libjemalloc|liblua5\.1|lua-)/;

/** The real apt-get, on a machine that has no Redis, whose package lists and archive cache are in `dir`. */
const bareMachine = async (): Promise<{ lists: string; archives: string; env: Record<string, string> }> => {
  const [lists, archives, status] = [join(dir, 'lists'), join(dir, 'archives'), join(dir, 'status')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(archives, 'partial'), { recursive: true });
  const installed = (await readFile('/var/lib/dpkg/status', 'utf8')).split('\n\n');
  await writeFile(status, installed.filter((entry) => !UNINSTALLED.test(entry)).join('\n\n'));
  const config = join(dir, 'apt.conf');
  await writeFile(
    config,
    `Dir::State::lists "${lists}";\nDir::State::status "${status}";\nDir::Cache::archives "${archives}";\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n`,
  );
  return { lists, archives, env: { APT_CONFIG: config, HOME: dir } };
};

const fillLists = (env: Record<string, string>): Promise<unknown> =>
  run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'update'], { env: { ...process.env, ...env } });

/** Runs the installer in a process of its own, so that apt reads that machine; answers the version that it found, or what it said. */
const install = async (env: Record<string, string>, path = process.env.PATH ?? ''): Promise<string> => {
  const script = `
    const { installRedis } = await import(${JSON.stringify(installer)});
    const found = await installRedis(${JSON.stringify(packages)}, () => {}).then(({ version }) => version, ({ message }) => message);
    process.stdout.write(found);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: path, ...env },
  });
  return stdout;
};

const unpackedLibraries = async (): Promise<string[]> => {
  const files = await readdir(join(packages, 'root'), { recursive: true });
  return files.flatMap((file) => /(lib(?:lzf|jemalloc)\.so\.\d)$/.exec(file)?.[1] ?? []).toSorted();
};

test.skipIf(!isAptHere).each([
  ['empty', async () => {}],
  ['filled', async (env: Record<string, string>) => fillLists(env)],
  [
    'out of date',
    async (env: Record<string, string>, lists: string) => {
      await fillLists(env);
      for (const file of await readdir(lists)) {
        if (!file.endsWith('_Packages')) continue;
        const text = await readFile(join(lists, file), 'utf8');
        await writeFile(join(lists, file), text.replace(/^(Filename: \S*redis\S*)_[^_\s]+_/gm, '$1_0.0.1_'));
      }
    },
  ],
] as const)(
  'where apt’s package lists are %s, a Redis with every library that the machine lacks is unpacked',
  limit,
  async (_, prepare) => {
    const { lists, env } = await bareMachine();
    await prepare(env, lists);
    expect(await install(env)).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await unpackedLibraries()).toEqual(['libjemalloc.so.2', 'liblzf.so.1']);
    expect(await readdir(packages)).toEqual(['root']);
  },
);

test.skipIf(!isAptHere)(
  'packages that apt’s archive cache already holds are unpacked like the others',
  limit,
  async () => {
    const { archives, env } = await bareMachine();
    await fillLists(env);
    const download = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', 'liblzf1', 'libjemalloc2', 'redis-tools'];
    await run('apt-get', download, { cwd: archives, env: { ...process.env, ...env } });
    expect(await install(env)).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await unpackedLibraries()).toEqual(['libjemalloc.so.2', 'liblzf.so.1']);
  },
);

test.skipIf(!isAptHere)(
  'what a broken or killed install left is thrown away and made anew, once and then kept',
  limit,
  async () => {
    const { env } = await bareMachine();
    const broken = join(packages, 'root', 'usr', 'bin');
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, 'redis-server'), '#!/bin/sh\nexit 127\n');
    await chmod(join(broken, 'redis-server'), 0o755);
    const killed = join(packages, 'unpacking-killed');
    await mkdir(killed);
    await utimes(killed, 0, 0);
    expect(await install(env)).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await readdir(packages)).toEqual(['root']);

    await writeFile(join(packages, 'root', 'kept'), '');
    expect(await Promise.all([install(env), install(env)])).toEqual([
      expect.stringMatching(/^\d/),
      expect.stringMatching(/^\d/),
    ]);
    expect(await readdir(join(packages, 'root'))).toContain('kept');
  },
);

/** A folder with programs of these texts, to stand before all others on PATH. */
const programs = async (texts: Record<string, string>): Promise<string> => {
  const bin = join(dir, 'bin');
  await mkdir(bin);
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return bin;
};
const OLD_REDIS = 'echo "Redis server v=6.0.16 sha=00000000:0"';

test.each([
  [
    'a server that is too old and no package manager',
    { 'redis-server': OLD_REDIS },
    /redis-server is installed in version 6\.0\.16.*redis\.io or valkey\.io/,
  ],
  ['a server that does not run', { 'redis-server': 'exit 127' }, /redis-server is installed but does not run/],
  [
    'no server, and package lists that cannot be fetched',
    { 'apt-get': 'case "$*" in --version) ;; *) echo "E: no network" >&2; exit 100;; esac' },
    /apt-get could not fetch it: E: no network.*sudo apt-get update && sudo apt-get install redis-server/,
  ],
  ['no server, and Homebrew', { brew: ':' }, /Install one \(brew install redis\), or set REDIS_URL/],
  [
    'nothing at all',
    {},
    /^No Redis or Valkey 7\.0 or newer was found\. Install redis-server or valkey-server, or set REDIS_URL/,
  ],
])('on a machine with %s, the advice names the cause and a way that leads out', async (_, texts, said) => {
  const advice = await install({ HOME: dir }, await programs(texts));
  expect(advice).toMatch(said);
  if ('redis-server' in texts && texts['redis-server'] === OLD_REDIS) expect(advice).not.toContain('apt-get install');
});
