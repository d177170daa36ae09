import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Topology } from '../scenario/schema.ts'
import { isNode, readCsv } from './csv.ts'
import type { CsvResult } from './csv.ts'

/** Whom each node has an address of, by numbers. Two that are connected once need only one that dials. */
export type Dials = readonly (readonly number[])[]

/**
 * Who can dial whom. Everyone reaches everyone, by way of others; of two that know each other the seed decides who
 * dials.
 * @param organisations the number of each node's organisation
 */
export function dialsOf(
  topology: Exclude<Topology, { readonly kind: 'file' }>,
  organisations: readonly number[],
  random: SeededRandom
): Dials {
  const graph = new Graph(organisations.length, random)
  const nodes = [...organisations.keys()]
  switch (topology.kind) {
    case 'full':
      joinAll(graph, nodes)
      break
    case 'ring':
      joinRing(graph, nodes)
      break
    case 'star':
      for (const node of nodes.slice(1)) graph.join(node, 0)
      break
    case 'random':
      joinAtRandom(graph, nodes, topology.degree)
      break
    case 'organisations':
      joinOrganisations(graph, organisations, topology.bridges)
  }
  return graph.dials()
}

/** Who can dial whom, as a file has it: the columns `from,to`, by numbers of nodes. */
export function parseDials(text: string, nodes: number): CsvResult<Dials> {
  const read = readCsv(text, { required: ['from', 'to'] })
  if (!read.ok) return read
  const dials = Array.from({ length: nodes }, () => new Set<number>())
  for (const { line, from, to } of read.value) {
    if (!isNode(from, nodes) || !isNode(to, nodes))
      return { ok: false, line, problem: `nodes are numbered from 0 to ${nodes - 1}` }
    if (from === to) return { ok: false, line, problem: 'a node does not dial itself' }
    dials[from]?.add(to)
  }
  return { ok: true, value: dials.map((known) => [...known]) }
}

/** A graph without loops and double edges. */
class Graph {
  readonly #random: SeededRandom
  readonly #neighbours: readonly Set<number>[]
  readonly #dials: readonly number[][]

  constructor(nodes: number, random: SeededRandom) {
    this.#random = random
    this.#neighbours = Array.from({ length: nodes }, () => new Set<number>())
    this.#dials = Array.from({ length: nodes }, () => [])
  }

  degree(node: number): number {
    return this.#neighbours[node]?.size ?? 0
  }

  /** Whether they were not joined yet. */
  canJoin(node: number, other: number): boolean {
    return node !== other && this.#neighbours[node]?.has(other) === false
  }

  join(node: number, other: number): void {
    if (!this.canJoin(node, other)) return
    this.#neighbours[node]?.add(other)
    this.#neighbours[other]?.add(node)
    const [from, to] = this.#random.below(2) === 0 ? [node, other] : [other, node]
    this.#dials[from]?.push(to)
  }

  dials(): Dials {
    return this.#dials
  }

  below(limit: number): number {
    return this.#random.below(limit)
  }

  shuffled(nodes: readonly number[]): number[] {
    const order = [...nodes]
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = this.#random.below(last + 1)
      const moved = order[last] ?? 0
      order[last] = order[other] ?? 0
      order[other] = moved
    }
    return order
  }
}

function joinAll(graph: Graph, nodes: readonly number[]): void {
  for (const [place, node] of nodes.entries()) for (const other of nodes.slice(place + 1)) graph.join(node, other)
}

function joinRing(graph: Graph, nodes: readonly number[]): void {
  for (const [place, node] of nodes.entries()) graph.join(node, nodes[(place + 1) % nodes.length] ?? node)
}

/** At least `degree` neighbours each and hardly more: a ring, and what is missing. Of degree 1: a tree. */
function joinAtRandom(graph: Graph, nodes: readonly number[], degree: number): void {
  if (degree >= nodes.length - 1) return joinAll(graph, nodes)
  const order = graph.shuffled(nodes)
  if (degree === 1) {
    for (const [place, node] of order.entries()) if (place > 0) graph.join(node, order[graph.below(place)] ?? node)
    return
  }
  joinRing(graph, order)
  const isMissing = (node: number): boolean => graph.degree(node) < degree
  for (let wanting = order; wanting.length > 0; wanting = wanting.filter(isMissing)) {
    for (const node of graph.shuffled(wanting)) {
      if (!isMissing(node)) continue
      const free = wanting.filter((other) => isMissing(other) && graph.canJoin(node, other))
      // Those that are left know each other already: one more for somebody else.
      const others = free.length > 0 ? free : order.filter((other) => graph.canJoin(node, other))
      graph.join(node, others[graph.below(others.length)] ?? node)
    }
  }
}

/** Within each organisation all know each other; bridges lead on to the next organisation, and to any other. */
function joinOrganisations(graph: Graph, organisations: readonly number[], bridges: number): void {
  const members = new Map<number, number[]>()
  for (const [node, organisation] of organisations.entries())
    members.set(organisation, [...(members.get(organisation) ?? []), node])
  const all = [...members.values()]
  for (const nodes of all) joinAll(graph, nodes)
  const oneOf = (nodes: readonly number[]): number => nodes[graph.below(nodes.length)] ?? 0
  const circle = graph.shuffled([...all.keys()]).map((place) => all[place] ?? [])
  for (const [place, nodes] of circle.entries()) {
    if (circle.length === 1) return
    graph.join(oneOf(nodes), oneOf(circle[(place + 1) % circle.length] ?? nodes))
    const others = circle.filter((other) => other !== nodes)
    for (let bridge = 1; bridge < bridges; bridge += 1) graph.join(oneOf(nodes), oneOf(oneOfList(others, graph)))
  }
}

function oneOfList(lists: readonly (readonly number[])[], graph: Graph): readonly number[] {
  return lists[graph.below(lists.length)] ?? []
}
