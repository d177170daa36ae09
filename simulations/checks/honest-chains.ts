import type { Check, Simulation } from '../model/simulation.ts'
import { honestNodes, projectionNamed, rowsOn, storeOn } from './held.ts'

const NAME = 'no-honest-equivocation'

/**
 * No honest node signs two events at one position, whatever happens to it: after a crash it knows what it has signed. One
 * that has lost its disk can't know of what nobody else has seen yet, and is left out. What others sign with its key once
 * they have stolen it is not its own.
 */
export function noHonestEquivocation(): Check {
  const stores = new Map<string, string>()
  const hasLostDisk = new Set<string>()
  const watch = async (simulation: Simulation): Promise<void> => {
    for (const node of honestNodes(simulation)) {
      const store = await storeOn(node)
      const before = stores.get(node.name)
      if (before !== undefined && store !== before) hasLostDisk.add(node.name)
      if (store !== null) stores.set(node.name, store)
    }
  }
  return {
    name: NAME,
    onSample: watch,
    async onEnd(simulation) {
      await watch(simulation)
      const nodes = honestNodes(simulation)
      const owners = new Map(nodes.map((node) => [node.signer.did, node.name]))
      const reported = new Set<string>()
      for (const node of nodes) {
        const { rows } = await rowsOn(node, projectionNamed('equivocations'))
        for (const [key, { signer, namespace, authorSeq, events, count }] of rows) {
          const owner = owners.get(signer as string)
          if (owner === undefined || hasLostDisk.has(owner) || reported.has(key)) continue
          const ofThieves = (events as string[]).filter((id) => simulation.ledger.forbiddenEvents.has(id)).length
          if ((count as number) - ofThieves < 2) continue
          reported.add(key)
          const detail = `it has signed two events at position ${authorSeq as number} of ${namespace as string}`
          simulation.fail({ check: NAME, node: owner, detail })
        }
      }
    }
  }
}
