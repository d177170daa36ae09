import { PENDING_EVENTS_MAX, PENDING_SHARE_OF_PEER } from '../../src/ingest/pending-pool.ts'
import { IN_FLIGHT_MAX, IN_FLIGHT_PER_PEER_MAX } from '../../src/network/libp2p/judge-gate.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { Check, Simulation, SimulatedNode } from '../model/simulation.ts'
import { honestNodes } from './held.ts'
import type { Table } from './tables.ts'
import { PARTS_MAX, tablesOf } from './tables.ts'

const NAME = 'tables-within-bounds'

/** What others decide how full they are, beside the maps that say themselves what they hold at the most. */
export const BOUNDS: Readonly<Record<string, number>> = {
  'PendingPool.#entries': PENDING_EVENTS_MAX,
  'PendingPool.#byPredecessor': PENDING_EVENTS_MAX,
  'PendingPool.#byPeer': PENDING_EVENTS_MAX,
  'PendingPool.#byPeer.each.hashes': PENDING_EVENTS_MAX / PENDING_SHARE_OF_PEER,
  // What gossip has under judgement, and a group of 32 of each of 16 sessions.
  'IngestDoor.#judging': IN_FLIGHT_MAX + 16 * 32,
  'SyncService.#answering': 16,
  'ScalableCuckooFilter.filterSeries': 16,
  'judge.inFlight': IN_FLIGHT_PER_PEER_MAX,
  'judge.open': IN_FLIGHT_MAX
}

/**
 * Of every other table. The largest that legitimately grow are those of gossipsub, which remembers for two minutes what
 * it has seen, and those that hold something for each chain or peer.
 */
const OTHERS_MAX = 65_536

/** Nodes that are looked into at a fold, in turn: a look takes some 100 ms, and their tables are alike. */
const NODES_PER_FOLD = 1

/** No table of a node holds more than it may, however much is sent to the node. */
export function tablesWithinBounds(): Check {
  // Found at a fold, and measured at each sample from then on: to find them takes a hundred times as long.
  const known = new WeakMap<AnchormeshNode, readonly Table[]>()
  const reported = new Set<string>()
  // Who is first differs from seed to seed.
  let turn: number | null = null

  const nextOf = (simulation: Simulation): readonly SimulatedNode[] => {
    const nodes = honestNodes(simulation).filter(({ node }) => node !== null)
    turn ??= simulation.random.fork(NAME).below(Math.max(1, nodes.length))
    const first = turn
    turn += NODES_PER_FOLD
    return Array.from({ length: Math.min(NODES_PER_FOLD, nodes.length) }, (_, place) =>
      nodes.at((first + place) % nodes.length)
    ).filter((node) => node !== undefined)
  }

  const measure = (simulation: Simulation, { name: node }: SimulatedNode, tables: readonly Table[]): void => {
    for (const { name, size, max } of tables) {
      const bound = max ?? BOUNDS[name] ?? OTHERS_MAX
      const found = size()
      if (found <= bound || reported.has(`${node} ${name}`)) continue
      reported.add(`${node} ${name}`)
      simulation.fail({ check: NAME, node, detail: `${name} holds ${found}, and may hold ${bound}` })
    }
  }

  return {
    name: NAME,
    onSample(simulation) {
      for (const simulated of honestNodes(simulation)) {
        const tables = simulated.node === null ? undefined : known.get(simulated.node)
        if (tables !== undefined) measure(simulation, simulated, tables)
      }
    },
    onFold(simulation) {
      for (const simulated of nextOf(simulation)) {
        if (simulated.node === null) continue
        const { tables, areAll } = tablesOf(simulated.node)
        known.set(simulated.node, tables)
        measure(simulation, simulated, tables)
        if (!areAll && !reported.has(simulated.name)) {
          reported.add(simulated.name)
          const detail = `it has more than the ${PARTS_MAX} parts in which tables are looked for`
          simulation.fail({ check: NAME, node: simulated.name, detail })
        }
      }
    }
  }
}
