import { expect, test } from 'vitest';
import { batchStatusOf, toBatch } from '../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../shared/domain/batches/states.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';
import type { NewLine } from '../../../shared/storage/batches/batch-staging.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { createEngine } from '../../support/redis/engine.ts';
import { until } from '../../support/until.ts';

/** `BATCH_LINES=20000 BATCH_KILLS=5 vitest run test/flow/batches/batches.test.ts` is the whole of it. */
const LINES = Number(process.env.BATCH_LINES ?? 500);
const KILLS = Number(process.env.BATCH_KILLS ?? 2);
const FAILING = 0.03;
const LIMIT_MS = 60_000 + LINES * 20;

const acme = 'acme' as TenantId;

/** Every thirty-third line is refused by its provider. */
const isFailing = (line: number): boolean => Math.floor(line * FAILING) > Math.floor((line - 1) * FAILING);

const lines = Array.from({ length: LINES }, (_, index): NewLine => {
  const content = `line ${index + 1}. sandbox:delay=50${isFailing(index + 1) ? ' status=400' : ''}`;
  return {
    customId: `c-${index + 1}`,
    request: {
      model: index % 2 === 0 ? 'amazon.nova-lite-v1:0' : 'amazon.nova-pro-v1:0',
      messages: [{ role: 'user', content }],
    },
    metadata: {},
    timeoutMs: 30_000,
    tokens: 100,
    estimateNano: null,
  };
});

test(
  `of ${LINES} lines, 3 % of which fail, each has exactly one outcome and all sums are right, although ${KILLS} workers and Redis are killed meanwhile`,
  async ({ annotate }) => {
    await withGateway({ workers: 2, env: { WORKER_CONCURRENCY: '20' }, sandbox: {} }, async (gateway) => {
      const engine = createEngine(gateway.redis.url);
      engine.redis.on('error', () => {});
      try {
        const id = await engine.batch('acme', lines);
        const read = async () => {
          const view = await engine.batches.read(acme, id, { watcher: null });
          if (!view) throw new Error('the batch is gone');
          return { batch: toBatch(view), isFinal: isFinalBatch(batchStatusOf(view)) };
        };
        const finishedAtLeast = (count: number) =>
          until(
            `${count} lines are final`,
            async () => {
              const { total, queued, in_progress } = (await read()).batch.request_counts;
              return total - queued - in_progress >= count;
            },
            { withinMs: LIMIT_MS },
          );

        const startedMs = performance.now();
        for (let kill = 1; kill <= KILLS; kill++) {
          await finishedAtLeast((LINES * kill) / (KILLS + 2));
          await gateway.addWorker();
          gateway.workers[kill - 1]?.signal('SIGKILL');
        }
        await finishedAtLeast((LINES * (KILLS + 1)) / (KILLS + 2));
        await gateway.redis.kill();
        await gateway.redis.restart();
        await until('the batch is final', async () => (await read()).isFinal, { withinMs: LIMIT_MS, everyMs: 100 });
        await annotate(`${LINES} lines final after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);

        const { batch } = await read();
        const failing = lines.filter((_, index) => isFailing(index + 1)).length;
        expect(batch).toMatchObject({
          status: 'completed',
          request_counts: { total: LINES, completed: LINES - failing, failed: failing, queued: 0, in_progress: 0 },
        });
        const outcomes = [];
        for await (const page of engine.batches.outcomes(acme, id)) outcomes.push(...page);
        expect(new Set(outcomes.map(({ customId }) => customId)).size).toBe(LINES);
        expect(outcomes).toHaveLength(LINES);
        for (const { customId, status, result } of outcomes) {
          const fails = isFailing(Number(customId.slice(2)));
          expect({ customId, status }).toEqual({ customId, status: fails ? 'failed' : 'completed' });
          expect(result === null).toBe(fails);
        }
      } finally {
        engine.stop();
      }
    });
  },
  LIMIT_MS + 120_000,
);
