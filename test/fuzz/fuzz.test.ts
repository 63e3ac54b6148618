import { expect, test } from 'vitest';
import { withGateway } from '../support/processes/with-gateway.ts';
import { FUZZED } from './gateway.ts';
import { runFuzz } from './run.ts';

test('5,000 drawn requests find no 5xx, no answer that is not in the document, and no secret in any', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  await withGateway(FUZZED, async (gateway) => {
    const { sent, answers, findings } = await runFuzz(gateway, { requests: 5_000, seed });
    expect(findings, `seed ${seed}`).toEqual([]);
    expect(sent).toBe(5_000);
    // Enough of both: what is taken, and what is refused.
    for (const status of ['200', '202', '400', '401', '404', '400 to bytes', '401 to bytes']) {
      expect(answers.get(status) ?? 0, `answers of ${status} with seed ${seed}`).toBeGreaterThan(10);
    }
  });
}, 120_000);

test('without Redis every drawn request is refused or told 503 in our form, in time and without a secret, and afterwards all is well', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  await withGateway(FUZZED, async (gateway) => {
    const { redis } = gateway;
    // Ids to ask for.
    for (const text of ['one', 'two', 'three']) await gateway.submit(text);
    const absences = [
      { leave: redis.kill, comeBack: redis.restart, requests: 600 },
      { leave: async () => redis.signal('SIGSTOP'), comeBack: async () => redis.signal('SIGCONT'), requests: 200 },
    ];
    for (const { leave, comeBack, requests } of absences) {
      await leave();
      const { answers, findings } = await runFuzz(gateway, { requests, seed, isRedisAway: true });
      await comeBack();
      expect(findings, `seed ${seed}`).toEqual([]);
      for (const status of ['400', '503']) {
        expect(answers.get(status) ?? 0, `answers of ${status} with seed ${seed}`).toBeGreaterThan(requests / 50);
      }
    }
  });
}, 120_000);
