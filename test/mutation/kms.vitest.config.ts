import { defineConfig } from 'vitest/config';

/** By themselves, because they wait for sockets: a module's change whose reach is not known runs all tests. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    include: [
      'test/contracts/kms.test.ts',
      'test/contracts/aws-credentials.test.ts',
      'test/contracts/certificates.test.ts',
    ],
  },
});
