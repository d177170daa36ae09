import { describe, expect, test } from 'vitest'
import { PLANTED_BUGS } from '../../../simulations/planted-bugs/bugs.ts'
import { hunt, runClean } from '../../../simulations/planted-bugs/hunt.ts'

const MINUTES = 60_000

/** One for each way of being found; `simulations/planted-bugs/run.ts` looks for all. */
const SAMPLE = ['skip-fsync', 'age-check-on-sync', 'forks-rejected', 'unchained-packs']

const SEEDS = Array.from({ length: 20 }, (_, index) => String(index + 1))

describe('a sample of the planted bugs', () => {
  test.for(SAMPLE)('%s is found, by the check that looks for it', { timeout: 30 * MINUTES }, async (name) => {
    const bug = PLANTED_BUGS.find((one) => one.name === name)
    if (bug === undefined) throw new Error(`there is no planted bug ${name}`)
    const { found } = await hunt(bug, SEEDS)
    expect(found?.failures.map(({ check }) => check)).toContain(bug.check)
  })

  const scenarios = [...new Set(PLANTED_BUGS.map(({ scenario }) => scenario))]
  test.for(scenarios)('without a bug nothing fails in %s', { timeout: 10 * MINUTES }, async (scenario) => {
    expect(await runClean(scenario, ['1'])).toEqual([])
  })
})
