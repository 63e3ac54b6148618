/** What a job costs in Redis while it waits and when it is over. */
import { setTimeout as delay } from 'node:timers/promises';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { until } from '../../support/until.ts';
import type { Api, RedisServer } from '../ground.ts';
import { type Aim, type Measure, type Row, row } from '../measure.ts';
import {
  BODY_BYTES,
  ON_PLATFORM_ACCOUNT,
  ON_USER_KEY,
  RESULT_BYTES,
  SIZED_RESULT,
  type Template,
} from '../processes/request.ts';

const LIMIT_BYTES = 1_024;

/** Bytes in use, once nothing changes any more: buffers shrink and tables grow for a while after the last command. */
const usedBytes = async ({ client }: RedisServer): Promise<number> => {
  const look = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  // Redis shrinks a query buffer that has been idle for two seconds.
  await delay(2_500);
  let before = await look();
  return until(
    'Redis’ memory stays the same',
    async () => {
      await delay(500);
      const now = await look();
      const isSteady = Math.abs(now - before) < 20_000;
      before = now;
      return isSteady ? now : null;
    },
    { withinMs: 30_000 },
  );
};

export const memory: Measure = {
  name: 'memory',
  title: 'Memory: bytes of Redis a job',
  notes: [
    `used_memory before and after, per job, less the ${BODY_BYTES} bytes of the HTTP body while it waits, less the ${RESULT_BYTES} bytes of the stored result when it is over.`,
    'One round: the figures hardly vary. Bare: a BullMQ job with the body as its data. hash-max-listpack-value is 1024, as npm start sets it.',
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const load = ground.load();

    const bytesAJob = async (
      server: RedisServer,
      api: Api,
      plan: { template: Template; userKeys: number; count: number; less: number },
      finished: () => Promise<void> = async () => {},
    ): Promise<number> => {
      const send = (first: number, limitRequests: number) =>
        load.call('flood', {
          url: api.url,
          template: plan.template,
          userKeys: plan.userKeys,
          first,
          status: 202,
          connections: 50,
          limitMs: 120_000,
          limitRequests,
        });
      // Scripts, connections and the lane are there before the first look.
      await send(0, 100);
      await finished();
      const before = await usedBytes(server);
      const { count } = await send(100, plan.count);
      await finished();
      const after = await usedBytes(server);
      return (after - before) / count - plan.less;
    };

    const count = quick ? 2_000 : 20_000;
    const waiting = async (template: Template, userKeys: number): Promise<number> => {
      const redis = await ground.redis();
      return bytesAJob(redis, await ground.api(redis), { template, userKeys, count, less: BODY_BYTES });
    };
    const bareWaiting = async (): Promise<number> => {
      const redis = await ground.redis();
      const plan = { template: ON_PLATFORM_ACCOUNT, userKeys: 0, count, less: BODY_BYTES };
      return bytesAJob(redis, await ground.bareApi(redis), plan);
    };
    const finished = async (): Promise<number> => {
      const redis = await ground.redis();
      const providers = await ground.providers({ record: false });
      const api = await ground.api(redis, { providers });
      await ground.worker(redis, providers);
      const deadlines = key(shardTag(0), 'DEADLINES');
      const allFinal = async (): Promise<void> => {
        await until('all jobs are final', async () => (await redis.client.zcard(deadlines)) === 0, {
          withinMs: 120_000,
        });
        await checkResult(redis);
      };
      const plan = { template: SIZED_RESULT, userKeys: 0, count: quick ? 1_000 : 6_000, less: RESULT_BYTES };
      return bytesAJob(redis, api, plan, allFinal);
    };

    const figure = async (what: string, step: () => Promise<number>, bare?: number, aim?: Aim): Promise<Row> => {
      bench.progress(what);
      return row(what, 'bytes', [await step()], { ...(bare !== undefined && { bare: [bare] }), ...(aim && { aim }) });
    };
    bench.progress('bare BullMQ job');
    const bare = await bareWaiting();
    const aim: Aim = { of: 'value', is: 'at most', limit: LIMIT_BYTES };
    return [
      await figure('waiting, platform credential', () => waiting(ON_PLATFORM_ACCOUNT, 0), bare, aim),
      await figure('waiting, one user key', () => waiting(ON_USER_KEY, 1), bare, aim),
      await figure('waiting, ten jobs a user key', () => waiting(ON_USER_KEY, count / 10), bare),
      await figure('finished, platform credential', finished),
    ];
  },
};

/** That the results have the size that is subtracted. */
const checkResult = async ({ client }: RedisServer): Promise<void> => {
  const [name] = await client.keys(`${key(shardTag(0), 'RESULT')}*`);
  const bytes = await client.strlen(name ?? '');
  if (bytes !== RESULT_BYTES) throw new Error(`a result has ${bytes} bytes and not ${RESULT_BYTES}`);
};
