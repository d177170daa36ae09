import { expect, test } from 'vitest'
import { runTwice } from '../../simulations/run/compare.ts'
import { seedsOf } from '../../simulations/run/spawn-runs.ts'
import { claimedJobs, whatIsWrong } from './claims/claimed-runs.ts'

/**
 * Seeds 1 to 200, each at one of both levels, as a run at level `gossip` takes two thirds of the time. Of each level ten
 * seeds are run twice.
 */
const LEVELS = [
  { level: 'full', twice: seedsOf('1', 10), once: tensFrom(11, 20) },
  { level: 'gossip', twice: seedsOf('31', 10), once: tensFrom(41, 160) }
] as const

for (const { level, twice, once } of LEVELS) {
  const settings = [`level=${level}`]

  test.for(once)(`nothing is wrong with ten runs of mixed faults at level ${level} from seed %s on`, async (first) => {
    expect(await whatIsWrong(await claimedJobs('mixed-faults', seedsOf(first, 10), settings))).toEqual({})
  })

  test.for(twice)(`the run of seed %s at level ${level} comes out the same in another process`, async (seed) => {
    for (const job of await claimedJobs('mixed-faults', [seed], settings))
      expect(await runTwice(job)).toMatchObject({ kind: 'same', end: { failures: [] } })
  })
}

function tensFrom(first: number, count: number): readonly string[] {
  return Array.from({ length: count / 10 }, (_, index) => String(first + 10 * index))
}
