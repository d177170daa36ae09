import type { Signer } from '../../src/trust/signer.ts'
import { projectionNamed, rowsOn } from '../checks/held.ts'
import type { SimulatedNode } from '../model/simulation.ts'
import type { Actor, Driver } from './actor.ts'
import type { ForgedEvent } from './forged-events.ts'
import { chainEndOn, envelopeAfter, forge, inventedBatch } from './forged-events.ts'

const YEAR_MS = 365 * 24 * 60 * 60_000

/** Gossip stops listening to a peer at its fourth reject: the rest has to be heard. */
const TO_BE_REJECTED_MAX = 2

/**
 * The late-publish attack: events with an old `ts`, published long after what they want to displace was settled. On top
 * of its own chain time can't go back, so nobody may take the event; as a second beginning of the chain it has to be
 * admitted, and wins nothing by its age; and under a key that was taken back meanwhile, which the node has stolen, an
 * event has no effect.
 */
export const backdate: Driver = (actor) => {
  const { simulation, node, random, namespace, nowMs, perform } = actor
  const { faults } = simulation.scenario
  // With the keys that they have before any is taken back.
  const victims = simulation.nodes
    .filter(({ index }) => faults.some((fault) => fault.kind === 'revoke' && fault.node === index))
    .map((victim) => ({ victim, signer: victim.signer }))
  let turn = 0
  let toBeRejected = 0
  const nextEvent = async (oldTs: number): Promise<ForgedEvent | null> => {
    if (turn % 3 === 1 && toBeRejected < TO_BE_REJECTED_MAX) {
      const event = await behindItsPredecessor(actor, oldTs)
      if (event !== null) toBeRejected += 1
      return event
    }
    if (turn % 3 === 2) return await underStolenKey(actor, victims)
    return await forge(node.signer, envelopeAfter(node.signer, namespace, null, oldTs, inventedBatch(random)))
  }
  return {
    act: async () =>
      await perform(async (mesh) => {
        turn += 1
        const event = await nextEvent(nowMs() - YEAR_MS)
        if (event !== null) await mesh.publish(namespace, event.wire)
      })
  }
}

async function behindItsPredecessor(
  { simulation, node, random, namespace }: Actor,
  oldTs: number
): Promise<ForgedEvent | null> {
  const before = await chainEndOn(node, node.signer, namespace)
  if (before === null || before.ts <= oldTs) return null
  const event = await forge(node.signer, envelopeAfter(node.signer, namespace, before, oldTs, inventedBatch(random)))
  simulation.ledger.forbidden(event.id, 'its ts is before that of its predecessor')
  return event
}

interface Victim {
  readonly victim: SimulatedNode
  readonly signer: Signer
}

/**
 * After the last event of the key that the thief knows, dated a moment after it: as soon as the organisation has taken
 * the key back, whether or not the thief has been told.
 */
async function underStolenKey(
  { simulation, node, random, namespace }: Actor,
  victims: readonly Victim[]
): Promise<ForgedEvent | null> {
  for (const { victim, signer } of victims) {
    const { rows } = await rowsOn(victim, projectionNamed('trust-anchors'))
    if (![...rows.values()].some(({ kid, status }) => kid === signer.kid && status === 'REVOKED')) continue
    const before = await chainEndOn(node, signer, namespace)
    const event = await forge(
      signer,
      envelopeAfter(signer, namespace, before, (before?.ts ?? 0) + 1, inventedBatch(random))
    )
    simulation.ledger.forbidden(event.id, 'its key was taken back before', 'effect')
    return event
  }
  return null
}
