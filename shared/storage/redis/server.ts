/** What the gateway asks of a Redis server before it trusts it with jobs. */
import type { Redis } from 'ioredis';
import { LoggableError } from '../../domain/log.ts';
import { refusalOf } from './client.ts';
import { neededCommands } from './commands.ts';
import { key, shardTag } from './names.ts';
import { answerOf, RedisUnavailable, type Unavailability } from './unavailable.ts';

/** A server, or the data on it, that the gateway must not run on. Its message says what to change. */
export class UnfitServer extends LoggableError {
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

/** The oldest server whose commands and errors are those that the gateway is made for. */
const OLDEST = { redis: [7, 0], valkey: [7, 2] } as const;

const isOlder = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [ofServer = 0, ofServerMinor = 0] = version.split('.').map(Number);
  return ofServer < major || (ofServer === major && ofServerMinor < minor);
};

/** Production demands more: without a memory limit one tenant's texts can take the machine's memory from all. */
export type Demands = { production: boolean };

/** What in INFO speaks against a server; null if nothing does. */
export const flawOf = (info: ReadonlyMap<string, string>, { production }: Demands): string | null => {
  // Valkey may call its mode the server's.
  const mode = info.get('redis_mode') ?? info.get('server_mode');
  if (mode === 'sentinel') {
    return 'REDIS_URL leads to a Sentinel, which holds no data. Set it to the address of the Redis master itself.';
  }
  if (mode === 'cluster' || info.get('cluster_enabled') === '1') {
    return 'REDIS_URL leads to a node of a Redis Cluster, which is not supported. Use a server with cluster-enabled no.';
  }
  const valkey = info.get('valkey_version');
  const version = info.get('redis_version') ?? 'of an unknown version';
  if (valkey === undefined ? isOlder(version, OLDEST.redis) : isOlder(valkey, OLDEST.valkey)) {
    const name = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
    return `${name} is too old: Redis 7.0 or later, or Valkey 7.2 or later, is needed. Upgrade the server; it opens the data that is there.`;
  }
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction') {
    return `Redis has maxmemory-policy ${policy}: it would drop jobs when its memory is full. Set maxmemory-policy noeviction.`;
  }
  if (production && Number(info.get('maxmemory') ?? 0) === 0) {
    return 'Redis has no maxmemory, which production demands: nothing would be refused before the machine’s memory is full, and then all is lost at once. Set maxmemory to what Redis may use, about half of a machine of its own.';
  }
  return null;
};

/** In bytes; `max` is null where the server has no limit. */
export type ServerMemory = { used: number; max: number | null };

/** The memory of a server that serves. Throws UnfitServer if the gateway must not run on it. */
export const examineServer = async (redis: Redis, demands: Demands): Promise<ServerMemory> => {
  const info = readInfo(await answerOf(redis.info()));
  const flaw = flawOf(info, demands);
  if (flaw !== null) throw new UnfitServer(flaw);
  if (info.get('loading') === '1') throw new RedisUnavailable('LOADING');
  if (info.get('role') === 'slave') throw new RedisUnavailable('READONLY');
  const max = Number(info.get('maxmemory') ?? 0);
  return { used: Number(info.get('used_memory') ?? 0), max: max > 0 ? max : null };
};

/** Says which of the commands in ARGV, each a JSON list, this user may not run or this server does not know. */
const CHECK_COMMANDS = `
local refused = {}
for i = 1, #ARGV do
  local command = cjson.decode(ARGV[i])
  local known, allowed = pcall(redis.acl_check_cmd, unpack(command))
  if not (known and allowed) then
    refused[#refused + 1] = command[1]
  end
end
return refused`;

const verifyPermissions = async (redis: Redis): Promise<void> => {
  const wanted = neededCommands(key(shardTag(0), 'SHARDS'), key(shardTag(0), 'ABORTS'));
  const args = wanted.map((command) => JSON.stringify(command));
  const refused = await answerOf(redis.eval(CHECK_COMMANDS, 0, ...args));
  if (!Array.isArray(refused) || refused.length === 0) return;
  throw new UnfitServer(
    `The user of REDIS_URL may not run ${refused.join(', ')}, which the gateway needs. Allow it: ACL SETUSER <user> ~* &* ${refused.map((name) => `+${name}`).join(' ')}.`,
  );
};

const LET_US_IN = 'Redis does not let us in: check the user and the password in REDIS_URL.';

/** What only the operator can change, so that no process should wait for it at its start. */
const REMEDIES: Partial<Record<Unavailability, string>> = {
  NOAUTH: LET_US_IN,
  WRONGPASS: LET_US_IN,
  NOPERM:
    'The user of REDIS_URL may not run a command that the gateway needs (INFO, CLIENT INFO, EVAL, SET, GET). Allow it, on all keys and channels: ACL SETUSER <user> ~* &* +@all -@dangerous +info.',
};

/** Throws UnfitServer where the server may drop our keys, is of a kind that is not supported, refuses what we need, or holds the data of another number of shards; records the number at first boot. Answers whether this was the first. */
export const verifyServer = async (
  redis: Redis,
  { shards, ...demands }: Demands & { shards: number },
): Promise<boolean> => {
  try {
    await examineServer(redis, demands);
    await verifyPermissions(redis);
    return await verifyData(redis, shards);
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error;
    const told = error.why === 'no_answer' ? (refusalOf(redis) ?? error) : error;
    const remedy = REMEDIES[told.why];
    throw remedy === undefined ? told : new UnfitServer(remedy);
  }
};

/** Answers whether nothing was stored here before. */
const verifyData = async (redis: Redis, shards: number): Promise<boolean> => {
  // A SELECT that fails leaves the connection in database 0, without a word.
  const wanted = redis.options.db ?? 0;
  const [, database] = / db=(\d+)/.exec(String(await answerOf(redis.client('INFO')))) ?? [];
  if (database !== String(wanted)) {
    throw new UnfitServer(
      `Redis has no database ${wanted}; its \`databases\` setting says how many there are. Change REDIS_URL.`,
    );
  }
  const shardsKey = key(shardTag(0), 'SHARDS');
  const isNew = (await answerOf(redis.set(shardsKey, shards, 'NX'))) === 'OK';
  const recorded = await answerOf(redis.get(shardsKey));
  if (recorded !== String(shards)) {
    throw new UnfitServer(
      `SHARDS is ${shards}, but the data in this Redis was written with SHARDS=${recorded}: tenants would lose sight of their jobs. Set it back, or use an empty Redis.`,
    );
  }
  return isNew;
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
    if (error instanceof RedisUnavailable && error.why !== 'NOPERM') throw error;
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
