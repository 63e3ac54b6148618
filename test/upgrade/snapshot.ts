/** A Redis as a release left it, and the same as if it had been left just now. */
import type { Redis } from 'ioredis';

/** The keys of the snapshots: of tests, and of nothing else. */
export const RINGS = {
  KEY_PEPPERS: 'p1:bjZ2d3E4cnQ1eTd1OGkyYTVzNmQzZjlnMWg0ajB6a3g=',
  KEY_ENCRYPTION_KEYS: 'k1:cTl3OGU3cjZ0NXk0dTNpMm8xcDBhc2RmZ2hqa2x6eGM=',
};

export type StoredKey = { name: string; ttlMs: number } & (
  | { type: 'string'; value: string }
  | { type: 'hash'; value: Record<string, string> }
  | { type: 'list' | 'set'; value: string[] }
  /** Member, score, member, … */
  | { type: 'zset'; value: string[] }
  | { type: 'stream'; value: [id: string, fields: string[]][] }
);

export type Snapshot = {
  takenMs: number;
  registeredKey: string;
  /** The job that was accepted under the `Idempotency-Key` `the-same` for the message `once`. */
  once: string;
  /** Jobs that are not final, the first of them with an attempt that its dead worker left open. */
  waiting: string[];
  waitingBatch: string;
  /** What the release answered. */
  answers: { path: string; key: string; status: number; body: unknown }[];
  batchResults: Record<string, unknown[]>;
  stored: StoredKey[];
};

const TIME_MS = /(?<![\w.])1[789]\d{11}(?!\d)/g;
const TIME_ISO = /\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

/** A text with each time in it so much later. */
export const later = (text: string, byMs: number): string =>
  text
    .replace(TIME_MS, (ms) => String(Number(ms) + byMs))
    .replace(TIME_ISO, (iso) => new Date(Date.parse(iso) + byMs).toISOString());

/** Seals of the audit log cover its times. */
const isSealed = (name: string): boolean => /:audit/.test(name);

/** Puts the snapshot into an empty Redis, as if it had been taken now. */
export const restore = async (redis: Redis, { stored, takenMs }: Snapshot): Promise<number> => {
  const byMs = Date.now() - takenMs;
  for (const { name: then, ttlMs, ...rest } of stored) {
    const shift = isSealed(then) ? (text: string) => text : (text: string) => later(text, byMs);
    const name = shift(then);
    const { type, value } = JSON.parse(shift(JSON.stringify(rest))) as Pick<StoredKey, 'type' | 'value'> as StoredKey;
    switch (type) {
      case 'string':
        await redis.set(name, value);
        break;
      case 'hash':
        await redis.hset(name, value);
        break;
      case 'list':
        await redis.rpush(name, ...value);
        break;
      case 'set':
        await redis.sadd(name, ...value);
        break;
      case 'zset':
        for (let index = 0; index < value.length; index += 2)
          await redis.zadd(name, value[index + 1] ?? '', value[index] ?? '');
        break;
      case 'stream':
        for (const [id, fields] of value) await redis.xadd(name, id, ...fields);
        break;
    }
    if (ttlMs > 0) await redis.pexpire(name, ttlMs);
  }
  return byMs;
};
