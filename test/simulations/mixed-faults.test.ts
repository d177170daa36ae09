import { expect, test } from 'vitest'
import { seedsOf } from '../../simulations/run/spawn-runs.ts'
import { claimedJobs, whatIsWrong } from './claims/claimed-runs.ts'

// The long suite runs the same seeds at level `full`.
const SETTINGS = ['level=gossip']

test('nothing is wrong with ten runs of mixed faults', { timeout: 600_000 }, async () => {
  expect(await whatIsWrong(await claimedJobs('mixed-faults', seedsOf('1', 10), SETTINGS))).toEqual({})
})
