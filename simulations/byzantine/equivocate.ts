import type { Driver } from './actor.ts'
import { tellOf } from './false-log.ts'
import { chainEndOn, envelopeAfter, forge, inventedBatch } from './forged-events.ts'

/**
 * Signs two events at one position of its chain and tells each half of its peers of another one, by range-sync, so that
 * the halves have no way to know it from what they are sent. Both are events that everybody has to admit.
 */
export const equivocate: Driver = (actor) => ({
  act: async () =>
    await actor.perform(async (mesh) => {
      const { node, random, namespace, nowMs } = actor
      const before = await chainEndOn(node, node.signer, namespace)
      const ts = Math.max(before?.ts ?? 0, nowMs())
      const peerIds = [...mesh.connected()].sort()
      const half = peerIds.length >> 1
      for (const peers of [peerIds.slice(0, half), peerIds.slice(half)]) {
        const envelope = envelopeAfter(node.signer, namespace, before, ts, inventedBatch(random))
        await tellOf(await forge(node.signer, envelope), actor, mesh, peers)
      }
    })
})
