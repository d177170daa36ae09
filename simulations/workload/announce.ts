import { AnchormeshError } from '../../src/platform/errors.ts'
import type { RailName } from '../../src/anchoring/anchorer.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { ProcessEnded } from '../nodes/simulated-machine.ts'
import type { Simulation, SimulatedNode } from '../model/simulation.ts'
import type { Workload } from '../scenario/schema.ts'
import { gapUs } from './arrivals.ts'
import { isExpectedRefusal } from './expected-refusals.ts'

type Announces = Extract<Workload, { kind: 'announce' }>

const RAILS: Readonly<Record<string, RailName>> = { btc: 'btc', eip155: 'evm', rfc3161: 'tsa' }

/**
 * Has nodes seal batches and announce them, one node at a time by lot, of those that run. What a node says is published
 * stands in the ledger.
 */
export function startAnnouncing(simulation: Simulation, load: Announces, name: string): void {
  const { scenario, random } = simulation
  const own = random.fork(name)
  const nodes = simulation.select(load.by, `${name}.by`)
  const namespace = load.namespace ?? scenario.namespaces[0] ?? ''
  const turns = new Map<SimulatedNode, number>()
  const next = async (): Promise<void> => {
    const able = nodes.filter(({ state }) => state === 'running')
    const node = able[own.below(able.length)]
    if (node === undefined) return
    const turn = turns.get(node) ?? 0
    turns.set(node, turn + 1)
    // A node that has lost its disk does not know which names it has used; counting goes on all the same.
    const batchId = load.contended ? `${name}-${turn}` : `${name}-${node.name}-${turn}`
    await announce(simulation, node, { namespace, batchId, load })
  }
  const putOn = (atUs: number): void => {
    if (atUs >= load.until) return
    simulation.at(atUs, async () => {
      putOn(atUs + gapUs(load.perSecond, own))
      await next()
    })
  }
  putOn(load.from + gapUs(load.perSecond, own))
}

interface Batch {
  readonly namespace: string
  readonly batchId: string
  readonly load: Announces
}

async function announce(simulation: Simulation, node: SimulatedNode, batch: Batch): Promise<void> {
  const { namespace, batchId, load } = batch
  try {
    const id = await node.ask((running) => publish(running, node.name, batch))
    if (node.isHonest) simulation.ledger.acknowledged(node, id, namespace)
    // It goes on by itself with what it has begun.
    for (const chainId of load.chains)
      await node.ask((running) => running.anchor({ namespace, batchId, ...railOf(chainId) }))
  } catch (error) {
    if (error instanceof ProcessEnded) return
    if (error instanceof AnchormeshError && isExpectedRefusal(error, simulation, load)) return
    throw error
  }
}

/** The receipts differ from node to node, and so does the root that each would have for the batch. */
async function publish(node: AnchormeshNode, by: string, { namespace, batchId, load }: Batch): Promise<string> {
  await node.seal({
    namespace,
    batchId,
    receipts: Array.from({ length: load.receipts }, (_, receipt) => ({ by, batchId, receipt }))
  })
  const { id } = await node.announce({ namespace, batchId, timestampAnchors: [] })
  return id
}

function railOf(chainId: string): { readonly rail: RailName; readonly chainId: string } {
  const rail = RAILS[chainId.split(':')[0] ?? '']
  if (rail === undefined) throw new Error(`${chainId} is on no rail`)
  return { rail, chainId }
}
