/** Answers that are streamed: every event once and in order, whoever reads from when on, however fast; nothing of a worker that was lost. */
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { createBodySealer } from '../../../shared/keys/encryption/seal-body.ts';
import { appendEvents } from '../../../shared/storage/commands/jobs/commands.ts';
import { createEventReaders, type EventReader } from '../../../shared/storage/events/event-reader.ts';
import { createEventWriters } from '../../../shared/storage/events/event-writer.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { NEWEST_SCHEMA } from '../../../shared/storage/schema/schema-store.ts';
import { createRandom } from '../../support/random.ts';
import { type Running, TAG, testDataKeys } from '../../support/redis/engine.ts';
import { useEngine, useInvariants } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
useInvariants(engine);
beforeEach(async () => {
  await engine.scheduler.heartbeat(0, 'worker', 10);
  await engine.redis.set(key(TAG, 'SCHEMA'), NEWEST_SCHEMA);
});

const news = new Redis(engine.url);
afterAll(() => news.disconnect());
const sealer = createBodySealer(testDataKeys());
const openWriter = createEventWriters({ run: (command, _, input) => engine.run(command, input), sealer, shards: 1 });
const followEvents = createEventReaders({ redis: engine.redis, news, sealer, shards: 1 });

const tenant = 'acme' as TenantId;
let id: JobId;
let of: { tenant: TenantId; id: JobId; attempt: number };
/** The attempt that shows its answer. */
let running: Running;
beforeEach(async () => {
  id = await engine.submit('acme', { streamed: true });
  await engine.tick();
  const started = await engine.start();
  if (started === null) throw new Error('nothing runs');
  running = started;
  of = { tenant, id, attempt: 1 };
});
const event = (number: number): Buffer =>
  Buffer.from(`data: {"n":${number},"text":"é\u0000${'x'.repeat(number % 50)}"}\n\n`);
const events = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, number) => event(number)));

/** All that a reader gets until it has so many bytes. */
const readAll = async (reader: EventReader, bytes: number, attempt = 1): Promise<Buffer> => {
  const read: Buffer[] = [];
  await vi.waitFor(
    async () => {
      read.push(await reader.read(attempt));
      expect(Buffer.concat(read).length).toBeGreaterThanOrEqual(bytes);
    },
    { timeout: 5_000, interval: 5 },
  );
  return Buffer.concat(read);
};
const listed = (attempt = 1): Promise<number> => engine.redis.llen(key(TAG, 'EVENTS', `${id}.${attempt}`));

describe.each([false, true])('sealed: %s', (sealed) => {
  test('a reader gets every byte once and in order, from whatever moment it reads, and as fast as it likes', async () => {
    const writer = await openWriter(of, { sealed });
    const { next, below } = createRandom(7);
    const early = await followEvents({ tenant, id }, () => {});
    const readers = [early];
    for (let number = 0; number < 300; number++) {
      writer.write(event(number));
      if (next() < 0.1) await new Promise((resolve) => setTimeout(resolve, below(30)));
      if (number === 150) readers.push(await followEvents({ tenant, id }, () => {}));
      // Some look now and then; the rest is told to them meanwhile.
    }
    const entries = await writer.end();
    readers.push(await followEvents({ tenant, id }, () => {}));
    for (const reader of readers) {
      expect((await readAll(reader, events(300).length)).equals(events(300))).toBe(true);
      expect(reader.entries()).toBe(entries);
      reader.leave();
    }
  });

  test('nothing of it is legible in Redis if it is sealed', async () => {
    const writer = await openWriter(of, { sealed });
    writer.write(Buffer.from('data: a secret word\n\n'));
    await writer.end();
    const entries = await engine.redis.lrangeBuffer(key(TAG, 'EVENTS', `${id}.1`), 0, -1);
    expect(Buffer.concat(entries).includes('a secret word')).toBe(!sealed);
  });

  test('an entry that stands in another’s place, or was changed, is not given out', async () => {
    const writer = await openWriter(of, { sealed: true });
    writer.write(event(1));
    await writer.end();
    const list = key(TAG, 'EVENTS', `${id}.1`);
    const [, entry = Buffer.alloc(0)] = await engine.redis.lrangeBuffer(list, 0, -1);
    await engine.redis.rpush(list, entry);
    const reader = await followEvents({ tenant, id }, () => {});
    await expect(reader.read(1)).rejects.toThrow('not what it was');
    reader.leave();
  });
});

test('the first events are there at once, and later ones gather', async () => {
  const writer = await openWriter(of, { sealed: false });
  const run = vi.spyOn(engine.redis, 'fcall');
  const startedMs = performance.now();
  writer.write(event(0));
  await vi.waitFor(async () => expect(await listed()).toBe(2), { interval: 1 });
  expect(performance.now() - startedMs).toBeLessThan(35);
  for (let number = 1; number < 100; number++) writer.write(event(number));
  expect(await writer.end()).toBe(3);
  expect(run.mock.calls.length).toBe(2);
  run.mockRestore();
});

test('a step that is sent twice appends once', async () => {
  const writer = await openWriter(of, { sealed: false });
  writer.write(event(0));
  await writer.end();
  const entries = [id, 1, 1, '1', event(0)];
  await engine.run(appendEvents, { lifeMs: 1_000, entries });
  const reader = await followEvents({ tenant, id }, () => {});
  expect((await readAll(reader, event(0).length)).equals(event(0))).toBe(true);
  expect((await reader.read(1)).length).toBe(0);
  reader.leave();
});

test('what is longer than a list may be goes on to those who listen, and says that it is not all there', async () => {
  const writer = await openWriter(of, { sealed: false });
  const long = Buffer.alloc(3 * 1_024 * 1_024, 120);
  const reader = await followEvents({ tenant, id }, () => {});
  const late = await followEvents({ tenant, id }, () => {});
  writer.write(long);
  expect((await readAll(reader, long.length)).length).toBe(long.length);
  writer.write(long);
  expect(await writer.end()).toBeNull();
  expect((await readAll(reader, long.length)).length).toBe(long.length);
  expect(await listed()).toBe(2);
  expect((await readAll(late, long.length)).length).toBeGreaterThanOrEqual(long.length);
  reader.leave();
  late.leave();
});

describe('a job whose worker was lost', () => {
  const write = async (attempt: number, number: number): Promise<void> => {
    const writer = await openWriter({ ...of, attempt }, { sealed: false });
    writer.write(event(number));
    await writer.end();
  };
  /** The next worker gets it. */
  const takeOver = async (): Promise<Running | null> => {
    await engine.redis.hset(key(TAG, 'INFLIGHT'), id, '2:0');
    engine.handoffs.push(`${id}-2`);
    return engine.start();
  };
  const record = async () => (await engine.jobs.read(tenant, id, { watcher: null }))?.record;

  test('begins anew if nothing of its answer was shown', async () => {
    const again = await takeOver();
    expect(again?.claim).toMatchObject({ attempt: 2, streamed: true });
  });

  test('fails if something was, with one attempt that counts as unknown', async () => {
    await write(1, 0);
    expect(await takeOver()).toBeNull();
    const failed = await record();
    expect(failed).toMatchObject({ status: 'failed', error: 'stream_interrupted', attempts: '1' });
    expect(failed?.['attempt:1']).toContain('|unknown|');
    expect(await engine.redis.pttl(key(TAG, 'EVENTS', `${id}.1`))).toBeLessThanOrEqual(60_000);
    // What it writes, and comes to, all the same changes nothing but the ledger.
    await write(1, 1);
    expect(await listed()).toBe(2);
    expect(await engine.end(running)).toBe('superseded');
    expect(await record()).toMatchObject({ status: 'failed', billed_input: '10' });
  });

  test('is heard no more behind the next one, whose answer is the only one', async () => {
    const next = await takeOver();
    await write(1, 0);
    expect(await listed(1)).toBe(0);
    await write(2, 1);
    expect(await engine.end(running)).toBe('late');
    const reader = await followEvents({ tenant, id }, () => {});
    expect((await readAll(reader, event(1).length, 2)).equals(event(1))).toBe(true);
    reader.leave();
    if (next) expect(await engine.end(next)).toBe('completed');
    const ended = await record();
    expect(ended).toMatchObject({ status: 'completed', attempts: '2', billed_input: '20' });
    expect([ended?.['attempt:1'], ended?.['attempt:2']]).toEqual([
      expect.stringContaining('|superseded|'),
      expect.stringContaining('|completed|'),
    ]);
  });

  test('gives the answer after all, if the next one has shown nothing', async () => {
    const next = await takeOver();
    expect(await engine.end(running)).toBe('completed');
    await write(2, 1);
    expect(await listed(2)).toBe(0);
    if (next) expect(await engine.end(next)).toBe('superseded');
  });
});
