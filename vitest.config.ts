import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process for each file: libtensorflow is loaded once per process, and its options hold for the process.
    pool: 'forks',
    maxWorkers: 2,
    // Only to end what hangs: a machine that is busy with other things may be ten times slower.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
