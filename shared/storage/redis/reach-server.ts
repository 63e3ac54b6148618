import { connectForRequests } from './client.ts';
import { classify, RedisUnavailable } from './unavailable.ts';

/** Its message names the server and the cause that was seen, and nothing else of the URL. */
export class ServerUnreached extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ServerUnreached';
  }
}

const LIMIT_MS = 3_000;

/** A connection that takes commands; throws ServerUnreached if none comes about. */
export const reachRedis = async (url: string): Promise<ReturnType<typeof connectForRequests>> => {
  const redis = connectForRequests(url);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isConnected = false;
  let refusal: RedisUnavailable | null = null;
  redis.once('connect', () => {
    isConnected = true;
  });
  redis.once('ready', () => resolve(true));
  redis.on('error', (error: Error) => {
    const judged = classify(error);
    if (!(judged instanceof RedisUnavailable) || judged.why === 'no_answer') return;
    refusal = judged;
    resolve(false);
  });
  const limit = setTimeout(() => resolve(false), LIMIT_MS);
  const isReady = await promise;
  clearTimeout(limit);
  if (isReady) return redis;
  redis.disconnect();
  const { hostname, port } = new URL(url);
  throw new ServerUnreached(advise(`${hostname}:${port || 6_379}`, { refusal, isConnected }));
};

/** Names the cause that was seen. */
const advise = (
  server: string,
  { refusal, isConnected }: { refusal: RedisUnavailable | null; isConnected: boolean },
): string => {
  if (refusal?.why === 'NOAUTH' || refusal?.why === 'WRONGPASS') {
    return `Redis at ${server} does not let us in: check the user and the password in REDIS_URL.`;
  }
  if (refusal) return `${refusal.message} (${server}, REDIS_URL).`;
  return isConnected
    ? `Redis at ${server} (REDIS_URL) takes connections and does not answer: it is stopped, loading or busy.`
    : `No Redis answers at ${server} (REDIS_URL): start one, or leave REDIS_URL empty, and npm start runs its own.`;
};
