/** What is done to the gateway, and when. Faults on one thing follow each other; those on different things meet as they come. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultProxy } from '../../support/network/fault-proxy.ts';
import { canTurnClocks, clockOff } from '../../support/processes/faketime.ts';
import type { GatewayProcess } from '../../support/processes/process.ts';
import { createRandom, type Random } from '../../support/random.ts';
import { withRedis } from '../../support/redis/redis.ts';
import type { Stage } from './stage.ts';

export type Fault = { what: string; at: number; until: number };

/** Longer than the lock of a hand-off, so that another worker takes over. */
const PAST_THE_LOCK_MS = 13_000;

type Place = 'workers' | 'apis' | 'redis' | 'redis network' | 'provider network' | 'receiver network';
type Kind = { what: string; place: Place; perMinute: number; inject: (stage: Stage, random: Random) => Promise<void> };

const KINDS: Kind[] = [
  {
    what: 'worker SIGKILL',
    place: 'workers',
    perMinute: 2.4,
    inject: (stage, random) => replaceWorker(stage, random, 'SIGKILL'),
  },
  {
    what: 'worker SIGTERM',
    place: 'workers',
    perMinute: 0.6,
    inject: (stage, random) => replaceWorker(stage, random, 'SIGTERM'),
  },
  {
    what: 'worker stopped past its lock',
    place: 'workers',
    perMinute: 0.8,
    inject: (stage, random) => stopWorker(stage, random, PAST_THE_LOCK_MS),
  },
  {
    what: 'worker stopped',
    place: 'workers',
    perMinute: 0.8,
    inject: (stage, random) => stopWorker(stage, random, random.between(500, 4_000)),
  },
  { what: 'worker with a wrong clock', place: 'workers', perMinute: canTurnClocks ? 0.6 : 0, inject: turnClock },
  { what: 'API SIGKILL', place: 'apis', perMinute: 1, inject: (stage, random) => replaceApi(stage, random, 'SIGKILL') },
  {
    what: 'API SIGTERM',
    place: 'apis',
    perMinute: 0.6,
    inject: (stage, random) => replaceApi(stage, random, 'SIGTERM'),
  },
  { what: 'API stopped', place: 'apis', perMinute: 0.6, inject: stopApi },
  { what: 'Redis SIGKILL', place: 'redis', perMinute: 0.6, inject: killRedis },
  { what: 'Redis stopped', place: 'redis', perMinute: 0.4, inject: freezeRedis },
  { what: 'Redis nearly full', place: 'redis', perMinute: 0.4, inject: fillRedis },
  ...networkFaults('redis network', 'redis'),
  ...networkFaults('provider network', 'provider'),
  ...networkFaults('receiver network', 'receiver'),
];

function networkFaults(place: Place, name: keyof Stage['proxies']): Kind[] {
  const on =
    (inject: (proxy: FaultProxy, random: Random) => Promise<void>) =>
    (stage: Stage, random: Random): Promise<void> =>
      inject(stage.proxies[name], random);
  return [
    {
      what: `${name} connections cut`,
      place,
      perMinute: 0.8,
      inject: on((proxy) => cutAll(proxy, false)),
    },
    {
      what: `${name} connections reset`,
      place,
      perMinute: 0.8,
      inject: on((proxy) => cutAll(proxy, true)),
    },
    {
      what: `${name} connections half open`,
      place,
      perMinute: 0.6,
      inject: on(async (proxy, random) => {
        const frozen = proxy.connections.filter(() => random.next() < 0.5);
        for (const each of frozen) each.freeze();
        await delay(random.between(2_000, 6_000));
        for (const each of frozen) each.cut();
      }),
    },
    {
      what: `${name} slow`,
      place,
      perMinute: 0.5,
      inject: on(async (proxy, random) => {
        proxy.setDelay(random.between(20, 150));
        await delay(random.between(2_000, 5_000));
        proxy.setDelay(0);
      }),
    },
  ];
}

async function cutAll(proxy: FaultProxy, reset: boolean): Promise<void> {
  for (const connection of [...proxy.connections]) connection.cut({ reset });
}

const pick = <T>(items: readonly T[], random: Random): T | undefined => items[random.below(items.length)];

async function replaceWorker(stage: Stage, random: Random, signal: NodeJS.Signals): Promise<void> {
  const worker = pick(
    stage.gateway.workers.filter((each) => each !== stage.watched?.worker),
    random,
  );
  if (!worker) return;
  forget(stage.gateway.workers, worker);
  worker.signal(signal);
  stage.addWorker();
  await worker.exited;
}

async function stopWorker(stage: Stage, random: Random, ms: number): Promise<void> {
  const worker = pick(stage.gateway.workers, random);
  if (!worker) return;
  worker.signal('SIGSTOP');
  await delay(ms);
  worker.signal('SIGCONT');
}

/** A worker whose clock is ten minutes off works for a while in the place of another. */
async function turnClock(stage: Stage, random: Random): Promise<void> {
  const worker = stage.addWorker(clockOff(random.pick(['+10m', '-10m'])));
  await delay(8_000);
  forget(stage.gateway.workers, worker);
  worker.signal('SIGTERM');
  await worker.exited;
}

async function replaceApi(stage: Stage, random: Random, signal: NodeJS.Signals): Promise<void> {
  const api = pick(
    stage.gateway.apis.filter((each) => each !== stage.watched?.api),
    random,
  );
  if (!api) return;
  forget(stage.gateway.apis, api);
  api.signal(signal);
  stage.processes.push(await stage.gateway.addApi());
  await api.exited;
}

async function stopApi(stage: Stage, random: Random): Promise<void> {
  const api = pick(stage.gateway.apis, random);
  if (!api) return;
  api.signal('SIGSTOP');
  await delay(random.between(500, 4_000));
  api.signal('SIGCONT');
}

async function killRedis(stage: Stage, random: Random): Promise<void> {
  await stage.gateway.redis.kill();
  await delay(random.between(300, 2_500));
  await stage.gateway.redis.restart();
}

async function freezeRedis(stage: Stage, random: Random): Promise<void> {
  stage.gateway.redis.signal('SIGSTOP');
  await delay(random.between(1_000, 6_000));
  stage.gateway.redis.signal('SIGCONT');
}

/** As many bytes left as the gateway needs to finish what it has, and too few to accept more. */
async function fillRedis(stage: Stage, random: Random): Promise<void> {
  const setLimit = (share: number | null) =>
    withRedis(stage.gateway.redis.url, async (redis) => {
      const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
      await redis.config('SET', 'maxmemory', share === null ? '0' : String(Math.round(used / share)));
    });
  await setLimit(0.8);
  await delay(random.between(2_000, 5_000));
  await setLimit(null);
}

const forget = <T extends GatewayProcess>(processes: T[], gone: T): void => {
  processes.splice(processes.indexOf(gone), 1);
};

export type FaultPlan = { kind: Kind; atMs: number; stream: number }[];

/** Which faults come when, in a run of this length: the same for the same seed. None in the last tenth, so that the run ends. */
export const planFaults = (seed: number, durationMs: number): FaultPlan => {
  const random = createRandom(seed, -1);
  return KINDS.flatMap((kind) => {
    const expected = (kind.perMinute * durationMs) / 60_000;
    // What is due less than once comes with that chance.
    const times = Math.floor(expected) + (random.next() < expected % 1 ? 1 : 0);
    return Array.from({ length: times }, () => ({ kind, atMs: durationMs * random.between(0.03, 0.9) }));
  })
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((each, index) => ({ ...each, stream: -2 - index }));
};

/** Resolves when the last fault is over. */
export const injectFaults = async (
  stage: Stage,
  seed: number,
  plan: FaultPlan,
  say: (text: string) => void,
): Promise<Fault[]> => {
  const startedMs = performance.now();
  const faults: Fault[] = [];
  const places = Map.groupBy(plan, ({ kind }) => kind.place);
  const runAt = async (of: FaultPlan): Promise<void> => {
    for (const { kind, atMs, stream } of of) {
      await delay(Math.max(0, startedMs + atMs - performance.now()));
      const at = Date.now();
      say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${kind.what}`);
      await kind.inject(stage, createRandom(seed, stream));
      faults.push({ what: kind.what, at, until: Date.now() });
    }
  };
  await Promise.all([...places.values()].map(runAt));
  return faults;
};
