import { expect, test } from 'vitest'
import { loadScenario } from '../../../simulations/run/load.ts'
import { jobOf, spawnRuns } from '../../../simulations/run/spawn-runs.ts'
import { newFolder } from '../../support/cli.ts'
import { written } from '../cli/tiny.ts'

// No dial waits for as long as a message takes here.
const OUT_OF_REACH = `v: 1
name: out-of-reach
asks: Is it said that nobody finds anybody?
level: gossip
nodes: 2
topology: { kind: full }
link: { latency: { constantMs: 120000 } }
faultsEnd: 1s
convergeWithin: 1s
convergence: measured
`

test('a run whose nodes do not find each other before it begins has failed, and says who', async () => {
  const loaded = await loadScenario(written(newFolder(), 'out-of-reach.yaml', OUT_OF_REACH))
  const ends = []
  for await (const { end } of spawnRuns([jobOf(loaded, '1', {})], { parallel: 1 })) ends.push(end)
  expect(ends).toMatchObject([
    {
      kind: 'done',
      failures: [{ check: 'mesh-stands', detail: expect.stringContaining('n0 with 0 of 1 neighbours') as unknown }]
    }
  ])
})
