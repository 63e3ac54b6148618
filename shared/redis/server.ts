/** What the gateway asks of a Redis server before it trusts it with jobs. */
import type { Redis } from 'ioredis';
import { key, shardTag } from './keys.ts';
import { answerOf, RedisUnavailable } from './unavailable.ts';

/** A server, or the data on it, that the gateway must not run on. Its message says what to change. */
export class UnfitServer extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnfitServer';
  }
}

const readInfo = (text: string): Map<string, string> =>
  new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : [];
    }),
  );

/** The share of its memory limit that the server uses, 0 where it has none. */
export const usedShare = async (redis: Redis): Promise<number> => {
  const info = readInfo(await answerOf(redis.info('memory')));
  const limit = Number(info.get('maxmemory') ?? 0);
  return limit > 0 ? Number(info.get('used_memory')) / limit : 0;
};

/** Throws UnfitServer where the server may drop our keys, is too old, or holds the data of another number of shards; records the number at first boot. */
export const verifyServer = async (redis: Redis, shards: number): Promise<void> => {
  const info = readInfo(await answerOf(redis.info()));
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction') {
    throw new UnfitServer(
      `Redis has maxmemory-policy ${policy}: it would drop jobs when its memory is full. Set maxmemory-policy noeviction.`,
    );
  }
  const version = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new UnfitServer(`Redis ${version} is too old: 6.2 or later, or Valkey, is needed.`);
  }
  // A SELECT that fails leaves the connection in database 0, without a word.
  const wanted = redis.options.db ?? 0;
  const [, database] = / db=(\d+)/.exec(String(await answerOf(redis.client('INFO')))) ?? [];
  if (database !== String(wanted)) {
    throw new UnfitServer(
      `Redis has no database ${wanted}; its \`databases\` setting says how many there are. Change REDIS_URL.`,
    );
  }
  const shardsKey = key(shardTag(0), 'SHARDS');
  await answerOf(redis.set(shardsKey, shards, 'NX'));
  const recorded = await answerOf(redis.get(shardsKey));
  if (recorded !== String(shards)) {
    throw new UnfitServer(
      `SHARDS is ${shards}, but the data in this Redis was written with SHARDS=${recorded}: tenants would lose sight of their jobs. Set it back, or use an empty Redis.`,
    );
  }
};

/** Throws UnfitServer where the data is of the sandbox and this process is not, or the other way round; records which at first boot. */
export const verifyMode = async (redis: Redis, { sandbox }: { sandbox: boolean }): Promise<void> => {
  const mode = sandbox ? 'sandbox' : 'live';
  const modeKey = key(shardTag(0), 'MODE');
  await answerOf(redis.set(modeKey, mode, 'NX'));
  const recorded = await answerOf(redis.get(modeKey));
  if (recorded !== mode) {
    throw new UnfitServer(
      sandbox
        ? 'SANDBOX is on, but the data in this Redis is not the sandbox’s: users’ real keys would be sent to a stand-in. Set SANDBOX=false and the settings of a real provider, or use an empty Redis (REDIS_URL).'
        : 'SANDBOX is off, but the data in this Redis is the sandbox’s: its jobs would be sent to real providers, and its costs be billed. Use an empty Redis (REDIS_URL), or set SANDBOX=true.',
    );
  }
};

/** Throws UnfitServer unless the server keeps what it holds in its memory and nowhere else, and drops nothing before its time. */
export const verifyMemoryOnly = async (redis: Redis): Promise<void> => {
  const info = readInfo(await answerOf(redis.info()));
  // What CONFIG says of `save` is the only sign of snapshots to come; where it may not be asked, nothing is known.
  const saved = await answerOf(redis.config('GET', 'save')).catch((error: unknown) => {
    if (error instanceof RedisUnavailable) throw error;
    throw new UnfitServer('EPHEMERAL_REDIS_URL: this user may not ask `CONFIG GET save`; allow it.');
  });
  const [, save = 'unknown'] = saved as string[];
  const wrong = [
    info.get('aof_enabled') === '0' ? null : 'appendonly no',
    save === '' ? null : 'save ""',
    info.get('role') === 'master' && info.get('connected_slaves') === '0' ? null : 'no replicas',
    info.get('maxmemory_policy') === 'noeviction' ? null : 'maxmemory-policy noeviction',
  ].filter((demand) => demand !== null);
  if (wrong.length > 0) {
    throw new UnfitServer(
      `EPHEMERAL_REDIS_URL is no memory-only storage: it needs ${wrong.join(', ')}. What it holds must be gone with its process.`,
    );
  }
};
