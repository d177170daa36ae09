import type { SimulatedNode, Simulation } from '../model/simulation.ts'

const NOBODY: ReadonlySet<number> = new Set()

type Seen = {
  readonly nodes: readonly Pick<SimulatedNode, 'state' | 'address'>[]
  readonly net: Pick<Simulation['net'], 'isCut'>
}

/**
 * The nodes that nothing from `origin` can reach now, by whatever way: they are off, or `full` and so take nothing, or
 * every way there is cut or has not been connected again. `peers`: of each node those that it is connected with.
 */
export function unreachableFrom(
  origin: number,
  { nodes, net }: Seen,
  peers: readonly ReadonlySet<number>[],
  full: ReadonlySet<number>
): ReadonlySet<number> {
  const reached = new Set([origin])
  for (const node of reached) {
    for (const peer of peers[node] ?? []) {
      const [from, to] = [nodes[node], nodes[peer]]
      if (reached.has(peer) || full.has(peer) || from === undefined || to?.state !== 'running') continue
      if (!net.isCut(from.address, to.address)) reached.add(peer)
    }
  }
  if (reached.size === nodes.length) return NOBODY
  return new Set([...nodes.keys()].filter((node) => !reached.has(node)))
}
