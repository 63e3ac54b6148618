import { defineConfig } from 'vitest/config';

/** The tests that run in their own process: in others a mutant would not be alive. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    include: [
      'test/shared/crypto/*.test.ts',
      'test/shared/{ids,platform-keys,user-key,webhook-signature}.test.ts',
      'test/api/{authenticator,scopes}.test.ts',
    ],
  },
});
