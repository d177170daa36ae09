import type { Forbidden, Ledger, SimulatedNode } from '../model/simulation.ts'

/** A ledger without entries. It grows with what the workloads do, which a scenario bounds. */
export function createLedger(
  nowUs: () => number,
  onAcknowledged: (node: SimulatedNode, eventId: string) => void
): Ledger {
  const acknowledgedEvents = new Map<string, { node: string; namespace: string; atUs: number }>()
  const forbiddenEvents = new Map<string, Forbidden>()
  return {
    acknowledgedEvents,
    forbiddenEvents,
    acknowledged(node, eventId, namespace) {
      if (acknowledgedEvents.has(eventId)) return
      acknowledgedEvents.set(eventId, { node: node.name, namespace, atUs: nowUs() })
      onAcknowledged(node, eventId)
    },
    forbidden(eventId, rule, what = 'to-hold') {
      forbiddenEvents.set(eventId, { rule, what })
    }
  }
}
