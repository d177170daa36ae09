import type { RunRecord } from './run-record.ts'

/** How events spread over the honest nodes of a run. Times are microseconds. */
export interface Spread {
  /** Of every event and every other node that it reached and could reach when it came. */
  readonly propagationUs: readonly number[]
  /** Of every event and every other node that it reached later, since nothing could reach that when it came. */
  readonly catchUpUs: readonly number[]
  /** Of every event that reached all other nodes that are on at the end and that it could reach: until the last of them. */
  readonly coverageUs: readonly number[]
  /** Pairs of an event and another node that is on at the end, and those of them that were delivered. */
  readonly pairs: number
  readonly delivered: number
  /** Of each node that is on at the end: until it held all events of before the heal; `null`: it never did. */
  readonly healingUs: readonly (number | null)[]
}

/**
 * Counted are events that came into the mesh on honest nodes after the start; what was there before them (a history)
 * counts for healing alone. Accepts after the loss of a disk count for healing too.
 */
export function spreadOf(record: RunRecord): Spread {
  const { nodes, events, accepts, healedUs } = record
  const isAsked = nodes.map(({ isHonest, isOnAtEnd }) => isHonest && isOnAtEnd)
  const asked = isAsked.filter((is) => is).length
  const spreads = events.map(({ apart, origin }) => apart !== null && nodes[origin]?.isHonest === true)
  const heals = healsOf(record, isAsked)
  const seen = new PairSet(nodes.length, events.length)
  const propagationUs: number[] = []
  const catchUpUs: number[] = []
  let delivered = 0
  const reached = new Uint32Array(events.length)
  const lastUs = new Float64Array(events.length)
  const held = new Uint32Array(nodes.length)
  const healedAtUs = new Float64Array(nodes.length).fill(healedUs)
  for (let place = 0; place < accepts.event.length; place += 1) {
    const event = accepts.event.at(place)
    const node = accepts.node.at(place)
    const atUs = accepts.atUs.at(place)
    const about = events[event]
    if (about === undefined || nodes[node]?.isHonest !== true) continue
    if (heals[event] === true) healedAtUs[node] = Math.max(healedAtUs[node] ?? 0, atUs)
    if (!seen.add(node, event)) continue
    if (heals[event] === true) held[node] = (held[node] ?? 0) + 1
    if (spreads[event] !== true || node === about.origin) continue
    const isApart = about.apart?.has(node) === true
    ;(isApart ? catchUpUs : propagationUs).push(atUs - about.firstUs)
    if (isAsked[node] !== true) continue
    delivered += 1
    if (isApart) continue
    reached[event] = (reached[event] ?? 0) + 1
    lastUs[event] = Math.max(lastUs[event] ?? 0, atUs)
  }
  const others = (event: number): number => asked - Number(isAsked[events[event]?.origin ?? -1] === true)
  const reachable = (event: number): number =>
    others(event) - [...(events[event]?.apart ?? [])].filter((node) => isAsked[node]).length
  const counted = [...events.keys()].filter((event) => spreads[event])
  const covered = counted.filter((event) => reachable(event) > 0 && reached[event] === reachable(event))
  const toHeal = heals.filter((is) => is).length
  return {
    propagationUs,
    catchUpUs,
    coverageUs: covered.map((event) => (lastUs[event] ?? 0) - (events[event]?.firstUs ?? 0)),
    pairs: counted.reduce((sum, event) => sum + others(event), 0),
    delivered,
    healingUs: [...nodes.keys()]
      .filter((node) => isAsked[node])
      .map((node) => (held[node] === toHeal ? (healedAtUs[node] ?? 0) - healedUs : null))
  }
}

/** Of each event, whether nodes are to hold it because it was there at the heal, on a node that is asked. */
function healsOf({ events, accepts, healedUs }: RunRecord, isAsked: readonly boolean[]): boolean[] {
  const heals = events.map(() => false)
  for (let place = 0; place < accepts.event.length; place += 1) {
    const event = accepts.event.at(place)
    const isBefore = (events[event]?.firstUs ?? Number.POSITIVE_INFINITY) <= healedUs
    if (isBefore && isAsked[accepts.node.at(place)] === true) heals[event] = true
  }
  return heals
}

/** Pairs of a node and an event: a bit each. */
class PairSet {
  readonly #bits: Uint8Array
  readonly #events: number

  constructor(nodes: number, events: number) {
    this.#bits = new Uint8Array(Math.ceil((nodes * events) / 8))
    this.#events = events
  }

  /** Whether it was not there yet. */
  add(node: number, event: number): boolean {
    const pair = node * this.#events + event
    const byte = Math.floor(pair / 8)
    const bit = 1 << (pair % 8)
    const before = this.#bits[byte] ?? 0
    this.#bits[byte] = before | bit
    return (before & bit) === 0
  }
}
