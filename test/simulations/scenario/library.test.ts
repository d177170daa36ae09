import { describe, expect, test } from 'vitest'
import { occurrencesOf } from '../../../simulations/faults/occurrences.ts'
import { loadScenario, scenarioNames } from '../../../simulations/run/load.ts'
import { parseScenario } from '../../../simulations/scenario/parse.ts'
import { scenarioText } from '../../../simulations/scenario/written.ts'

const names = await scenarioNames()

/** What the simulator has to be able to ask. */
const ASKED = [
  'split-brain',
  'long-partition',
  'revocation-in-partition',
  'quorum-across-partition',
  'late-publish',
  'flapping-link',
  'sybil-flood',
  'crash-loop',
  'cold-start',
  'new-organisation',
  'mixed-faults',
  'gossip-baseline'
]

test('there are scenarios for all that is asked', () => {
  expect(names.length).toBeGreaterThanOrEqual(15)
  expect(names).toEqual(expect.arrayContaining(ASKED))
})

describe.each(names)('%s', (name) => {
  test('is named as its file, and asks a question in one sentence', async () => {
    const { scenario } = await loadScenario(name)
    expect(scenario.name).toBe(name)
    expect(scenario.asks).toMatch(/^[A-Z].*\?(?: \(.*\))?$/)
  })

  test('can be saved without what defaults say, and means the same', async () => {
    const { scenario } = await loadScenario(name)
    const text = scenarioText(scenario, 'Saved.')
    const parsed = parseScenario(text, 'saved.yaml')
    expect(parsed).toMatchObject({ ok: true, scenario })
    expect(text).not.toContain('checkpoint')
    expect(text.length).toBeLessThan(3_000)
  })
})

test('mixed faults are folded afresh while most of them are under way', async () => {
  const { scenario } = await loadScenario('mixed-faults')
  const { foldEvery, faultsEnd } = scenario
  const spans = scenario.faults.flatMap((fault) => occurrencesOf(fault, faultsEnd))
  const underWay = spans.filter(({ atUs, untilUs }) => atUs < foldEvery && foldEvery < (untilUs ?? 0))
  expect(underWay.length).toBeGreaterThanOrEqual(5)
})

test('what is neither a file nor a name is said with the name that was perhaps meant', async () => {
  await expect(loadScenario('split-brian')).rejects.toMatchObject({ code: 'USAGE', hint: 'Did you mean split-brain?' })
  await expect(loadScenario('./nowhere.yaml')).rejects.toMatchObject({ code: 'USAGE' })
})
