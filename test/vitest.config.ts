import { defineConfig } from 'vitest/config'

/** `.ci/run` names a file here and reads the counts of the run from it. */
const report = process.env['ANCHORMESH_TEST_REPORT']

/** How many times as many cases of each property are tried, to look for what a usual run finds only by chance. */
const propertyRuns = Number(process.env['ANCHORMESH_PROPERTY_RUNS'] ?? 1)
const cases = `${import.meta.dirname}/support/cases/fast-check.ts`

/**
 * Two runs: `normal` (`npm test`, at most 10 minutes) and `long` (`npm run test:long`), which holds the full counts of
 * kills, seeds and cases in files of their own, `*.long.ts`.
 */
export default defineConfig({
  plugins: [
    {
      name: 'the same cases of each property in every run',
      enforce: 'pre',
      resolveId: (id, importer) => (id === 'fast-check' && importer !== cases ? cases : null)
    }
  ],
  test: {
    root: `${import.meta.dirname}/..`,
    // Tests start node processes and native stores: a process per file keeps what one leaves from another.
    pool: 'forks',
    // The machines that this must pass on have two cores, and many tests start further processes.
    maxWorkers: 2,
    // Hundreds of commands are started; most of what each takes is compiling the same sources.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/../node_modules/.cache/compiled` },
    // The slowest tests start a dozen node processes, each some seconds on a busy machine, or go on until a property has
    // had cases of every kind; these bounds only end a hang, and are longer than any wait within a test, which says what
    // it waited for.
    testTimeout: 180_000 * propertyRuns,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      { extends: true, test: { name: 'normal', include: ['test/**/*.test.ts'] } },
      // A long test runs through thousands of cases or hundreds of kills: minutes, not seconds.
      { extends: true, test: { name: 'long', include: ['test/**/*.long.ts'], testTimeout: 1_200_000 * propertyRuns } }
    ]
  }
})
