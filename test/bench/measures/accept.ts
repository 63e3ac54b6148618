/** How fast requests are accepted, and what each costs. */

import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { createSchedulerStore } from '../../../shared/storage/jobs/scheduler-store.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';
import { until } from '../../support/until.ts';
import { withCpu } from '../figures/cpu.ts';
import type { Api, RedisServer } from '../ground.ts';
import { type Aim, inTurn, type Measure, type Row, row } from '../measure.ts';
import { BARE_QUEUE } from '../processes/bare-queue.ts';
import { BODY_BYTES, ON_PLATFORM_ACCOUNT, ON_USER_KEY } from '../processes/request.ts';

const CONNECTIONS = 50;
/** More than any round accepts. */
const SLOTS = 1_000_000;

type Sent = { rate: number; p50: number; p99: number; apiMicros: number; redisMicros: number; loadMicros: number };

const DEADLINES = key(shardTag(0), 'DEADLINES');
const HANDED_OFF = `${key(shardTag(0), 'COMPLETIONS')}wait`;

const sizeOf = async ({ client }: RedisServer, name: string): Promise<number> =>
  name === DEADLINES ? client.zcard(name) : client.llen(name);

/** Says every second that a worker with many free slots lives. Nothing takes what is handed off for it. */
const announceRoom = async ({ client }: RedisServer): Promise<() => void> => {
  const scheduler = createSchedulerStore({
    redis: client,
    run: createCommands(client),
    retentionMs: 60_000,
    defaultLimits: NO_LIMITS,
  });
  const beat = async (): Promise<void> => {
    await scheduler.heartbeat(0, 'bench', SLOTS);
  };
  await beat();
  const timer = setInterval(() => void beat().catch(() => {}), 1_000);
  return () => clearInterval(timer);
};

export const accept: Measure = {
  name: 'accept',
  title: `Accept: POST /v1/complete with ${BODY_BYTES} bytes at ${CONNECTIONS} connections, beside a Hono route that does one BullMQ add of the same body`,
  notes: [
    'Hand-off: a worker with room for everything is announced and none takes from the queue, so that each request is also given to BullMQ and no worker uses the cores.',
    'Queued: there is no worker. One API process, one Redis, one load generator on the same machine; CPU is user + system.',
  ],
  run: async (bench) => {
    const { ground, quick } = bench;
    const load = ground.load();
    const bareRedis = await ground.redis();
    const redis = await ground.redis();
    const bareApi = await ground.bareApi(bareRedis);
    const api = await ground.api(redis);
    const infoApi = await ground.api(redis, { logLevel: 'info' });

    /** `expected`: lists and sets that hold every accepted job afterwards, or none of them; so that what is measured is what the title says. */
    const flood = async (
      to: Api,
      server: RedisServer,
      { onUserKey, expected }: { onUserKey: boolean; expected: Record<string, 'all' | 'none'> },
    ): Promise<Sent> => {
      const target = {
        url: to.url,
        template: onUserKey ? ON_USER_KEY : ON_PLATFORM_ACCOUNT,
        userKeys: onUserKey ? 1 : 0,
        status: 202,
        connections: CONNECTIONS,
        limitRequests: SLOTS,
      };
      const warmUp = await load.call('flood', { ...target, first: 0, limitMs: quick ? 200 : 500 });
      const { result, cpu } = await withCpu([to.pid, server.pid, load.pid], () =>
        load.call('flood', { ...target, first: warmUp.count, limitMs: quick ? 1_000 : 3_000 }),
      );
      const accepted = warmUp.count + result.count;
      await until('Redis holds what was accepted', async () => {
        const sizes = await Promise.all(Object.keys(expected).map((name) => sizeOf(server, name)));
        return Object.values(expected).every((share, index) => sizes[index] === (share === 'all' ? accepted : 0));
      });
      const [apiMicros = 0, redisMicros = 0, loadMicros = 0] = cpu.map((ms) => (ms * 1_000) / result.count);
      const { p50, p99 } = result;
      return { rate: (result.count * 1_000) / result.elapsedMs, p50, p99, apiMicros, redisMicros, loadMicros };
    };
    const gateway =
      (to: Api, { handOff, onUserKey }: { handOff: boolean; onUserKey: boolean }) =>
      async () => {
        await redis.reset();
        const leave = handOff ? await announceRoom(redis) : () => {};
        try {
          return await flood(to, redis, {
            onUserKey,
            expected: { [DEADLINES]: 'all', [HANDED_OFF]: handOff ? 'all' : 'none' },
          });
        } finally {
          leave();
        }
      };
    const variants = {
      bare: async () => {
        await bareRedis.reset();
        return flood(bareApi, bareRedis, { onUserKey: false, expected: { [`bull:${BARE_QUEUE}:wait`]: 'all' } });
      },
      handOff: gateway(api, { handOff: true, onUserKey: false }),
      handOffUserKey: gateway(api, { handOff: true, onUserKey: true }),
      queued: gateway(api, { handOff: false, onUserKey: false }),
      queuedUserKey: gateway(api, { handOff: false, onUserKey: true }),
      atInfo: gateway(infoApi, { handOff: true, onUserKey: false }),
    };
    bench.progress('warming up');
    await inTurn({ progress: () => {} }, 1, variants);
    const rounds = await inTurn(bench, quick ? 2 : 5, variants);

    const figures = (name: string, sent: readonly Sent[], limit: number): Row[] => {
      const each = (what: string, unit: Row['unit'], pick: (of: Sent) => number, aim?: Aim): Row =>
        row(`${name}: ${what}`, unit, sent.map(pick), { bare: rounds.bare.map(pick), ...(aim && { aim }) });
      return [
        each('requests', '/s', ({ rate }) => rate, { of: 'ratio', is: 'at least', limit }),
        each('p50', 'ms', ({ p50 }) => p50),
        each('p99', 'ms', ({ p99 }) => p99),
        each('CPU of the API a request', 'µs', ({ apiMicros }) => apiMicros),
        each('CPU of Redis a request', 'µs', ({ redisMicros }) => redisMicros),
      ];
    };
    const rateOf = ({ rate }: Sent): number => rate;
    return [
      ...figures('hand-off', rounds.handOff, 0.6),
      ...figures('hand-off, user key', rounds.handOffUserKey, 0.6),
      ...figures('queued', rounds.queued, 0.8),
      ...figures('queued, user key', rounds.queuedUserKey, 0.8),
      row('hand-off, logging at info: requests', '/s', rounds.atInfo.map(rateOf), { bare: rounds.bare.map(rateOf) }),
      row(
        'CPU of the load generator a request',
        'µs',
        rounds.handOff.map(({ loadMicros }) => loadMicros),
        { bare: rounds.bare.map(({ loadMicros }) => loadMicros) },
      ),
    ];
  },
};
