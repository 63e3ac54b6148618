import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JobId, TenantId } from '../../../shared/domain/ids.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { createBudgetStore } from '../../../shared/storage/usage/budget-store.ts';
import { findViolations } from '../../support/invariants/invariants.ts';
import { type Running, TAG } from '../../support/redis/engine.ts';
import { useEngine } from '../../support/redis/use-engine.ts';

const engine = await useEngine();
const budgets = createBudgetStore({ run: createCommands(engine.redis), shards: 1 });

const ACME = 'acme' as TenantId;
const BUDGET = 2_000;

/** How a call ends, and whether it tells what it cost. */
const ENDINGS = [
  {
    outcome: 'completed',
    reports: true,
    billable: true,
    next: { kind: 'completed', result: { role: 'assistant', content: '', finish_reason: 'stop' } },
  },
  {
    outcome: 'completed',
    reports: false,
    billable: true,
    next: { kind: 'completed', result: { role: 'assistant', content: '', finish_reason: 'stop' } },
  },
  {
    outcome: 'rejected',
    reports: true,
    billable: false,
    next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null },
  },
  {
    outcome: 'rejected',
    reports: false,
    billable: false,
    next: { kind: 'failed', code: 'provider_rejected_request', providerStatus: 400, detail: null },
  },
  { outcome: 'unavailable', reports: true, billable: true, next: { kind: 'retry', waitMs: 0 } },
  { outcome: 'unavailable', reports: false, billable: false, next: { kind: 'retry', waitMs: 0 } },
  { outcome: 'timed_out', reports: false, billable: true, next: { kind: 'retry', waitMs: 0 } },
  { outcome: 'unknown', reports: false, billable: true, next: { kind: 'hand_back' } },
  { outcome: 'cancelled', reports: false, billable: true, next: { kind: 'cancelled' } },
  { outcome: 'cancelled', reports: false, billable: false, next: { kind: 'cancelled' } },
] as const;
type Ending = (typeof ENDINGS)[number];

type ModelJob = { estimate: number; reserved: boolean; final: boolean; current: string | null };
type ModelCall = { running: Running; job: ModelJob; state: 'open' | 'unknown' | 'closed' };

/** What the budget must come to, said another way than the scripts say it. */
const createModel = () => {
  const jobs = new Map<JobId, ModelJob>();
  const calls: ModelCall[] = [];
  let used = 0;
  const reserved = (): number => [...jobs.values()].reduce((sum, job) => sum + (job.reserved ? job.estimate : 0), 0);
  const fits = (estimate: number): boolean => used + reserved() + estimate <= BUDGET;
  const finish = (job: ModelJob): void => {
    job.final = true;
    job.reserved = false;
    job.current = null;
  };
  const lose = (job: ModelJob): void => {
    const lost = calls.find(({ running, state }) => running.mark === job.current && state === 'open');
    if (!lost) return;
    lost.state = 'unknown';
    used += job.estimate;
    job.reserved = false;
  };
  return {
    jobs,
    calls,
    fits,
    finish,
    lose,
    state: () => ({ used, reserved: reserved() }),
    /** A call begins: it has a reservation, or gets one. */
    begin: (running: Running): void => {
      const job = jobs.get(running.id);
      if (!job) throw new Error('unknown job');
      if (!job.reserved) expect(fits(job.estimate)).toBe(true);
      job.reserved = true;
      job.current = running.mark;
      calls.push({ running, job, state: 'open' });
    },
    end: (call: ModelCall, { outcome, reports, billable, next }: Ending, cost: number): void => {
      const { job, running } = call;
      if (call.state === 'closed') return;
      const before = call.state;
      const isCurrent = job.current === running.mark;
      const wasRefused = !billable && outcome !== 'cancelled';
      if (before === 'unknown') used += (reports ? cost : wasRefused ? 0 : job.estimate) - job.estimate;
      else if (reports || billable) {
        used += reports ? cost : job.estimate;
        job.reserved = false;
      }
      const lateCancel = !isCurrent && !job.final && outcome === 'cancelled';
      if (!lateCancel) call.state = outcome === 'unknown' ? 'unknown' : 'closed';
      if (job.final) return;
      if (next.kind === 'completed') {
        if (!isCurrent) lose(job);
        finish(job);
      } else if (isCurrent && (next.kind === 'failed' || next.kind === 'cancelled')) finish(job);
      else if (isCurrent) job.current = null;
    },
  };
};

const step = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant('submit' as const) },
    { weight: 6, arbitrary: fc.constant('start' as const) },
    { weight: 6, arbitrary: fc.constant('end' as const) },
    {
      weight: 3,
      arbitrary: fc.constantFrom('cancel' as const, 'expire' as const, 'take over' as const, 'end again' as const),
    },
  ),
  pick: fc.nat(1_000),
  cost: fc.nat(100),
});

test('in whatever order jobs are submitted, run, lost, cancelled and expire, the budget is what a model says, and never passed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 100 }), async (steps) => {
      await engine.empty();
      await engine.setSlots(4);
      await engine.redis.hset(key(TAG, 'TENANT', 'acme'), 'budget:platform', BUDGET);
      const model = createModel();

      /** Takes a hand-off; where it is refused, the model learns why from the record and judges it. */
      const take = async (handoff: string | undefined): Promise<void> => {
        if (handoff === undefined) return;
        engine.handoffs.unshift(handoff);
        const running = await engine.start();
        if (running) return model.begin(running);
        const id = handoff.split('-')[0] as JobId;
        const job = model.jobs.get(id);
        const [status, error] = await engine.redis.hmget(key(TAG, 'JOB', id), 'status', 'error');
        if (!job || job.final || status === 'queued' || status === 'in_progress') return;
        if (error === 'budget_exceeded') expect(job.reserved || model.fits(job.estimate)).toBe(false);
        model.finish(job);
      };
      const takeOver = async ({ running, job }: ModelCall): Promise<void> => {
        const since = await engine.redis.hget(key(TAG, 'INFLIGHT'), running.id);
        if (!since || job.current !== running.mark) return;
        model.lose(job);
        await take(`${running.id}-${since.split(':')[0] ?? ''}`);
      };
      const end = async (call: ModelCall, ending: Ending, share: number): Promise<void> => {
        const cost = Math.floor((call.job.estimate * share) / 100);
        const usage = {
          inputTokens: 1,
          outputTokens: 1,
          cachedInputTokens: 0,
          cacheWriteTokens: 0,
          costNano: cost,
          priceVersion: 'test',
        };
        const became = await engine.end(call.running, {
          outcome: ending.outcome,
          billable: ending.billable,
          usage: ending.reports ? usage : null,
          next: ending.next,
        });
        model.end(call, ending, cost);
        if (became === 'cancelled') model.finish(call.job);
      };

      for (const { kind, pick, cost } of steps) {
        const [id, job] = [...model.jobs][pick % Math.max(model.jobs.size, 1)] ?? [];
        const call = model.calls[pick % Math.max(model.calls.length, 1)];
        const open = model.calls.filter(({ state }) => state === 'open');
        const ending = ENDINGS[pick % ENDINGS.length] ?? ENDINGS[0];
        switch (kind) {
          case 'submit': {
            const estimate = 100 * (1 + (pick % 5));
            const fits = model.fits(estimate);
            const answer = await engine.offer('acme', { cost: { estimateNano: estimate, budgetNano: BUDGET } });
            expect(answer.kind).toBe(fits ? 'accepted' : 'over_budget');
            if (fits) model.jobs.set(answer.id, { estimate, reserved: true, final: false, current: null });
            break;
          }
          case 'start':
            await engine.tick();
            await take(engine.handoffs.shift());
            break;
          case 'end': {
            const running = open[pick % Math.max(open.length, 1)];
            if (running) await end(running, ending, cost);
            break;
          }
          case 'end again':
            if (call) await end(call, ending, cost);
            break;
          case 'take over':
            if (call) await takeOver(call);
            break;
          case 'cancel':
            if (id && job && (await engine.jobs.cancel(ACME, id)).answer === 'cancelled') model.finish(job);
            break;
          case 'expire':
            if (id && job && !job.final) {
              await engine.redis.zadd(key(TAG, 'DEADLINES'), 1, id);
              engine.handoffs.push(...(await engine.scheduler.sweep(0)).handoffs);
              model.lose(job);
              model.finish(job);
            }
        }
        const { used, reserved } = (await budgets.read(ACME)).platform;
        expect({ used, reserved }).toEqual(model.state());
        // Every call costs at most what was estimated.
        expect(used + reserved).toBeLessThanOrEqual(BUDGET);
      }
      expect(await findViolations(engine.redis, TAG)).toEqual([]);
      for (const [id, job] of model.jobs) {
        if (job.final) continue;
        await engine.redis.zadd(key(TAG, 'DEADLINES'), 1, id);
        await engine.scheduler.sweep(0);
      }
      expect((await budgets.read(ACME)).platform.reserved).toBe(0);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false },
  );
}, 60_000);
