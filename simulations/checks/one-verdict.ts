import type { Check, Rejection, SimulatedNode, Simulation } from '../model/simulation.ts'
import { holdsEvents, honestNodes, projectionNamed, rowsOn } from './held.ts'

const NAME = 'one-verdict-per-event'

/**
 * What only the bytes of one copy decide: a Byzantine peer can put a bad signature under a true id, which is rejected
 * while the true event is taken.
 */
const OF_ONE_COPY: ReadonlySet<string> = new Set(['SIGNATURE_INVALID', 'KEY_WEAK'])

/**
 * No honest node rejects what another takes, and where all play by the rules nobody rejects anything. In the end no two
 * find opposite things of one piece of evidence, unless its chain was rewritten between them.
 */
export function oneVerdictPerEvent(): Check {
  const seen = new Map<string, number>()
  const noted = new Map<SimulatedNode, number>()
  /** Who has rejected an event, for what all copies of it have in common. */
  const rejectedBy = new Map<string, { readonly node: SimulatedNode; readonly code: string }>()
  const reported = new Set<string>()
  const report = (simulation: Simulation, node: SimulatedNode, id: string, detail: string): void => {
    if (reported.has(id)) return
    reported.add(id)
    simulation.fail({ check: NAME, node: node.name, detail: `event ${id} ${detail}` })
  }

  const note = (node: SimulatedNode): void => {
    const from = noted.get(node) ?? 0
    if (node.rejected.length === from) return
    noted.set(node, node.rejected.length)
    for (const { id, code } of node.rejected.slice(from)) if (!OF_ONE_COPY.has(code)) rejectedBy.set(id, { node, code })
  }

  const look = async (simulation: Simulation, node: SimulatedNode, from: number): Promise<void> => {
    const fresh = node.rejected.slice(from)
    if (fresh.length === 0) return
    const allHonest = simulation.nodes.every(({ isHonest }) => isHonest)
    if (allHonest)
      for (const { id, code } of fresh) report(simulation, node, id, `was rejected (${code}), though all are honest`)
    const judged = fresh.filter(({ code }) => !OF_ONE_COPY.has(code))
    const ids = judged.map(({ id }) => id)
    for (const other of honestNodes(simulation)) {
      for (const [at, holds] of (await holdsEvents(other, ids)).entries()) {
        const { id, code } = judged[at] as Rejection
        if (holds) report(simulation, node, id, `was rejected (${code}), and ${other.name} holds it`)
      }
    }
  }

  return {
    name: NAME,
    onAccept(simulation, node, id) {
      for (const other of honestNodes(simulation)) note(other)
      const rejected = rejectedBy.get(id)
      if (rejected === undefined || !node.isHonest) return
      report(simulation, rejected.node, id, `was rejected (${rejected.code}), and ${node.name} holds it`)
    },
    async onSample(simulation) {
      for (const node of honestNodes(simulation)) {
        await look(simulation, node, seen.get(node.name) ?? 0)
        seen.set(node.name, node.rejected.length)
      }
    },
    async onEnd(simulation) {
      for (const node of honestNodes(simulation)) await look(simulation, node, 0)
      await compareEvidence(simulation)
    }
  }
}

async function compareEvidence(simulation: Simulation): Promise<void> {
  const { chains, faults } = simulation.scenario
  if (chains.length === 0) return
  const rewritten = new Set(faults.flatMap((fault) => (fault.kind === 'reorganise' ? [fault.chain] : [])))
  const found = new Map<string, { readonly status: unknown; readonly node: string }>()
  for (const node of honestNodes(simulation)) {
    const { rows } = await rowsOn(node, projectionNamed('timestamp-anchors'))
    for (const [key, { status, chainId, evidenceHash }] of rows) {
      if ((status !== 'verified' && status !== 'invalid') || rewritten.has(chainId as string)) continue
      const name = `${key} ${evidenceHash as string}`
      const before = found.get(name)
      if (before === undefined) found.set(name, { status, node: node.name })
      else if (before.status !== status) {
        const detail = `the timestamp anchor ${key} is ${status}, and ${before.status as string} on ${before.node}`
        simulation.fail({ check: NAME, node: node.name, detail })
      }
    }
  }
}
