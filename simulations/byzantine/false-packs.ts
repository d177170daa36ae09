import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { TRUST_NAMESPACE } from '../../src/policy/names.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Driver } from './actor.ts'
import { chainEndOn, envelopeAfter, forge } from './forged-events.ts'

const FURTHER = 5

/**
 * Publishes packs of its organisation, signed as they should be, that follow no pack: in turn the next one after
 * another than the last, and one with a number far above. Everybody has to hold the events, and none of the packs counts.
 */
export const falsePacks: Driver = ({ simulation, node, random, nowMs, perform }) => {
  let turn = 0
  return {
    act: async () =>
      await perform(async (mesh, own) => {
        turn += 1
        const pack = await unchainedPack(own, node.signer.kid, turn % 2 === 0 ? FURTHER : 1, random)
        const last = await chainEndOn(node, node.signer, TRUST_NAMESPACE)
        const envelope = envelopeAfter(node.signer, TRUST_NAMESPACE, last, nowMs(), {
          ...pack
        } as unknown as JsonObject)
        const event = await forge(node.signer, { ...envelope, type: ANCHOR_PACK_TYPE })
        simulation.ledger.forbidden(event.id, 'its pack does not follow the one before it', 'effect')
        await mesh.publish(TRUST_NAMESPACE, event.wire)
      })
  }
}

/** So many numbers after the organisation's last pack, with the same keys; there is a last one by then. */
async function unchainedPack(
  own: AnchormeshNode,
  kid: string,
  further: number,
  random: SeededRandom
): Promise<AnchorPack> {
  if ((await own.signers()).packSeq === 0) await own.publishPack()
  const { orgId, packSeq, threshold, signers } = await own.signers()
  const keys = signers.flatMap(({ inForce }) => inForce ?? [])
  return {
    orgId,
    packSeq: packSeq + further,
    prevPack: toHex(random.bytes(32)),
    kind: 'full',
    keys,
    threshold,
    validUntil: 0,
    root: packRoot({ orgId, threshold, keys }),
    signingKids: [kid]
  }
}
