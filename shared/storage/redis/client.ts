/** Connections to Redis, one kind for each way of living without it. */
import { Redis, type RedisOptions } from 'ioredis';
import { classify, isOfReplica, RedisUnavailable } from './unavailable.ts';

/** How long the API waits for an answer of Redis before it says 503. */
const COMMAND_TIMEOUT_MS = 1_500;

/**
 * A connection that owes an answer for this long is dead without a sign, as behind a firewall that forgot it, and is replaced: TCP itself would take a quarter of an hour to notice.
 * Work waits longer than BullMQ's blocking wait for a job, which takes 5 s.
 */
const SILENCE_MS = { requests: 2_000, news: 5_000, work: 7_000 };

/** A server that became a replica: what it refused is sent again to the one that the address leads to now. */
const leaveReplica = (error: Error): false | 2 => (isOfReplica(error) ? 2 : false);

const reconnectSoon = (times: number): number => Math.min(50 * 2 ** Math.min(times, 5), 500);

/** Why a connection is not ready, as the server said; commands that wait for it learn nothing of that. */
const refusals = new WeakMap<Redis, RedisUnavailable>();
export const refusalOf = (redis: Redis): RedisUnavailable | null => refusals.get(redis) ?? null;

/** Without a listener ioredis prints the error itself, command and arguments included. Whoever uses the client learns of trouble from its commands. */
const quiet = (redis: Redis): Redis =>
  redis
    .on('error', (error) => {
      const judged = classify(error);
      if (judged instanceof RedisUnavailable && judged.why !== 'no_answer') refusals.set(redis, judged);
    })
    .on('ready', () => refusals.delete(redis));

/** For answering requests: fails fast and never queues, so that a client gets its 503 in time. */
export const connectForRequests = (url: string): Redis => {
  const options = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS.requests,
    connectTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: reconnectSoon,
    reconnectOnError: leaveReplica,
  } satisfies RedisOptions;
  return quiet(new Redis(url, options));
};

/** For `subscribe`, which owns the subscriptions: ioredis' own attempt to renew them would end the process where it is refused. */
export const connectForNews = (url: string): Redis => {
  const options = {
    maxRetriesPerRequest: null,
    retryStrategy: reconnectSoon,
    reconnectOnError: leaveReplica,
    socketTimeout: SILENCE_MS.news,
    autoResubscribe: false,
  } satisfies RedisOptions;
  return quiet(new Redis(url, options));
};

/** For work that must be finished: waits for Redis for as long as it takes, and sends again what was not answered. Scripts are written for that. */
export const connectForWork = (url: string): Redis => {
  const options = {
    maxRetriesPerRequest: null,
    retryStrategy: reconnectSoon,
    socketTimeout: SILENCE_MS.work,
    reconnectOnError: leaveReplica,
  } satisfies RedisOptions;
  return quiet(new Redis(url, options));
};
