import { toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { Driver } from './actor.ts'
import type { ChainEnd, ForgedEvent } from './forged-events.ts'
import { chainEndOn, envelopeAfter, falsify, forge, inventedBatch } from './forged-events.ts'

const GARBAGE_BYTES = 300

/**
 * Floods by gossip: garbage, events under false signatures, events of strangers, events whose predecessor there is not
 * or not at the position before, and batches of its own in the right form, in turn.
 */
export const spam: Driver = ({ simulation, node, random, namespace, nowMs, perform }) => {
  const stranger = localSigner(sha256(`stranger ${node.name} ${simulation.seed}`))
  let turn = 0

  const forbid = (event: ForgedEvent, rule: string): Uint8Array => {
    simulation.ledger.forbidden(event.id, rule)
    return event.wire
  }
  const wireOf = async (kind: number): Promise<Uint8Array> => {
    const envelope = envelopeAfter(node.signer, namespace, null, nowMs(), inventedBatch(random))
    if (kind === 1) {
      const forged = falsify((await forge(node.signer, envelope)).wire)
      if (forged !== null) return forbid(forged, 'its signature is that of another event')
    }
    if (kind === 2) {
      const foreign = envelopeAfter(stranger, namespace, null, nowMs(), inventedBatch(random))
      return forbid(await forge(stranger, foreign), 'its signer is no member')
    }
    const last = await chainEndOn(node, node.signer, namespace)
    if (kind === 3 && turn % 2 === 1 && last !== null) {
      const further = { ...last, authorSeq: last.authorSeq + 1 }
      const apart = envelopeAfter(node.signer, namespace, further, nowMs(), inventedBatch(random))
      return forbid(await forge(node.signer, apart), 'it leaves out a position of its chain')
    }
    if (kind === 3) {
      const nowhere: ChainEnd = { id: toHex(random.bytes(32)), authorSeq: 1 + random.below(1_000), ts: nowMs() }
      const loose = envelopeAfter(node.signer, namespace, nowhere, nowMs(), inventedBatch(random))
      return forbid(await forge(node.signer, loose), 'its predecessor there is not')
    }
    return random.bytes(GARBAGE_BYTES)
  }

  return {
    act: async () =>
      await perform(async (mesh, own) => {
        turn += 1
        if (turn % 5 !== 0) {
          await mesh.publish(namespace, await wireOf(turn % 5))
          return
        }
        const batchId = `spam-${node.name}-${turn}`
        await own.seal({ namespace, batchId, receipts: [{ turn }] })
        await own.announce({ namespace, batchId, timestampAnchors: [] })
      })
  }
}
