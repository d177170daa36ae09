import { expect, test } from 'vitest'
import { runTwice } from '../../simulations/run/compare.ts'
import { seedsOf } from '../../simulations/run/spawn-runs.ts'
import { claimedJobs, whatIsWrong } from './claims/claimed-runs.ts'

const TENS = Array.from({ length: 3 }, (_, index) => String(1 + 10 * index))

// `simulate mixed-faults --runs 200` makes more where there is time.
test.for(TENS)('nothing is wrong with ten runs of mixed faults from seed %s on', async (first) => {
  expect(await whatIsWrong(await claimedJobs('mixed-faults', seedsOf(first, 10)))).toEqual({})
})

test.for(seedsOf('1', 10))('the run of seed %s comes out the same in another process', async (seed) => {
  for (const job of await claimedJobs('mixed-faults', [seed]))
    expect(await runTwice(job)).toMatchObject({ kind: 'same', end: { failures: [] } })
})
