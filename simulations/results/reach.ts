import type { SimulatedNode, Simulation } from '../model/simulation.ts'

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
): readonly number[] {
  const reached = new Set([origin])
  for (const node of reached) {
    for (const peer of peers[node] ?? []) {
      const [from, to] = [nodes[node], nodes[peer]]
      if (reached.has(peer) || full.has(peer) || from === undefined || to?.state !== 'running') continue
      if (!net.isCut(from.address, to.address)) reached.add(peer)
    }
  }
  return [...nodes.keys()].filter((node) => !reached.has(node))
}

/** Sets of nodes of which those with equal members are one: thousands of events come while the same nodes are away. */
export class SharedSets {
  readonly #max: number
  /** By their members; the one that was asked for last stands last. */
  readonly #sets = new Map<string, ReadonlySet<number>>()

  /** At most so many are remembered; a set that comes after it was forgotten is made anew. */
  constructor(max: number) {
    this.#max = max
  }

  share(members: readonly number[]): ReadonlySet<number> {
    const key = members.join()
    const shared = this.#sets.get(key) ?? new Set(members)
    this.#sets.delete(key)
    this.#sets.set(key, shared)
    const [oldest] = this.#sets.keys()
    if (this.#sets.size > this.#max && oldest !== undefined) this.#sets.delete(oldest)
    return shared
  }
}
