/** Every command that the gateway, its scripts and BullMQ send: what the user of REDIS_URL must be allowed to run. */

const ON_KEYS = [
  ...['copy', 'del', 'exists', 'persist', 'pexpire', 'pexpireat', 'pttl', 'rename', 'unlink'],
  ...['decrby', 'get', 'incr', 'incrby', 'set', 'strlen'],
  ...['hdel', 'hexists', 'hget', 'hgetall', 'hincrby', 'hincrbyfloat', 'hlen', 'hmget', 'hmset', 'hscan', 'hset'],
  ...[
    'hsetnx',
    'hstrlen',
    'lindex',
    'llen',
    'lpop',
    'lpos',
    'lpush',
    'lrange',
    'lrem',
    'ltrim',
    'rpop',
    'rpoplpush',
    'rpush',
  ],
  ...['sadd', 'scard', 'sismember', 'smembers', 'srandmember', 'srem', 'sscan'],
  ...['xadd', 'xdel', 'xlen', 'xrange', 'xrevrange', 'xtrim'],
  ...['bzpopmin', 'zadd', 'zcard', 'zcount', 'zpopmin', 'zrange', 'zrangebylex', 'zrangebyscore', 'zrem'],
  ...['zremrangebyrank', 'zremrangebyscore', 'zrevrange', 'zrevrangebylex', 'zrevrangebyscore', 'zrevrank', 'zscore'],
];
const ON_TWO_KEYS = ['copy', 'rename', 'rpoplpush'];
const SCRIPTS = ['eval', 'evalsha'];
/** Commands run as functions if these are allowed, and as scripts, which takes longer, if not. */
export const FUNCTION_COMMANDS = ['fcall', 'function load', 'function list', 'function delete'];
const ON_NOTHING = ['client info', 'info', 'multi', 'exec', 'ping', 'time', 'unsubscribe'];

export const NEEDED_COMMANDS = [...ON_KEYS, ...SCRIPTS, ...ON_NOTHING, 'publish', 'subscribe'];

/** Each as it could be sent, on this key and channel. */
export const neededCommands = (key: string, channel: string): string[][] => [
  ...ON_KEYS.map((name) => [name, key, ...(ON_TWO_KEYS.includes(name) ? [key] : ['0', '0', '0'])]),
  ...SCRIPTS.map((name) => [name, '', '1', key]),
  ...ON_NOTHING.map((name) => name.split(' ')),
  ['publish', channel, ''],
  ['subscribe', channel],
];
