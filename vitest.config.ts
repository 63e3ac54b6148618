import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/redis/container-redis.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Files mostly wait, for a lock or a limit to run out: one takes less than half a core, its
    // gateways' processes included.
    // Many more than cores would make their deadlines lie.
    maxWorkers: 3,
    // Those of a file that say they are concurrent wait side by side.
    maxConcurrency: 6,
  },
});
