import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { listen } from '../../support/network/listen.ts';
import { runCommand } from '../../support/processes/command.ts';
import { childrenOf, commandOf, isAlive } from '../../support/processes/processes.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const limit = { timeout: 60_000 };

type Launcher = { process: ChildProcess; pid: number; exited: Promise<number | null>; output: () => string };
type Place = { dataDir: string; launch: (settings?: Record<string, string>) => Launcher };

const startLauncher = (dataDir: string, settings: Record<string, string>): Launcher => {
  // Empty counts as unset, and keeps a developer's `.env` out.
  const cleared = { REDIS_URL: '', SANDBOX_URL: '', SANDBOX_DELAY_MS: '20', PLATFORM_API_KEYS: '', NODE_ENV: '' };
  const env = { PATH: process.env.PATH, HOME: dataDir, DATA_DIR: dataDir, SANDBOX: 'true', PORT: '0' };
  const child = spawn(process.execPath, [join(root, 'dev', 'start.ts')], {
    env: { ...cleared, ...env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { process: child, pid: child.pid ?? -1, exited, output: () => text };
};

/** A test with a folder of its own, in the end of which nothing runs that it launched. */
const inPlace = (use: (place: Place) => Promise<void>) => async (): Promise<void> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'start-'));
  const launchers: Launcher[] = [];
  const launch: Place['launch'] = (settings = {}) => {
    const launcher = startLauncher(dataDir, settings);
    launchers.push(launcher);
    return launcher;
  };
  try {
    await use({ dataDir, launch });
  } finally {
    for (const launcher of launchers) {
      const children = childrenOf(launcher.pid);
      launcher.process.kill('SIGKILL');
      await launcher.exited;
      await vi.waitUntil(() => !children.some(isAlive), { timeout: 25_000, interval: 50 });
    }
    await rm(dataDir, { recursive: true, force: true });
  }
};

/** Where the gateway listens, once it says that it is ready. */
const ready = async (launcher: Launcher): Promise<string> => {
  const address = (): string | undefined => /ready on (http:\/\/\S+)/.exec(launcher.output())?.[1];
  await vi.waitFor(() => expect(address(), launcher.output()).toBeDefined(), { timeout: 30_000, interval: 50 });
  return address() ?? '';
};

const demoKey = { 'x-api-key': 'your-platform-key' };
const userKey = { 'x-user-api-key': 'sk-user-openai-key', 'x-user-provider': 'openai' };

const complete = async (address: string, body: object, headers: Record<string, string> = {}): Promise<unknown> => {
  const accepted = await fetch(`${address}/v1/complete`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...demoKey, ...headers },
    body: JSON.stringify(body),
  });
  const { id } = (await accepted.json()) as { id: string };
  const job = await fetch(`${address}/v1/jobs/${id}?wait=10`, { headers: demoKey });
  return job.json();
};

test.concurrent(
  'a gateway with a folder and a port of its own says what its commands need, and with that they find it',
  limit,
  inPlace(async ({ dataDir, launch }) => {
    const launcher = launch();
    const address = await ready(launcher);
    const [, line = ''] = /^Commands need the same settings:\n {2}(.*)$/m.exec(launcher.output()) ?? [];
    const [settings = '', command] = line.split(' npm run ');
    const env = Object.fromEntries(settings.split(' ').map((setting) => setting.split(/=(.*)/).slice(0, 2)));
    expect(env).toEqual({ DATA_DIR: dataDir, SANDBOX: 'true', GATEWAY_URL: address.replace('127.0.0.1', 'localhost') });
    expect(command).toBe('tenants -- list');
    expect(await runCommand('tenants', ['list'], env)).toMatchObject({ code: 0, stderr: '' });
  }),
);

test.concurrent(
  'one command gives a gateway in sandbox mode that completes jobs, and Ctrl-C ends every process of it',
  limit,
  inPlace(async ({ dataDir, launch }) => {
    const launcher = launch();
    const address = await ready(launcher);
    const printed = launcher.output();
    expect(printed).toContain('Mode: sandbox');
    expect(printed.match(/^ {2}curl .*\/v1\/(complete|jobs|usage)/gm)).toHaveLength(4);

    const messages = [{ role: 'user', content: 'Hello!' }];
    expect(await complete(address, { messages })).toMatchObject({
      status: 'completed',
      sandbox: true,
      credential: 'platform',
    });
    expect(await complete(address, { model: 'gpt-4o', messages }, userKey)).toMatchObject({
      status: 'completed',
      provider: 'openai',
      credential: 'user',
    });
    const usage = await fetch(`${address}/v1/usage`, { headers: demoKey });
    expect(await usage.json()).toMatchObject({ totals: { requests: 2, completed: 2 } });

    const children = childrenOf(launcher.pid);
    // Under npm one Ctrl-C arrives twice.
    launcher.process.kill('SIGINT');
    launcher.process.kill('SIGINT');
    expect(await launcher.exited, launcher.output()).toBe(0);
    expect(launcher.output().trim().split('\n').at(-1)).toBe(
      `Stopped; the data is in ${join(dataDir, 'sandbox-redis')}.`,
    );
    expect(children.length).toBeGreaterThanOrEqual(4);
    expect(children.filter(isAlive)).toEqual([]);
  }),
);

test.concurrent(
  'nothing outlives a launcher that was killed',
  limit,
  inPlace(async ({ launch }) => {
    const launcher = launch();
    await ready(launcher);
    const children = childrenOf(launcher.pid);
    expect(children.map(commandOf).join('\n')).toMatch(/redis|valkey/);
    launcher.process.kill('SIGKILL');
    await vi.waitUntil(() => !children.some(isAlive), { timeout: 20_000, interval: 50 });
  }),
);

test.concurrent.each(['api', 'worker', 'sandbox', 'Redis'])(
  'when %s dies, the launcher says so, stops the rest and ends with 1',
  limit,
  (name) =>
    inPlace(async ({ launch }) => {
      const launcher = launch();
      await ready(launcher);
      const children = childrenOf(launcher.pid);
      const file = name === 'Redis' ? /(redis|valkey)-server .*:\d+$/ : new RegExp(`/${name}/main\\.ts$`);
      const [victim] = children.filter((pid) => file.test(commandOf(pid)));
      process.kill(victim ?? -1, 'SIGKILL');
      expect(await launcher.exited).toBe(1);
      expect(launcher.output()).toContain(`${name} ended unexpectedly (SIGKILL)`);
      expect(children.filter(isAlive)).toEqual([]);
    })(),
);

test.concurrent(
  'a mistake in the configuration is said before anything is started',
  limit,
  inPlace(async ({ dataDir, launch }) => {
    const launcher = launch({ PORT: 'http', SHARDS: '0' });
    expect(await launcher.exited).toBe(1);
    expect(launcher.output()).toMatch(/PORT.*\n.*SHARDS/);
    expect((await readdir(dataDir)).filter((name) => name.includes('redis'))).toEqual([]);
  }),
);

test.concurrent.each([
  ['where nobody listens', 'redis://:canary-4dZq8Xw2@127.0.0.1:1', 'No Redis answers at 127.0.0.1:1 (REDIS_URL)'],
])('a REDIS_URL %s is said within seconds, without its password, before anything is started', limit, (_, url, said) =>
  inPlace(async ({ dataDir, launch }) => {
    const startMs = performance.now();
    const launcher = launch({ REDIS_URL: url });
    expect(await launcher.exited).toBe(1);
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect(launcher.output()).toContain(said);
    expect(launcher.output()).not.toContain('canary');
    expect(await readdir(dataDir)).not.toContain('redis');
  })(),
);

test.concurrent(
  'a port that is taken is said before anything is started',
  limit,
  inPlace(async ({ dataDir, launch }) => {
    const holder = createServer();
    const port = String(await listen(holder));
    const launcher = launch({ PORT: port });
    expect(await launcher.exited).toBe(1);
    expect(launcher.output()).toContain(`port ${port} is in use`);
    expect((await readdir(dataDir)).filter((name) => name.includes('redis'))).toEqual([]);
    holder.close();
  }),
);
