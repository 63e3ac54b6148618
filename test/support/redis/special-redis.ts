/** A Redis server set up in a way that the gateway's own never is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findRedisServer } from '../../../dev/install-redis.ts';
import { findFreePort } from '../../../dev/private-redis.ts';
import { until } from '../until.ts';

export type SpecialRedis = { url: string; port: number; redis: Redis; dir: string };

const PACKAGES = join(import.meta.dirname, '..', '..', '..', '.data', 'redis-packages');

/** Runs a server with these arguments for as long as it is used. */
export const withSpecialRedis = async (
  args: readonly string[],
  use: (server: SpecialRedis) => Promise<void>,
): Promise<void> => {
  const program = await findRedisServer(PACKAGES);
  if (!program) throw new Error('no Redis on this machine');
  const port = await findFreePort();
  const dir = await mkdtemp(join(tmpdir(), 'gateway-special-'));
  // A Sentinel writes its own over whatever file it was given.
  const config = join(dir, 'server.conf');
  await writeFile(config, '');
  const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  const child = spawn(program.command, [config, ...args, ...common], {
    stdio: 'ignore',
    ...(program.env && { env: program.env }),
  });
  // A refused handshake, as without the password, ends the connection; by default the next one
  // comes after ever more seconds.
  const again = { maxRetriesPerRequest: null, retryStrategy: () => 50 };
  const redis = new Redis(port, '127.0.0.1', { enableReadyCheck: false, ...again });
  redis.on('error', () => {});
  try {
    // A refusal is an answer as well.
    await until('the server answers', () => redis.ping().catch(({ message }: Error) => message));
    await use({ url: `redis://127.0.0.1:${port}`, port, redis, dir });
  } finally {
    redis.disconnect();
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(dir, { recursive: true, force: true });
  }
};
