import { expect, test } from 'vitest'
import { startByzantine } from '../../../simulations/byzantine/start-byzantine.ts'
import { summarise } from '../../../simulations/results/run-summary.ts'
import { FakeSimulation } from '../faults/fake-simulation.ts'
import { FakeRun } from '../results/fake-run.ts'

const SCENARIO = `v: 1
name: x
asks: What?
nodes: 3
byzantine: [{ kind: withhold, nodes: { nodes: [1, 2] }, at: 3s, until: 9s }]
faultsEnd: 10s
convergeWithin: 10s
`

test('what Byzantine nodes do stands among the faults of the summary, with its times', async () => {
  const fake = new FakeSimulation(SCENARIO)
  startByzantine(fake.simulation)
  await fake.runTo(20)
  const run = new FakeRun('1', 3)
  run.at(0).record('started', null)
  for (const { kind, node, atUs, fields } of fake.traced)
    run.at(atUs / 1_000_000).record(kind, node === null ? null : Number(node.slice(1)), fields)
  const { record, trace } = run.at(20).finish()
  expect(summarise(record, trace).faults).toEqual(
    [1, 2].map((node) => ({ fault: 'withhold', from_s: 3, until_s: 9, groups: [], nodes: [node] }))
  )
})
