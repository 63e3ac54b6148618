import { expect, test } from 'vitest';
import { runChaos } from './run.ts';

const SEED = 1;
const MINUTES = 0.4;

test('a short run of `npm run chaos`: killed and stopped processes, a broken network and wrong clocks, and nothing is lost, doubled, foreign or leaked', {
  timeout: 240_000,
}, async ({ annotate }) => {
  const { violations, faults, jobs } = await runChaos({ seed: SEED, minutes: MINUTES, say: () => {} });
  await annotate(`${jobs} jobs, ${faults.length} faults: ${faults.map(({ what }) => what).join(', ')}`);
  expect(faults.length).toBeGreaterThan(3);
  expect(violations).toEqual([]);
});
