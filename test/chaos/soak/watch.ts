/** Reads, while a soak goes on, what a worker and an API hold that no fault ends, and what Redis stores. */
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { key } from '../../../shared/storage/redis/names.ts';
import type { GatewayProcess } from '../../support/processes/process.ts';
import { readMemory } from '../../support/processes/process-memory.ts';
import type { Reading, Sample } from './growth.ts';

/** Past it the process or Redis stands still, as faults have it, and the sample is left out. */
const LIMIT_MS = 5_000;

/** What follows the tag, without an id. What belongs to a batch has a life of its own. */
const kindOf = (name: string): string => {
  const [, kind = '', id = ''] = name.split(':');
  if (name === key('{s0}', 'JOB', id) && /^.{14}[gh]/.test(id)) return 'job of a batch';
  if (name === key('{s0}', 'LANE', id) && id.includes('.')) return 'lane of a batch';
  return kind;
};

/** What is kept for longer than a run: for hours or days after the job. */
const KEPT = new Set([
  'lane of a batch',
  ...(
    ['IDEMPOTENCY', 'DELIVERY', 'OUTBOX', 'TENANT_DELIVERIES', 'FAILED_DELIVERIES', 'AUDIT', 'AUDIT_SEALS'] as const
  ).map((name) => kindOf(key('{s0}', name))),
]);

const readProcess = async (of: string, process: GatewayProcess): Promise<Reading[]> => {
  const { residentBytes, heapBytes, timers } = await readMemory(process, { withinMs: LIMIT_MS });
  return [
    { of, quantity: 'resident', value: residentBytes },
    { of, quantity: 'heap', value: heapBytes },
    { of, quantity: 'descriptors', value: (await readdir(`/proc/${process.pid}/fd`)).length },
    { of, quantity: 'timers', value: timers },
  ];
};

/** Every key with its bytes, a piece at a time. */
const weighKeys = async (redis: Redis): Promise<Map<string, { keys: number; bytes: number }>> => {
  const kinds = new Map<string, { keys: number; bytes: number }>();
  const weighed = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, 'COUNT', 500);
    const fresh = page.filter((name) => !weighed.has(name));
    const pipeline = redis.pipeline();
    for (const name of fresh) pipeline.call('MEMORY', 'USAGE', name, 'SAMPLES', '0');
    const weights = (await pipeline.exec()) ?? [];
    for (const [error] of weights) if (error) throw error;
    for (const [index, name] of fresh.entries()) {
      weighed.add(name);
      const kind = kinds.get(kindOf(name)) ?? { keys: 0, bytes: 0 };
      kinds.set(kindOf(name), { keys: kind.keys + 1, bytes: kind.bytes + Number(weights[index]?.[1] ?? 0) });
    }
    cursor = next;
  } while (cursor !== '0');
  return kinds;
};

const readRedis = async (redis: Redis, ended: number): Promise<Reading[]> => {
  const kinds = await weighKeys(redis);
  const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  const ofKeys = [...kinds.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    { of: 'Redis', quantity: 'overhead', value: used - ofKeys },
    ...[...kinds].flatMap(([kind, { keys, bytes }]): Reading[] => {
      const of = `Redis ${kind}`;
      return KEPT.has(kind)
        ? [
            { of, quantity: 'keys a job', value: keys / ended },
            { of, quantity: 'bytes a job', value: bytes / ended },
          ]
        : [
            { of, quantity: 'keys', value: keys },
            { of, quantity: 'bytes', value: bytes },
          ];
    }),
  ];
};

export type Watched = { worker: GatewayProcess; api: GatewayProcess };

/** Takes so many samples in this time; `ended` says how many jobs have. */
export const watch = async (
  { worker, api }: Watched,
  redisUrl: string,
  ended: () => number,
  { durationMs, samples: count }: { durationMs: number; samples: number },
): Promise<Sample[]> => {
  const samples: Sample[] = [];
  const redis = new Redis(redisUrl, { commandTimeout: LIMIT_MS, maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  const startedMs = performance.now();
  for (let number = 1; number <= count; number++) {
    await delay(Math.max(0, startedMs + (number / count) * durationMs - performance.now()));
    const atMs = performance.now() - startedMs;
    const reading = [readProcess('worker', worker), readProcess('API', api), readRedis(redis, Math.max(1, ended()))];
    await Promise.all(reading).then(
      (parts) => samples.push({ atMs, readings: parts.flat() }),
      () => {},
    );
  }
  redis.disconnect();
  return samples;
};
