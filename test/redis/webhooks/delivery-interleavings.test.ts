import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DeliveryId, newDeliveryId, type TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { parseDeliveryHandoff } from '../../../shared/storage/queue/queues.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createDeliveryStore } from '../../../shared/storage/webhooks/delivery-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
const deliveries = createDeliveryStore({ redis: engine.redis, run: createCommands(engine.redis), shards: 1 });

// Tests name tenants in the form that the type stands for.
const ACME = 'acme' as TenantId;
const TENANTS = [ACME, 'beta' as TenantId, 'gamma' as TenantId];
const MOST_FAILURES = 3;

const DELIVERED = { code: 'delivered', status: 200, next: { kind: 'delivered' } } as const;
const ENDINGS = [
  DELIVERED,
  { code: 'timeout', status: null, next: { kind: 'retry', waitMs: 60_000 } },
  { code: 'timeout', status: null, next: { kind: 'failed', reason: null } },
  { code: 'status', status: 500, next: { kind: 'retry', waitMs: 60_000 } },
  { code: 'status', status: 410, next: { kind: 'disable' } },
  { code: 'unknown', status: null, next: { kind: 'hand_back' } },
] as const;

type Attempt = { id: DeliveryId; attempt: number; mark: string };

const steps = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('event', 'event', 'claim', 'claim', 'settle') },
      // A hand-off that is lost or delivered twice; a worker that takes over; a script that is sent again.
      { weight: 2, arbitrary: fc.constantFrom('tests', 'lose', 'take over', 'settle twice', 'silence') },
      { weight: 2, arbitrary: fc.constantFrom('tend', 'due', 'pause is over', 'redeliver', 'redeliver failed') },
    ),
    pick: fc.nat(60),
  }),
  { minLength: 20, maxLength: 120 },
);

test('whatever happens in whatever order, each delivery stands in one place and ends, and no tenant gets more than half', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 2, 5, 12, 100), async (taken, slots) => {
      await engine.empty();
      await engine.scheduler.heartbeat(0, 'worker', 1_000);
      const running: Attempt[] = [];
      const ended: [Attempt, (typeof ENDINGS)[number]][] = [];
      const handed: string[] = [];
      let marks = 0;

      const tend = async (): Promise<void> => {
        handed.push(...(await deliveries.tend(0, slots)).handoffs);
      };
      const claim = async (handoff: string | undefined): Promise<void> => {
        const { id, number } = parseDeliveryHandoff(handoff ?? '') ?? {};
        if (!id || !number) return;
        const mark = `worker.d${++marks}`;
        const answer = await deliveries.claim(0, { id, handoff: number, mark, mostFailures: MOST_FAILURES });
        handed.push(...answer.handoffs);
        if (answer.claim) running.push({ id, attempt: answer.claim.attempt, mark });
      };
      const settle = async (attempt: Attempt | undefined, ending: (typeof ENDINGS)[number]): Promise<void> => {
        if (!attempt) return;
        ended.push([attempt, ending]);
        handed.push(...(await deliveries.settle(0, { ...attempt, ...ending, ms: 5 })).handoffs);
      };
      const complete = async (tenant: TenantId, host: number): Promise<void> => {
        const url = `https://host-${host}.example.com/`;
        await engine.submit(tenant, { webhook: { url, events: ['job.completed'] } });
        const job = await engine.start();
        if (job) await engine.end(job);
        handed.push(...engine.handoffs.splice(0));
      };
      const sendTest = async (tenant: TenantId, host: number): Promise<void> => {
        const url = `https://host-${host}.example.com/`;
        const limits = { max_stored_bytes: 1_000_000 };
        const sent = await deliveries.test(tenant, { id: newDeliveryId(), url, watcher: 'api', limits });
        if (sent.kind === 'sent') handed.push(...sent.handoffs);
      };
      const standing = async (at: string): Promise<string[]> => {
        const ids = await engine.redis.zrange(key(TAG, 'OUTBOX'), '0', '-1');
        const places = await Promise.all(ids.map((id) => engine.redis.hget(key(TAG, 'DELIVERY', id), 'at')));
        return ids.filter((_, index) => places[index] === at);
      };
      const makeDue = async (ids: readonly (string | undefined)[]): Promise<void> => {
        for (const id of ids) if (id) await engine.redis.zadd(key(TAG, 'OUTBOX'), 1, id);
      };
      /** Also of those that wait for their tenant's room. */
      const endPauses = async (): Promise<void> => {
        for (const paused of await engine.redis.zrange(key(TAG, 'PAUSED_ENDPOINTS'), '0', '-1')) {
          await engine.redis.hset(key(TAG, 'ENDPOINT', paused.split(' ')[0]), 'paused_until', 1);
          await engine.redis.zadd(key(TAG, 'PAUSED_ENDPOINTS'), 1, paused);
        }
        for (const tenant of TENANTS) await engine.redis.zadd(key(TAG, 'WAITING_TENANTS'), 'XX', 1, tenant);
        await tend();
      };

      await tend();
      for (const { kind, pick } of taken) {
        const tenant = TENANTS[pick % 5] ?? ACME;
        const host = pick % 3;
        switch (kind) {
          case 'event':
            await complete(tenant, host);
            break;
          case 'tests':
            for (let each = 0; each < pick % 30; each++) await sendTest(tenant, host);
            break;
          case 'claim':
            for (let each = 0; each <= pick % 6; each++) await claim(handed.shift());
            break;
          case 'settle':
            await settle(running.splice(pick % Math.max(running.length, 1), 1)[0], ENDINGS[pick % 6] ?? DELIVERED);
            break;
          case 'silence':
            for (let each = 0; each < 6; each++) await claim(handed.shift());
            for (const attempt of running.splice(0)) await settle(attempt, ENDINGS[1]);
            break;
          case 'settle twice': {
            const [attempt, ending] = ended[pick % Math.max(ended.length, 1)] ?? [];
            if (attempt && ending) await settle(attempt, ending);
            break;
          }
          case 'lose':
            handed.splice(pick, 1);
            break;
          case 'take over': {
            const id = running[pick % Math.max(running.length, 1)]?.id;
            const number = id && (await engine.redis.hget(key(TAG, 'DELIVERY', id), 'handoff'));
            if (number) await claim(`${id}-${number}`);
            break;
          }
          case 'tend':
            await tend();
            break;
          case 'due': {
            const ids = [...(await standing('due')), ...(await standing('handed')), ...(await standing('waiting'))];
            await makeDue([ids[pick % Math.max(ids.length, 1)]]);
            await tend();
            break;
          }
          case 'pause is over':
            await endPauses();
            break;
          case 'redeliver': {
            const id = ended[pick % Math.max(ended.length, 1)]?.[0].id;
            if (id) handed.push(...(await deliveries.redeliver(tenant, id)).handoffs);
            break;
          }
          case 'redeliver failed':
            handed.push(...(await deliveries.redeliverFailed(tenant, 0, null)).handoffs);
            break;
        }
        const { slots: _, turn: __, all: ___, ...counts } = await engine.redis.hgetall(key(TAG, 'OUTGOING'));
        expect(Math.max(0, ...Object.values(counts).map(Number))).toBeLessThanOrEqual(Math.ceil(slots / 2));
      }
      const violations = await findViolations(engine.redis, TAG);
      // One that was taken over and arrived after all is over, or waits to be sent again, while its other attempt goes on.
      const isUnderWay = (violation: string): boolean =>
        running.some(({ id }) => violation.startsWith(`${id} at `) && violation.endsWith(' has 1 open attempts'));
      expect(violations.filter((each) => !isUnderWay(each))).toEqual([]);

      // Then all goes well: whatever is left ends, without a single one that waits in vain.
      const isPending = async (): Promise<boolean> => {
        const standingAt = await Promise.all(['handed', 'due', 'waiting'].map(standing));
        return standingAt.some((ids) => ids.length > 0);
      };
      for (let round = 0; round < 100 && (await isPending()); round++) {
        while (running.length > 0 || handed.length > 0) {
          await claim(handed.shift());
          await settle(running.shift(), DELIVERED);
        }
        await makeDue([...(await standing('due')), ...(await standing('handed'))]);
        await endPauses();
      }
      expect(await isPending()).toBe(false);
      expect(await findViolations(engine.redis, TAG)).toEqual([]);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 10_000, markInterruptAsFailure: false },
  );
}, 40_000);
