import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/redis/container-redis.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Most tests start processes of their own: more files at once than cores would only make their deadlines lie.
    maxWorkers: 2,
    // Those of a file that say they are concurrent wait side by side.
    maxConcurrency: 6,
  },
});
