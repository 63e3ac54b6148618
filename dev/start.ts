/** `npm start`: the whole gateway on one machine: Redis, the sandbox when no provider account is set up, a worker and the API. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findsAwsCredentials } from '../shared/process/config/aws-settings.ts';
import { detectSandbox, type Environment, loadConfig } from '../shared/process/config/config.ts';
import { takeEnvironment } from '../shared/process/config/take-environment.ts';
import { reachRedis } from '../shared/storage/redis/reach-server.ts';
import { type Part, startProcess } from './child-process.ts';
import { findFreePort, redisDir, startPrivateRedis } from './private-redis.ts';
import { describeGateway } from './welcome.ts';

const root = join(import.meta.dirname, '..');
/** Which commands take on their own. */
const DEFAULT_PORT = 4_000;
const readyLimitMs = 60_000;
/** Under npm one Ctrl-C arrives twice within moments, from the terminal and from npm; what comes later is impatience. */
const echoMs = 250;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** In the order of starting; stopped from the end: the API takes no more, the worker hands back what it holds, and Redis goes last. */
const parts: Part[] = [];
let stoppingSince: number | undefined;
let dataPlace = 'Redis';

const stopAll = async (exitCode: number): Promise<void> => {
  if (stoppingSince !== undefined) return;
  stoppingSince = Date.now();
  for (const part of parts.toReversed()) await part.stop();
  if (exitCode === 0) say(`Stopped; the data is in ${dataPlace}.`);
  process.exit(exitCode);
};

const onSignal = (signal: NodeJS.Signals): void => {
  if (stoppingSince === undefined) {
    say(`\n${signal}: stopping (once more ends it at once)`);
    void stopAll(0);
  } else if (Date.now() - stoppingSince > echoMs) {
    for (const part of parts) part.kill();
    process.exit(1);
  }
};

const keep = (part: Part): void => {
  parts.push(part);
  void part.exited.then(({ code, signal }) => {
    if (stoppingSince !== undefined) return;
    say(`${part.name} ended unexpectedly (${signal ?? `exit code ${code}`}): stopping everything`);
    void stopAll(1);
  });
};

const isFree = async (port: number, host: string): Promise<boolean> => {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
  server.listen(port, host, () => server.close(() => resolve(true)));
  return promise;
};

const waitUntilReady = async (url: string): Promise<void> => {
  const deadline = Date.now() + readyLimitMs;
  while (Date.now() < deadline) {
    const isReady = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.body?.cancel();
        return response.ok;
      },
      () => false,
    );
    if (isReady) return;
    await delay(50);
  }
  throw new Error(`the gateway did not get ready within ${readyLimitMs / 1_000} seconds (${url})`);
};

const startRedis = async (dir: string): Promise<string> => {
  const redis = await startPrivateRedis({ dir, log: say });
  keep({ name: 'Redis', exited: redis.exited, stop: redis.stop, kill: () => process.kill(redis.pid, 'SIGKILL') });
  say(`Redis ${redis.version} on port ${redis.port}, data in ${dir}`);
  dataPlace = dir;
  return redis.url;
};

const findRedis = async (url: string): Promise<string> => {
  const redis = await reachRedis(url);
  redis.disconnect();
  return url;
};

const startSandbox = async ({ SANDBOX_DELAY_MS, LOG_LEVEL }: Environment): Promise<string> => {
  // Only what it needs: it plays a stranger's server, so it gets none of our keys.
  const env = {
    SANDBOX_DELAY_MS: SANDBOX_DELAY_MS || undefined,
    LOG_LEVEL,
    SANDBOX_HOST: '127.0.0.1',
    SANDBOX_PORT: '0',
  };
  const sandbox = startProcess('sandbox', join(root, 'sandbox', 'main.ts'), env);
  keep(sandbox);
  const message = await Promise.race([sandbox.firstMessage, sandbox.exited]);
  if (typeof message === 'object' && message && 'url' in message) return String(message.url);
  throw new Error('the sandbox did not start');
};

const start = async (env: Environment): Promise<void> => {
  const sandbox = detectSandbox(env);
  const settings = { ...env, SANDBOX: env.SANDBOX || String(sandbox) };
  // Here too, although each process checks: a mistake shows before anything is fetched or started.
  const { http, misspelt } = loadConfig(settings);
  for (const { variable, meant } of misspelt)
    say(`${variable} is set, but nothing reads it. Is ${meant.join(' or ')} meant?`);
  const port = http.port || (await findFreePort());
  if (!(await isFree(port, http.host))) {
    throw new Error(`port ${port} is in use; stop what listens there, or set PORT to another one`);
  }

  const redisUrl = env.REDIS_URL
    ? await findRedis(env.REDIS_URL)
    : await startRedis(redisDir(env.DATA_DIR || '.data', { sandbox }));
  const sandboxUrl = env.SANDBOX_URL || (sandbox ? await startSandbox(env) : undefined);
  const shared = {
    ...settings,
    // Who stops it on a machine of their own is waiting.
    DRAIN_SECONDS: env.DRAIN_SECONDS || '3',
    PORT: String(port),
    REDIS_URL: redisUrl,
    ...(sandboxUrl && { SANDBOX_URL: sandboxUrl }),
  };
  // The API's own, and the one after it: both run on this machine.
  const metricsPort = Number(env.METRICS_PORT || 0);
  const ofWorker = metricsPort > 0 ? { ...shared, METRICS_PORT: String(metricsPort + 1) } : shared;
  keep(startProcess('worker', join(root, 'worker', 'main.ts'), ofWorker));
  keep(startProcess('api', join(root, 'api', 'main.ts'), shared));

  await waitUntilReady(`http://${reachable(http.host, '127.0.0.1')}:${port}/readyz`);
  if (stoppingSince !== undefined) return;
  const address = `${reachable(http.host, 'localhost')}:${port}`;
  say(
    describeGateway({
      address,
      sandbox,
      redis: new URL(redisUrl).host,
      hasPlatformKeys: Boolean(env.PLATFORM_API_KEYS),
      hasPlatformAccount: sandbox || findsAwsCredentials(env),
      commandSettings: [
        ...(['DATA_DIR', 'SANDBOX'] as const).flatMap((name) => (env[name] ? [`${name}=${env[name]}`] : [])),
        ...(port === DEFAULT_PORT ? [] : [`GATEWAY_URL=http://${address}`]),
      ],
    }),
  );
};

/** How this machine reaches a server that listens on `host`. */
const reachable = (host: string, loopback: string): string => {
  if (host === '127.0.0.1' || host === '0.0.0.0' || host === '::') return loopback;
  return host.includes(':') ? `[${host}]` : host;
};

process.chdir(root);
if (existsSync('.env')) process.loadEnvFile('.env');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
try {
  say('Starting the gateway …');
  await start(takeEnvironment(process.env, { forLibraries: false }));
} catch (error) {
  // After a signal or a dead part the reason was said already.
  if (stoppingSince === undefined) {
    say(error instanceof Error ? error.message : String(error));
    await stopAll(1);
  }
}
