import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchStatusOf } from '../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../shared/domain/batches/states.ts';
import { type BatchId, type JobId, stemOf, type TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { parseHandoff } from '../../../shared/storage/queue/queues.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createWorkStore } from '../../../shared/storage/tenants/work-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { linesOf, type Running, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
const { redis } = engine;
const work = createWorkStore({ redis, run: createCommands(redis), shards: 1, retentionMs: 3_600_000 });

const ENDINGS = [
  {
    outcome: 'completed',
    next: { kind: 'completed', result: { role: 'assistant', content: 'hi', finish_reason: 'stop' } },
  },
  {
    outcome: 'rejected',
    next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null },
  },
  { outcome: 'unavailable', usage: null, next: { kind: 'retry', waitMs: 40 } },
  { outcome: 'throttled', usage: null, next: { kind: 'park', waitMs: 2, parkMs: 2 } },
  { outcome: 'unknown', usage: null, next: { kind: 'hand_back' } },
  { outcome: 'timed_out', next: { kind: 'expired' } },
  { outcome: 'cancelled', usage: null, next: { kind: 'cancelled' } },
] as const;

const TENANTS = ['acme', 'beta', 'gamma'] as const;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('submit'), pick: fc.nat(11), late: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('start'), pick: fc.nat(0), late: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('end'), pick: fc.nat(60), late: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      // A hand-off that is delivered twice, lost, or repeated; a worker that takes over; a script that is sent again.
      kind: fc.constantFrom(
        'cancel',
        'expire',
        'tick',
        'lose',
        'take over',
        'end twice',
        'fewer slots',
        'limit',
        'lift',
      ),
      pick: fc.nat(60),
      late: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'batch',
        'batch',
        'cancel line',
        'cancel batch',
        'batch is due',
        'erase batch',
        'erase',
        'erase line',
        'stop',
        'end stopped',
      ),
      pick: fc.nat(60),
      late: fc.boolean(),
    }),
  },
);

test('whatever happens in whatever order, every job stands in exactly one place, and the ledgers are the sum of the jobs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      await engine.empty();
      const ids: { id: JobId; tenant: (typeof TENANTS)[number] }[] = [];
      const batches: { id: BatchId; tenant: TenantId; lines: number }[] = [];
      let allRecordsStored = true;
      const running: Running[] = [];
      const ended: [Running, (typeof ENDINGS)[number]][] = [];
      await engine.scheduler.heartbeat(0, 'worker', 6);

      const take = async (): Promise<void> => {
        const job = await engine.start();
        if (job) running.push(job);
      };
      const end = async (index: number, ending: (typeof ENDINGS)[number]): Promise<void> => {
        const [job] = running.splice(index % Math.max(running.length, 1), 1);
        if (!job) return;
        ended.push([job, ending]);
        await engine.end(job, ending);
      };

      const sweepBatch = async (): Promise<void> => {
        const swept = await engine.scheduler.sweepBatch(0);
        engine.handoffs.push(...(swept?.handoffs ?? []));
      };
      const endStopped = async (pieces: number): Promise<void> => {
        let left = pieces;
        for (const tenant of await work.stopping(0)) {
          for await (const { handoffs } of work.end(tenant, { mostHandoffs: 64 })) {
            engine.handoffs.push(...handoffs);
            left -= 1;
            if (left === 0) return;
          }
        }
      };
      const lift = async (tenant: string): Promise<void> => {
        await engine.redis.hdel(key(TAG, 'TENANT', tenant), 'max_in_flight', 'tokens_per_minute');
        await engine.redis.zadd(key(TAG, 'CAPPED'), 'XX', 0, tenant);
      };

      for (const { kind, pick, late } of steps) {
        const chosen = ids[pick % Math.max(ids.length, 1)];
        const batch = batches[pick % Math.max(batches.length, 1)];
        switch (kind) {
          case 'submit': {
            const tenant = TENANTS[pick % 3] ?? 'acme';
            const id = await engine.submit(tenant, {
              model: `model-${pick % 2}`,
              class: pick % 4 === 3 ? 'batch' : 'interactive',
              ...(pick % 3 === 0 ? { metadata: { length: 'x'.repeat(pick) } } : {}),
              ...(late
                ? { credential: 'user', provider: 'openai', fingerprint: `key-${pick % 3}`, sealedKey: 'sealed' }
                : {}),
            });
            ids.push({ id, tenant });
            break;
          }
          case 'batch': {
            const name = TENANTS[pick % 3] ?? 'acme';
            const lines = [...linesOf(1 + (pick % 5)), ...(late ? linesOf(2, { model: 'model-1', first: 11 }) : [])];
            const user = { credential: 'user', provider: 'openai', fingerprint: 'key', sealedKey: 'sealed' } as const;
            const id = await engine.batch(name, lines, pick % 2 === 0 ? user : {});
            // Tests name tenants in the form that the type stands for.
            batches.push({ id, tenant: name as TenantId, lines: lines.length });
            break;
          }
          case 'erase':
            if (chosen) await engine.jobs.erase(chosen.tenant as Running['claim']['tenant'], chosen.id);
            break;
          case 'erase line':
          case 'cancel line': {
            const query = { status: null, limit: 9, after: null };
            const page = batch && (await engine.batches.lines({ tenant: batch.tenant, batch: batch.id, ...query }));
            const line = page?.views[pick % page.views.length];
            if (batch && line && kind === 'erase line') await engine.jobs.erase(batch.tenant, line.id);
            else if (batch && line) await engine.jobs.cancel(batch.tenant, line.id);
            break;
          }
          case 'cancel batch':
            if (batch) await engine.batches.cancel(batch.tenant, batch.id);
            break;
          case 'erase batch':
            if (batch && late && (await engine.batches.erase(batch.tenant, batch.id)) === 'erased') {
              allRecordsStored = false;
            }
            break;
          case 'batch is due': {
            const row = batch && (await engine.redis.hgetall(key(TAG, 'BATCH', stemOf(batch.id))));
            if (batch && row?.status && row.retained === undefined) {
              if (late) await engine.redis.hset(key(TAG, 'BATCH', stemOf(batch.id)), 'deadline', 1);
              await engine.redis.zadd(key(TAG, 'BATCH_DUE'), 1, stemOf(batch.id));
              await sweepBatch();
            }
            break;
          }
          case 'stop':
            // Tests name tenants in the form that the type stands for.
            if (late) await work.cancel((TENANTS[pick % 3] ?? 'acme') as TenantId, 'operator');
            // What is sent in the same millisecond is of before.
            await delay(2);
            break;
          case 'end stopped':
            await endStopped(1);
            break;
          case 'start':
            await take();
            break;
          case 'end':
            await end(pick, ENDINGS[pick % ENDINGS.length] ?? ENDINGS[0]);
            break;
          case 'end twice': {
            const [job, ending] = ended[pick % Math.max(ended.length, 1)] ?? [];
            if (job && ending) await engine.end(job, ending);
            break;
          }
          case 'cancel':
            if (chosen) await engine.jobs.cancel(chosen.tenant as Running['claim']['tenant'], chosen.id);
            break;
          case 'expire':
            if (chosen && (await engine.redis.zscore(key(TAG, 'DEADLINES'), chosen.id)) !== null) {
              await engine.redis.zadd(key(TAG, 'DEADLINES'), 1, chosen.id);
              const { handoffs } = await engine.scheduler.sweep(0);
              engine.handoffs.push(...handoffs);
            }
            break;
          case 'lose':
            engine.handoffs.splice(pick, 1);
            break;
          case 'take over': {
            // The lock of a running job is lost: another worker claims the same hand-off, and the first one still reports.
            const id = running[pick % Math.max(running.length, 1)]?.id;
            const since = id && (await engine.redis.hget(key(TAG, 'INFLIGHT'), id));
            if (since) {
              engine.handoffs.unshift(`${id}-${since.split(':')[0]}`);
              await take();
            }
            break;
          }
          case 'limit':
            await engine.redis.hset(key(TAG, 'TENANT', TENANTS[pick % 3] ?? 'acme'), {
              max_in_flight: late ? '' : 1 + (pick % 4),
              tokens_per_minute: late ? 50 + pick * 10 : '',
            });
            break;
          case 'lift':
            await lift(TENANTS[pick % 3] ?? 'acme');
            break;
          case 'fewer slots':
            await engine.scheduler.heartbeat(0, 'worker', 1 + (pick % 6));
            break;
          case 'tick':
            await engine.tick();
        }
      }
      expect(await findViolations(engine.redis, TAG, { allRecordsStored })).toEqual([]);

      for (const tenant of TENANTS) await lift(tenant);
      // Everything comes to an end from here, by the means that heal a crash.
      const limitMs = performance.now() + 3_000;
      const isUnfinished = async (): Promise<boolean> => {
        for (const { id, tenant } of batches) {
          const view = await engine.batches.read(tenant, id, { watcher: null });
          if (view && !isFinalBatch(batchStatusOf(view))) return true;
        }
        return (await engine.redis.zcard(key(TAG, 'DEADLINES'))) > 0;
      };
      while (performance.now() < limitMs && (await isUnfinished())) {
        await engine.tick();
        await sweepBatch();
        await endStopped(1_000);
        const known = new Set([...engine.handoffs, ...running.map(({ id }) => id)]);
        for (const [id, since] of Object.entries(await engine.redis.hgetall(key(TAG, 'INFLIGHT')))) {
          const handoff = `${id}-${since.split(':')[0]}`;
          if (parseHandoff(handoff) && !known.has(handoff) && !known.has(id)) engine.handoffs.push(handoff);
        }
        while (engine.handoffs.length > 0) await take();
        while (running.length > 0) await end(0, ENDINGS[0]);
      }
      const statuses = await Promise.all(ids.map(({ id }) => engine.redis.hget(key(TAG, 'JOB', id), 'status')));
      expect(statuses.filter((status) => status === 'queued' || status === 'in_progress')).toEqual([]);
      for (const { id, tenant, lines } of batches) {
        if ((await engine.batches.read(tenant, id, { watcher: null })) === null) continue;
        const outcomes: string[] = [];
        for await (const page of engine.batches.outcomes(tenant, id)) outcomes.push(...page.map((each) => each.id));
        expect(new Set(outcomes).size).toBe(lines);
        expect(outcomes).toHaveLength(lines);
      }
      expect(await isUnfinished()).toBe(false);
      expect(await findViolations(engine.redis, TAG, { allRecordsStored })).toEqual([]);
      // Hand-offs of jobs that ended meanwhile are left over; a tick makes no new one.
      engine.handoffs.length = 0;
      await engine.tick();
      expect(engine.handoffs).toEqual([]);
    }),
    { numRuns: 200, interruptAfterTimeLimit: 25_000, markInterruptAsFailure: false },
  );
}, 60_000);
