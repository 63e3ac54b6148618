/** Commands run as functions of one library, whatever becomes of it on the server, and as scripts if functions are refused. */
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { takeRequest } from '../../../shared/storage/commands/jobs/commands.ts';
import { COMMANDS } from '../../../shared/storage/commands/run/catalogue.ts';
import { composeCommands, LIBRARY_PREFIX } from '../../../shared/storage/commands/run/compose.ts';
import { createLibraries } from '../../../shared/storage/commands/run/libraries.ts';
import { createCommands, LIBRARY_NAME } from '../../../shared/storage/commands/run/run-commands.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { startOwnRedis, withRedis } from '../../support/redis/redis.ts';
import { withSpecialRedis } from '../../support/redis/special-redis.ts';

const TAG = shardTag(0);
const DAY_MS = 86_400_000;

/** What is left of a limit of 60 requests per minute after one more. */
const remainingAfterOne = async (redis: Redis, onRefused?: () => void): Promise<number> => {
  const [, [remaining]] = await createCommands(redis, onRefused)(takeRequest, TAG, {
    tenant: 'acme',
    requestsPerMinute: 60,
  });
  return remaining;
};
const libraries = async (redis: Redis): Promise<string[]> =>
  ((await redis.function('LIST')) as string[][]).map(([, name = '']) => name);
/** Another release's library, which holds one function of another name. */
const loadOther = (redis: Redis, name: string) =>
  redis.function(
    'LOAD',
    `#!lua name=${LIBRARY_PREFIX}${name}\nredis.register_function('${name}', function() return 'other' end)`,
  );

describe('functions', () => {
  test('are loaded by the first of many calls at once, and not again', () =>
    withSpecialRedis([], async ({ redis, url }) => {
      const calls = Array.from({ length: 8 }, () => withRedis(url, (client) => remainingAfterOne(client)));
      expect((await Promise.all(calls)).toSorted((a, b) => a - b)).toEqual([52, 53, 54, 55, 56, 57, 58, 59]);
      expect(await libraries(redis)).toEqual([LIBRARY_NAME]);
      const { text } = composeCommands(COMMANDS).library;
      expect(((await redis.function('LIST', 'WITHCODE')) as string[][])[0]).toContain(text);
    }));

  test('that the server lost are loaded again, and the call that met it is answered', () =>
    withSpecialRedis([], async ({ redis }) => {
      const run = createCommands(redis);
      const take = () => run(takeRequest, TAG, { tenant: 'acme', requestsPerMinute: 60 });
      expect((await take())[1][0]).toBe(59);
      await redis.function('FLUSH');
      expect((await take())[1][0]).toBe(58);
    }));

  test('of two releases stand side by side; those of one that had no worker for a day are forgotten', () =>
    withSpecialRedis([], async ({ redis }) => {
      let nowMs = Date.now();
      const keeper = createLibraries({ redis, now: () => nowMs });
      await remainingAfterOne(redis);
      await loadOther(redis, 'older');
      expect(await keeper.forgetOld()).toEqual([]);
      expect((await libraries(redis)).toSorted()).toEqual([LIBRARY_NAME, `${LIBRARY_PREFIX}older`].toSorted());
      nowMs += DAY_MS - 1_000;
      expect(await keeper.forgetOld()).toEqual([]);
      await redis.zadd(key(TAG, 'LIBRARIES'), nowMs - DAY_MS - 1_000, `${LIBRARY_PREFIX}older`);
      expect(await keeper.forgetOld()).toEqual([`${LIBRARY_PREFIX}older`]);
      expect(await libraries(redis)).toEqual([LIBRARY_NAME]);
      expect(await redis.zrange(key(TAG, 'LIBRARIES'), '0', '-1')).toEqual([LIBRARY_NAME]);
    }));

  test('and libraries that are not the gateway’s are left alone', () =>
    withSpecialRedis([], async ({ redis }) => {
      await redis.function('LOAD', "#!lua name=theirs\nredis.register_function('theirs', function() return 1 end)");
      const keeper = createLibraries({ redis, now: () => Date.now() + 10 * DAY_MS });
      expect(await keeper.forgetOld()).toEqual([]);
      expect(await libraries(redis)).toEqual(['theirs']);
    }));

  test.each([
    ['call', '-fcall'],
    ['load', '-function|load'],
    ['list', '-function'],
  ])('that the user may not %s are scripts, which answer the same; that is said once', (_, rule) =>
    withSpecialRedis([], async ({ redis, port }) => {
      await redis.call('ACL', 'SETUSER', 'gateway', 'on', '>secret', '~*', '&*', '+@all', rule);
      await withRedis(`redis://gateway:secret@127.0.0.1:${port}`, async (client) => {
        let said = 0;
        const run = createCommands(client, () => {
          said += 1;
        });
        const takes = Array.from({ length: 4 }, () => run(takeRequest, TAG, { tenant: 'acme', requestsPerMinute: 60 }));
        expect((await Promise.all(takes)).map(([, [remaining]]) => remaining)).toEqual([59, 58, 57, 56]);
        expect(said).toBe(1);
        expect(await libraries(redis)).toEqual([]);
      });
    }),
  );

  test('survive the death of the server, as its data does', async () => {
    const server = await startOwnRedis();
    try {
      await withRedis(server.url, (redis) => remainingAfterOne(redis));
      await server.kill();
      await server.restart();
      await withRedis(server.url, async (redis) => expect(await libraries(redis)).toEqual([LIBRARY_NAME]));
    } finally {
      await server.stop();
    }
  });
});

describe('on a server whose memory is full', () => {
  const fill = async (redis: Redis): Promise<void> => {
    await redis.config('SET', 'maxmemory', 1);
  };
  test('what frees memory or only reads is run; what stores is refused before it began', () =>
    withSpecialRedis([], async ({ redis }) => {
      const { library, scripts } = composeCommands(COMMANDS);
      await redis.function('LOAD', library.text);
      await fill(redis);
      const refused: string[] = [];
      for (const { name, inputs } of COMMANDS) {
        const args = Object.values(inputs).map((kind) => (kind === 'whole' ? '1' : 'x'));
        for (const call of [
          () => redis.fcall(library.functionOf(name), 1, TAG, ...args),
          () => redis.eval(scripts.get(name)?.text ?? '', 1, TAG, ...args),
        ]) {
          const message = await call().then(
            () => '',
            (error: Error) => error.message,
          );
          if (message.startsWith('OOM')) refused.push(name);
        }
      }
      const expected = COMMANDS.filter(({ flags }) => flags.length === 0).map(({ name }) => name);
      expect([...new Set(refused)]).toEqual(expected);
      expect(refused).toHaveLength(2 * expected.length);
    }));
});
