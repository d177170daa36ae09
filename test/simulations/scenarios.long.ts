import { expect, test } from 'vitest'
import { scenarioNames } from '../../simulations/run/load.ts'
import { CLAIMS } from './claims/claims.ts'
import { claimedJobs, whatIsWrong } from './claims/claimed-runs.ts'

/** Those that are too large for here, made smaller. */
const SMALLER: Readonly<Record<string, readonly string[]>> = {
  'long-partition': ['workload.0.events=2000'],
  'uneven-partition': ['nodes=40']
}

const names = (await scenarioNames()).filter((name) => name !== 'mixed-faults')

test('of every scenario it is said what it has to show', async () => {
  expect(Object.keys(CLAIMS).sort()).toEqual(await scenarioNames())
})

test.for(names)('%s shows what it asks about, and nothing is wrong', async (name) => {
  expect(await whatIsWrong(await claimedJobs(name, ['1'], SMALLER[name]))).toEqual({})
})
