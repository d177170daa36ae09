import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Selection } from '../scenario/schema.ts'
import type { SimulatedNode } from '../model/simulation.ts'

/** Who is meant by the selections of a scenario; what is drawn is drawn once for each name. */
export function selectionsOf<Node extends Pick<SimulatedNode, 'index' | 'orgId'>>(
  nodes: readonly Node[],
  random: SeededRandom
): (selection: Selection, name: string) => readonly Node[] {
  const organisations = [...new Set(nodes.map(({ orgId }) => orgId))]
  const draw = (count: number, name: string): readonly Node[] => {
    const own = random.fork(name)
    const left = [...nodes]
    const drawn = Array.from({ length: Math.min(count, nodes.length) }, () => left.splice(own.below(left.length), 1))
    return drawn.flat().sort((one, other) => one.index - other.index)
  }
  return (selection, name) => {
    if (selection === 'all') return nodes
    if ('nodes' in selection) return nodes.filter(({ index }) => selection.nodes.includes(index))
    if ('organisations' in selection)
      return nodes.filter(({ orgId }) => selection.organisations.includes(organisations.indexOf(orgId)))
    return draw('count' in selection ? selection.count : Math.round(selection.share * nodes.length), name)
  }
}
