import { defineConfig } from 'vitest/config';

/** The tests that run in their own process: in others a mutant would not be alive. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    include: [
      'test/unit/keys/*.test.ts',
      'test/unit/domain/ids.test.ts',
      'test/unit/access/scopes.test.ts',
      'test/redis/authenticator.test.ts',
    ],
  },
});
