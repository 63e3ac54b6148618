import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { childrenOf, commandOf, isAlive } from '../../support/processes/processes.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const CANARY = 'canary-Zq7Lw3Xt9Kf2';
const isProcHere = existsSync('/proc/self/environ');

/** Settings of every kind that hold a secret, those of an SDK and of strangers too. */
const SECRETS = {
  PLATFORM_API_KEYS: `acme:${CANARY}-platform-key`,
  ADMIN_TOKEN: `${CANARY}-admin-token-0123456789abcdef`,
  KEY_PEPPERS: `p1:${Buffer.from(`${CANARY}-pepper`.padEnd(32, '.')).toString('base64')}`,
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: `${CANARY}-aws`,
  SOME_TOKEN: `${CANARY}-of-a-stranger`,
};
const needles = [CANARY, SECRETS.KEY_PEPPERS];
const shownBy = (pid: number): string[] => {
  const text = readFileSync(`/proc/${pid}/environ`, 'latin1');
  return needles.filter((needle) => text.includes(needle));
};

const started: ChildProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    const family = [child.pid ?? -1, ...childrenOf(child.pid ?? -1)];
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await until('all are gone', () => !family.some(isAlive), { withinMs: 25_000 });
  }
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

test.skipIf(!isProcHere)(
  'no process of `npm start` shows a secret in /proc/PID/environ or hands one to Redis, and the gateway runs on them all the same',
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-environment-'));
    folders.push(folder);
    const child = spawn(process.execPath, [join(ROOT, 'dev', 'start.ts')], {
      env: { PATH: process.env.PATH, HOME: folder, DATA_DIR: folder, SANDBOX: 'true', PORT: '0', ...SECRETS },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const address = await until('it is ready', () => /ready on (http:\/\/\S+)/.exec(output)?.[1], {
      withinMs: 30_000,
    });
    const family = [child.pid ?? -1, ...childrenOf(child.pid ?? -1)];
    expect(family.map(commandOf).join('\n')).toMatch(/api\/main\.ts/);
    expect(family.map(commandOf).join('\n')).toMatch(/worker\/main\.ts/);
    // The worker may still be loading its modules.
    const shown = () => family.flatMap((pid) => shownBy(pid).map((found) => `${commandOf(pid)}: ${found}`));
    await until('none shows any', () => shown().length === 0).catch(() => {});
    expect(shown()).toEqual([]);

    const headers = { 'x-api-key': `${CANARY}-platform-key`, 'content-type': 'application/json', prefer: 'wait=10' };
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello!' }] });
    const answer = await fetch(`${address}/v1/complete`, { method: 'POST', headers, body });
    expect(await answer.json()).toMatchObject({ status: 'completed' });
    const admin = await fetch(`${address}/admin/tenants`, {
      headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` },
    });
    expect(admin.status).toBe(200);
  },
);

test.skipIf(!isProcHere)(
  'what an SDK reads of the environment it still finds, and what is ours it does not',
  async () => {
    const script = `
    import { readFileSync } from 'node:fs';
    import { takeEnvironment } from ${JSON.stringify(join(ROOT, 'shared', 'process', 'config', 'take-environment.ts'))};
    const taken = takeEnvironment(process.env, { forLibraries: true });
    const { PLATFORM_API_KEYS = null, AWS_SECRET_ACCESS_KEY = null, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, LANG = null } = process.env;
    const shown = readFileSync('/proc/self/environ', 'latin1');
    process.stdout.write(JSON.stringify({ own: { PLATFORM_API_KEYS, AWS_SECRET_ACCESS_KEY, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, LANG }, taken, shown }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: process.env.PATH, LANG: 'C.UTF-8', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'false', ...SECRETS },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await once(child, 'close');
    const { own, taken, shown } = JSON.parse(output) as { own: object; taken: object; shown: string };
    expect(own).toEqual({
      PLATFORM_API_KEYS: null,
      AWS_SECRET_ACCESS_KEY: SECRETS.AWS_SECRET_ACCESS_KEY,
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
      LANG: 'C.UTF-8',
    });
    expect(taken).toMatchObject(SECRETS);
    expect(shown).toContain('LANG=C.UTF-8');
    expect(needles.filter((needle) => shown.includes(needle))).toEqual([]);
  },
);

test.skipIf(!isProcHere)('SIGUSR1 opens no debugger in a process that package.json or Compose starts', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const name of ['start', 'start:api', 'start:worker', 'tenants', 'audit', 'job', 'batch']) {
    expect(scripts[name]).toMatch(/ node --disable-sigusr1 \S+\.ts$/);
  }
  const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  for (const [command] of compose.matchAll(/command: \["node".*/g)) expect(command).toContain('--disable-sigusr1');
  expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toMatch(/^CMD \["node", "--disable-sigusr1", /m);
});
