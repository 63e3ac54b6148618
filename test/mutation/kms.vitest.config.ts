import { defineConfig } from 'vitest/config';

/** By itself, because it waits for sockets: a module's change whose reach is not known runs all tests. */
export default defineConfig({ test: { testTimeout: 30_000, include: ['test/contracts/kms.test.ts'] } });
