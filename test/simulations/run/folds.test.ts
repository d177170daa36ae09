import { expect, test } from 'vitest'
import { loadScenario, settingOf } from '../../../simulations/run/load.ts'
import { jobOf, spawnRuns } from '../../../simulations/run/spawn-runs.ts'
import { newFolder } from '../../support/cli.ts'
import { TINY, written } from '../cli/tiny.ts'

/** Finds every fold to be wrong. */
const NO_FOLDS = `export const simulation = {
  checks: [{ name: 'no-folds', onFold: (simulation) => simulation.fail({ check: 'no-folds', detail: 'a fold' }) }]
}
`

test('without a word of it logs are folded under faults, too', async () => {
  const folder = newFolder()
  const settings = ['faults.0.at=44s', 'faults.0.for=3s', 'faultsEnd=50s'].map(settingOf)
  const loaded = await loadScenario(written(folder, 'tiny.yaml', TINY), settings)
  const extensions = [`file://${written(folder, 'no-folds.mjs', NO_FOLDS)}`]
  const times: number[] = []
  for await (const { end } of spawnRuns([jobOf(loaded, '1', { extensions })], { parallel: 1 }))
    if (end.kind === 'done') times.push(...end.failures.map(({ atMs }) => atMs))
  expect(times).toEqual([45_000, expect.any(Number)])
})
