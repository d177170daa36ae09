import { envelopeAfter, forge } from '../../../simulations/byzantine/forged-events.ts'
import { tablesOf } from '../../../simulations/checks/tables.ts'
import { world } from '../../../simulations/world/world.ts'
import { tell } from './stage.ts'

await tell({ nodes: 2 }, {}, async ({ nodes, pass, until, announce }) => {
  const [first, second] = nodes
  if (first === undefined || second === undefined) return null
  await pass(10)
  await announce(0, 'of-a-batch')
  // Something waits for what was before it: the tables of one peer are there for as long as it does.
  const nowhere = { id: 'ab'.repeat(32), authorSeq: 7, ts: Math.floor(world.time.nowUs / 1_000) }
  const loose = await forge(first.signer, envelopeAfter(first.signer, 'sim:main', nowhere, nowhere.ts, {}))
  await until(() => first.ask(async () => await first.network?.publish('sim:main', loose.wire)))
  await pass(2)
  const { node } = second
  if (node === null) return null
  const { tables, areAll } = tablesOf(node)
  return { names: [...new Set(tables.map(({ name }) => name))].sort(), areAll }
})
