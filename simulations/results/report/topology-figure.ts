import type { FaultTimes, RunSummary, Topology } from '../run-summary.ts'
import type { ReportFigure } from './html.ts'
import { escapeHtml, numberText } from './html.ts'
import { COLOURS, PLOT_WIDTH } from './svg.ts'

const HEIGHT = 560
const RADIUS = 220
const LABEL_RADIUS = RADIUS + 22
// With more, names would lie on each other.
const NAMES_MAX = 60
const ORGANISATIONS_NAMED_MAX = 40

/** The mesh on a circle, organisation by organisation, with what the first partition cut. */
export function topologyFigure(run: RunSummary): ReportFigure {
  const { topology } = run
  const partition = run.faults.find(({ groups }) => groups.length > 1)
  const sides = sidesOf(topology, partition)
  const places = placesOnCircle(topology)
  const isCut = ([from, to]: readonly [number, number]): boolean => sides[from] !== sides[to]
  const cut = topology.connections.filter(isCut).length
  const honest = topology.nodes.filter((node) => node.honest).length
  const what = partition === undefined ? 'no partition' : `partition into ${partition.groups.length} groups`
  return {
    name: 'topology',
    title: 'Topology',
    caption: `Nodes by organisation, and who was connected with whom ${partition === undefined ? 'at the end' : 'when the first partition began, at second ' + numberText(partition.from_s)}, with the first seed. Dashed: links that the partition cut. A ring: a node outside of the first group. A square: a node that breaks the rules.`,
    svg: pictureOf(topology, places, { sides, isCut }, `${topology.nodes.length} nodes on a circle, ${what}`),
    table: {
      head: ['', 'number'],
      rows: [
        ['nodes', numberText(topology.nodes.length)],
        ['that break the rules', numberText(topology.nodes.length - honest)],
        ['organisations', numberText(new Set(topology.nodes.map(({ organisation }) => organisation)).size)],
        ['connections', numberText(topology.connections.length)],
        ['cut by the partition', numberText(cut)],
        ...(partition?.groups ?? []).map((group, index) => [`nodes in group ${index + 1}`, numberText(group.length)])
      ]
    }
  }
}

interface Cutting {
  readonly sides: readonly number[]
  readonly isCut: (connection: readonly [number, number]) => boolean
}

interface Place {
  readonly x: number
  readonly y: number
  readonly angle: number
}

/** Of each node the group of the partition that it is in; those that no group names are together. */
function sidesOf({ nodes }: Topology, partition: FaultTimes | undefined): number[] {
  return nodes.map((_, node) => Math.max(0, partition?.groups.findIndex((group) => group.includes(node)) ?? 0))
}

/** Nodes of an organisation stand side by side, in the order in which organisations first come. */
function placesOnCircle({ nodes }: Topology): Place[] {
  const organisations = [...new Set(nodes.map(({ organisation }) => organisation))]
  const rank = new Map(organisations.map((organisation, place) => [organisation, place]))
  const rankOf = (node: number): number => rank.get(nodes[node]?.organisation ?? '') ?? 0
  const order = [...nodes.keys()].toSorted((left, right) => rankOf(left) - rankOf(right) || left - right)
  const places: Place[] = []
  for (const [turn, node] of order.entries()) {
    const angle = (2 * Math.PI * turn) / order.length - Math.PI / 2
    places[node] = { angle, ...pointAt(angle, RADIUS) }
  }
  return places
}

function pictureOf(
  { nodes, connections }: Topology,
  places: readonly Place[],
  cutting: Cutting,
  label: string
): string {
  const lines = connections.map((connection) => {
    const [from, to] = connection.map((node) => places[node])
    if (from === undefined || to === undefined) return ''
    const style = cutting.isCut(connection)
      ? `stroke="${COLOURS[1]}" stroke-dasharray="4 3" stroke-opacity="0.8"`
      : 'stroke="currentColor" stroke-opacity="0.25"'
    return `<line x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}" ${style}/>`
  })
  const marks = nodes.map(({ name, organisation, honest }, node) => {
    const { x, y } = places[node] ?? pointAt(0, 0)
    const fill = cutting.sides[node] === 0 ? COLOURS[0] : 'var(--paper)'
    const style = `fill="${fill}" stroke="${COLOURS[0]}" stroke-width="2"`
    const title = `<title>${escapeHtml(`${name}, ${organisation}`)}</title>`
    return honest
      ? `<circle cx="${x}" cy="${y}" r="5" ${style}>${title}</circle>`
      : `<rect x="${x - 5}" y="${y - 5}" width="10" height="10" ${style}>${title}</rect>`
  })
  const parts = [...lines, ...marks, ...namesOf({ nodes, connections }, places)]
  return `<svg role="img" aria-label="${escapeHtml(label)}" class="plot" viewBox="0 0 ${PLOT_WIDTH} ${HEIGHT}" width="${PLOT_WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="11" fill="currentColor">${parts.join('')}</svg>`
}

/** Names of nodes while they are few, else of organisations, each at its first node, while those are. */
function namesOf({ nodes }: Topology, places: readonly Place[]): string[] {
  const seen = new Set<string>()
  const first = nodes.map(({ organisation }) => {
    const isFirst = !seen.has(organisation)
    seen.add(organisation)
    return isFirst
  })
  const namesNodes = nodes.length <= NAMES_MAX
  const namesOrganisations = namesNodes || seen.size <= ORGANISATIONS_NAMED_MAX
  return nodes.flatMap(({ name, organisation }, node) => {
    const words = [...(namesNodes ? [name] : []), ...(namesOrganisations && first[node] === true ? [organisation] : [])]
    if (words.length === 0) return []
    const { x, y } = pointAt(places[node]?.angle ?? 0, LABEL_RADIUS)
    return [`<text x="${x}" y="${y}" dy="0.35em" text-anchor="${anchorAt(x)}">${escapeHtml(words.join(' '))}</text>`]
  })
}

/** Names grow away from the circle. */
function anchorAt(x: number): 'start' | 'middle' | 'end' {
  if (Math.abs(x - PLOT_WIDTH / 2) < 10) return 'middle'
  return x > PLOT_WIDTH / 2 ? 'start' : 'end'
}

function pointAt(angle: number, radius: number): { readonly x: number; readonly y: number } {
  const round = (value: number): number => Math.round(value * 10) / 10
  return { x: round(PLOT_WIDTH / 2 + radius * Math.cos(angle)), y: round(HEIGHT / 2 + radius * Math.sin(angle)) }
}
