import type { Simulation, SimulatedNode } from '../model/simulation.ts'
import type { Fault } from '../scenario/schema.ts'

type Node = Pick<SimulatedNode, 'index' | 'orgId' | 'address' | 'name'>
type PartitionGroups = Extract<Fault, { kind: 'partition' }>['groups']

/** Who can reach each other in a partition; in the `turn`-th part of it, where nodes are cut off in turn. */
export function groupsOf(
  groups: PartitionGroups,
  { nodes, random, select }: Pick<Simulation, 'nodes' | 'random' | 'select'>,
  name: string,
  turn: number
): readonly (readonly Node[])[] {
  if (groups === 'halves') return dealt(nodes, [0.5, 0.5], random.fork(name))
  if ('shares' in groups) return dealt(nodes, groups.shares, random.fork(name))
  if ('organisations' in groups) return byOrganisation(nodes, groups.organisations)
  if ('isolate' in groups) return apart(nodes, select(groups.isolate, name))
  const next = select(groups.rolling, name)[turn]
  return apart(nodes, next === undefined ? [] : [next])
}

/** Whether a message from one address to another would have to cross from group to group. */
export function crosses(groups: readonly (readonly Node[])[]): (from: string, to: string) => boolean {
  const groupOf = new Map(groups.flatMap((group, index) => group.map(({ address }) => [address, index] as const)))
  return (from, to) => groupOf.get(from) !== groupOf.get(to)
}

function apart(nodes: readonly Node[], some: readonly Node[]): readonly (readonly Node[])[] {
  const chosen = new Set(some.map(({ index }) => index))
  return [some, nodes.filter(({ index }) => !chosen.has(index))]
}

function dealt(
  nodes: readonly Node[],
  shares: readonly number[],
  random: Pick<Simulation['random'], 'below'>
): readonly (readonly Node[])[] {
  const left = [...nodes]
  const inLot = nodes.flatMap(() => left.splice(random.below(left.length), 1))
  let sum = 0
  return shares.map((share) => {
    const from = Math.round(sum * nodes.length)
    sum += share
    return inLot.slice(from, Math.round(sum * nodes.length)).sort((one, other) => one.index - other.index)
  })
}

function byOrganisation(nodes: readonly Node[], groups: readonly (readonly number[])[]): readonly (readonly Node[])[] {
  const organisations = [...new Set(nodes.map(({ orgId }) => orgId))]
  const rest = organisations.flatMap((_, number) => (groups.some((group) => group.includes(number)) ? [] : [number]))
  return [...groups, rest]
    .map((group) => nodes.filter(({ orgId }) => group.includes(organisations.indexOf(orgId))))
    .filter((group) => group.length > 0)
}
