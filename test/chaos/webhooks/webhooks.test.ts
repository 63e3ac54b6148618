import { expect, test } from 'vitest';
import { runWebhookChaos } from './run.ts';

test('a short run of `npm run chaos:webhooks`: every event arrives or ends as a failed delivery, all verify, none is invented', {
  timeout: 120_000,
}, async ({ annotate }) => {
  const plan = { seed: 1, jobs: 300, jobsASecond: 100, workerKills: 1, redisKills: 1 };
  const { violations, requests, duplicates, delivered, failed } = await runWebhookChaos(plan, () => {});
  await annotate(`${requests} requests, ${duplicates} duplicates, ${delivered} delivered, ${failed} failed`);
  expect(violations).toEqual([]);
  expect(delivered + failed).toBe(300);
  expect(requests).toBeGreaterThan(350);
});
