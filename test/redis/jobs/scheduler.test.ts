import { describe, expect, test } from 'vitest';
import { key } from '../../../shared/storage/redis/names.ts';
import { type Running, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();

const tenantOf = ({ claim }: Running): string => claim.tenant;

describe('the window', () => {
  test('nothing is handed off while no worker lives', async () => {
    await engine.submit('acme');
    await engine.tick();
    expect(engine.handoffs).toEqual([]);
    await engine.setSlots(1);
    await engine.tick();
    expect(engine.handoffs).toHaveLength(1);
  });

  test('no more is handed off than workers can hold and 5 % on top', async () => {
    await engine.setSlots(40);
    for (let count = 0; count < 100; count++) await engine.submit(`tenant-${count % 5}`);
    await engine.tick();
    await engine.tick();
    expect(engine.handoffs).toHaveLength(42);
  });

  test('a worker that fell silent no longer counts', async () => {
    await engine.redis.hset(key(TAG, 'WORKERS'), 'dead', `50:${Date.now() - 1}`);
    await engine.setSlots(1);
    for (let count = 0; count < 10; count++) await engine.submit('acme');
    await engine.tick();
    expect(engine.handoffs).toHaveLength(2);
  });
});

describe('fairness between tenants', () => {
  test('one tenant never fills the window, so that a newcomer starts at once', async () => {
    await engine.setSlots(20);
    for (let count = 0; count < 50; count++) await engine.submit('acme');
    await engine.tick();
    expect(engine.handoffs).toHaveLength(18);
    await engine.submit('beta');
    expect(engine.handoffs).toHaveLength(19);
  });

  test('not even after fast jobs, when more is handed off than there are slots', async () => {
    await engine.setSlots(20);
    await engine.redis.hset(key(TAG, 'SCHEDULER'), 'rate', 5_000);
    for (let count = 0; count < 50; count++) await engine.submit('acme');
    await engine.scheduler.heartbeat(0, 'leaving', 0);
    for (let count = 0; count < 3; count++) await engine.submit('acme');
    expect(engine.handoffs).toHaveLength(18);
    await engine.submit('beta');
    expect(engine.handoffs).toHaveLength(19);
  });

  test('a single job waits for two turns at most, however many another tenant has waiting', async () => {
    await engine.setSlots(10);
    for (let count = 0; count < 500; count++) await engine.submit('acme');
    await engine.tick();
    const running = await engine.startAll();
    // The tenth slot is taken by a third tenant: beta has to wait for one of acme's.
    await engine.submit('gamma');
    await engine.submit('gamma');
    await engine.startAll();
    await engine.submit('beta');
    for (const job of running.slice(0, 3)) await engine.end(job);
    expect((await engine.startAll()).map(tenantOf)).toContain('beta');
  });

  test.each([{ lasts: { acme: [100], beta: [10_000] } }, { lasts: { acme: [50, 150], beta: [200, 300, 400] } }])(
    'slot time is shared by weight, whatever the jobs last: $lasts',
    async ({ lasts }) => {
      await engine.setSlots(40);
      await engine.redis.hset(key(TAG, 'TENANT', 'beta'), 'weight', 3);
      for (let count = 0; count < 3_000; count++) {
        await engine.submit('acme');
        await engine.submit('beta');
      }
      let turns = 0;
      // Each job lasts one of its tenant's times, in turn.
      const lastsOf = (job: Running): number => {
        const times = tenantOf(job) === 'acme' ? lasts.acme : lasts.beta;
        return times[turns++ % times.length] ?? 0;
      };
      const held: Record<string, number> = { acme: 0, beta: 0 };
      // A simulated clock: whoever ends first is settled first.
      let running: { job: Running; lasts: number; endsAt: number }[] = [];
      let clock = 0;
      const admit = async (): Promise<void> => {
        for (const job of await engine.startAll()) {
          const time = lastsOf(job);
          running.push({ job, lasts: time, endsAt: clock + time });
        }
      };
      await engine.tick();
      await admit();
      while (clock < 25_000) {
        running = running.toSorted((a, b) => a.endsAt - b.endsAt);
        const next = running.shift();
        if (!next) break;
        for (const { job } of [next, ...running]) {
          const tenant = tenantOf(job);
          held[tenant] = (held[tenant] ?? 0) + next.endsAt - clock;
        }
        clock = next.endsAt;
        await engine.end(next.job, {}, next.lasts);
        await admit();
      }
      const share = (held.beta ?? 0) / (held.acme ?? 1);
      expect(share).toBeGreaterThan(3 * 0.9);
      expect(share).toBeLessThan(3 * 1.1);
    },
  );

  test('a tenant that idled has saved nothing up', async () => {
    await engine.setSlots(4);
    await engine.submit('acme');
    await engine.tick();
    for (let round = 0; round < 20; round++) {
      await engine.submit('beta');
      for (const job of await engine.startAll()) await engine.end(job, {}, 10_000);
    }
    for (let count = 0; count < 20; count++) {
      await engine.submit('acme');
      await engine.submit('beta');
    }
    const order: string[] = [];
    await engine.tick();
    while (engine.handoffs.length > 0) {
      const job = await engine.start();
      if (!job) continue;
      order.push(tenantOf(job));
      await engine.end(job, {}, 1_000);
    }
    const firstTen = order.slice(0, 10).filter((tenant) => tenant === 'acme').length;
    expect(firstTen).toBeGreaterThanOrEqual(4);
    expect(firstTen).toBeLessThanOrEqual(6);
  });
});

describe('fairness within a tenant', () => {
  test('interactive jobs go before batch jobs, and every eighth turn is the batch’s', async () => {
    for (let count = 0; count < 16; count++) await engine.submit('acme', { class: 'batch', model: 'batch-model' });
    for (let count = 0; count < 32; count++) await engine.submit('acme', { model: 'single-model' });
    await engine.setSlots(1);
    const order: string[] = [];
    await engine.tick();
    while (order.length < 24) {
      const job = await engine.start();
      if (!job) break;
      order.push(job.claim.model);
      await engine.end(job);
    }
    expect(order.filter((model) => model === 'batch-model')).toHaveLength(3);
    expect(order.slice(0, 7)).not.toContain('batch-model');
  });

  test('lanes of one class take turns', async () => {
    for (const model of ['a', 'b', 'c']) for (let count = 0; count < 5; count++) await engine.submit('acme', { model });
    await engine.setSlots(1);
    await engine.tick();
    const order: string[] = [];
    while (order.length < 9) {
      const job = await engine.start();
      if (!job) break;
      order.push(job.claim.model);
      await engine.end(job);
    }
    expect(order.join('')).toBe('abcabcabc');
  });

  test('batch work leaves a tenth of the window free', async () => {
    await engine.setSlots(20);
    for (let count = 0; count < 30; count++) {
      await engine.submit('acme', { class: 'batch' });
      await engine.submit('beta', { class: 'batch' });
    }
    await engine.tick();
    expect(engine.handoffs).toHaveLength(18);
    await engine.submit('gamma');
    expect(engine.handoffs).toHaveLength(19);
  });

  test('a job that came back goes before all that never had a turn', async () => {
    await engine.setSlots(1);
    const first = await engine.submit('acme');
    for (let count = 0; count < 5; count++) await engine.submit('acme');
    const job = await engine.start();
    expect(job?.id).toBe(first);
    if (job) await engine.end(job, { outcome: 'unknown', usage: null, next: { kind: 'hand_back' } });
    await engine.startAll().then((started) => expect(started.at(-1)?.id).toBe(first));
  });

  test('a thousand cancelled jobs in a lane hold up neither the next one nor another tenant', async () => {
    const dead = await Promise.all(Array.from({ length: 1_000 }, () => engine.submit('acme')));
    const alive = await engine.submit('acme');
    const other = await engine.submit('beta');
    for (const id of dead) await engine.jobs.cancel('acme' as Running['claim']['tenant'], id);
    await engine.setSlots(10);
    const started: string[] = [];
    for (let ticks = 0; ticks < 20 && started.length < 2; ticks++) {
      await engine.tick();
      started.push(...(await engine.startAll()).map(({ id }) => id));
      if (ticks === 0) expect(started).toContain(other);
    }
    expect(started).toContain(alive);
  });
});
