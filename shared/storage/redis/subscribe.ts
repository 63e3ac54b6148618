import type { Redis } from 'ioredis';
import { type KeyName, key, shardTag } from './names.ts';

/** After a subscription that was refused on a connection that stands. */
const AGAIN_MS = 1_000;
/** A subscription asks for no answers: without a question now and then, nobody would notice that its connection is dead. */
const ASK_MS = 5_000;

/**
 * Listens to one channel on every shard, on a connection for news, and again after each reconnect.
 * What is published while the connection is away, or refused the subscription, is lost, so a listener must have another way to learn it.
 */
export const subscribe = (
  redis: Redis,
  { shards, channel, id = '' }: { shards: number; channel: Extract<KeyName, 'NEWS' | 'ABORTS'>; id?: string },
  onMessage: (message: string) => void,
): void => {
  const channels = Array.from({ length: shards }, (_, shard) => key(shardTag(shard), channel, id));
  const own: ReadonlySet<string> = new Set(channels);
  redis.on('message', (from: string, message: string) => {
    if (own.has(from)) onMessage(message);
  });
  const take = (): void => {
    redis.subscribe(...channels).catch(() => {
      if (redis.status === 'ready') setTimeout(take, AGAIN_MS).unref();
    });
  };
  if (redis.status === 'ready') take();
  redis.on('ready', take);
  const asking = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => {});
  }, ASK_MS).unref();
  redis.once('end', () => clearInterval(asking));
};
