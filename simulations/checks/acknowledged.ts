import type { Check, Simulation, SimulatedNode } from '../model/simulation.ts'
import { holdsEvents, honestNodes, runningNodes, storeOn } from './held.ts'

const NAME = 'no-acknowledged-event-lost'

/** What is known of a node's disk since it was last looked at. */
interface Watched {
  /** Events that it acknowledged, and has to hold. */
  readonly owed: Set<string>
  /** Of them those that were not seen on its disk yet. */
  readonly unseen: Set<string>
  store: string | null
  /** The process that ran there; another one, or none, may find less on the disk than there was. */
  process: SimulatedNode['node']
}

/**
 * What a node has acknowledged stands on its disk from then on, whatever happens to the node, and on the disks of all in
 * the end, unless the scenario only measures whether it comes there. Of what only a disk held that was lost nothing is asked.
 */
export function noAcknowledgedEventLost(): Check {
  const watched = new Map<string, Watched>()
  const lostWithDisk = new Set<string>()
  const reported = new Set<string>()
  let noted = 0

  const watchedOf = (node: string): Watched => {
    const known = watched.get(node) ?? { owed: new Set(), unseen: new Set(), store: null, process: null }
    watched.set(node, known)
    return known
  }

  const note = (simulation: Simulation): void => {
    const { acknowledgedEvents } = simulation.ledger
    if (acknowledgedEvents.size === noted) return
    for (const [id, { node }] of [...acknowledgedEvents].slice(noted)) {
      const known = watchedOf(node)
      known.owed.add(id)
      known.unseen.add(id)
    }
    noted = acknowledgedEvents.size
  }

  const report = (simulation: Simulation, node: SimulatedNode, id: string, detail: string): void => {
    const name = `${node.name} ${id}`
    if (reported.has(name)) return
    reported.add(name)
    simulation.fail({ check: NAME, node: node.name, detail: `event ${id} ${detail}` })
  }

  const forgive = async (simulation: Simulation, node: SimulatedNode, known: Watched): Promise<void> => {
    const ids = [...known.owed]
    const isElsewhere = ids.map(() => false)
    for (const other of honestNodes(simulation))
      if (other !== node) for (const [at, holds] of (await holdsEvents(other, ids)).entries()) isElsewhere[at] ||= holds
    for (const [at, id] of ids.entries()) if (isElsewhere[at] !== true) lostWithDisk.add(id)
    known.owed.clear()
    known.unseen.clear()
  }

  const look = async (simulation: Simulation, node: SimulatedNode, known: Watched, all: boolean): Promise<void> => {
    const store = await storeOn(node)
    if (known.store !== null && store !== known.store) await forgive(simulation, node, known)
    const isAnother = node.node !== known.process
    known.store = store
    known.process = node.node
    const ids = [...(isAnother || all ? known.owed : known.unseen)]
    for (const [at, holds] of (await holdsEvents(node, ids)).entries())
      if (!holds) report(simulation, node, ids[at] ?? '', 'was acknowledged, and is not on the disk of who did')
    known.unseen.clear()
  }

  const lookAtAll = async (simulation: Simulation, all: boolean): Promise<void> => {
    note(simulation)
    // Also of who owes nothing yet it is kept which store it has: the next one may owe something already.
    for (const node of honestNodes(simulation)) await look(simulation, node, watchedOf(node.name), all)
  }

  return {
    name: NAME,
    onSample: async (simulation) => await lookAtAll(simulation, false),
    onFold: async (simulation) => await lookAtAll(simulation, true),
    async onEnd(simulation) {
      await lookAtAll(simulation, true)
      if (simulation.scenario.convergence === 'measured') return
      const honest = new Set(honestNodes(simulation).map(({ name }) => name))
      const owed = [...simulation.ledger.acknowledgedEvents]
        .filter(([id, { node }]) => honest.has(node) && !lostWithDisk.has(id))
        .map(([id]) => id)
      for (const node of runningNodes(simulation)) {
        for (const [at, holds] of (await holdsEvents(node, owed)).entries())
          if (!holds) report(simulation, node, owed[at] ?? '', 'was acknowledged, and has not come here')
      }
    }
  }
}
