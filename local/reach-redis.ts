import { connectForRequests } from '../shared/redis/client.ts';
import { CommandError } from './commands/run-command.ts';

const LIMIT_MS = 3_000;

/** A connection that takes commands; throws where none comes about, with a sentence that names the server and nothing else of its URL. */
export const reachRedis = async (url: string): Promise<ReturnType<typeof connectForRequests>> => {
  const redis = connectForRequests(url);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isRefused = false;
  redis.once('ready', () => resolve(true));
  redis.on('error', ({ name }: Error) => {
    isRefused = name === 'ReplyError';
    if (isRefused) resolve(false);
  });
  const limit = setTimeout(() => resolve(false), LIMIT_MS);
  const isReady = await promise;
  clearTimeout(limit);
  if (isReady) return redis;
  redis.disconnect();
  const { hostname, port } = new URL(url);
  const server = `${hostname}:${port || 6_379}`;
  throw new CommandError(
    isRefused
      ? `Redis at ${server} does not let us in: check the user and the password in REDIS_URL.`
      : `No Redis answers at ${server} (REDIS_URL): start one, or leave REDIS_URL empty, and npm start runs its own.`,
  );
};
