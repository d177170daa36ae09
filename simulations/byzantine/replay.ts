import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import type { Driver } from './actor.ts'
import { oneOf } from './actor.ts'
import { tamperedStream } from './frame-tampering.ts'

/** Kept to be sent again; the oldest is forgotten. */
const KEPT_MAX = 1_000

/** Sends again what it has seen: old announces by gossip, and frames of earlier sessions in the place of those of now. */
export const replay: Driver = ({ random, perform }) => {
  const messages: { readonly namespace: string; readonly wire: Uint8Array }[] = []
  const frames: Uint8Array[] = []
  const keep = <Item>(kept: Item[], item: Item): void => {
    kept.push(item)
    if (kept.length > KEPT_MAX) kept.shift()
  }
  const replaying = (stream: PeerStream): PeerStream =>
    tamperedStream(stream, (frame) => {
      keep(frames, frame)
      return [random.below(4) === 0 ? (oneOf(frames, random) ?? frame) : frame]
    })
  return {
    misbehaviour: {
      judge({ namespace, wire }, honestly) {
        keep(messages, { namespace, wire: wire.slice() })
        return honestly()
      },
      publish(namespace, wire, honestly) {
        keep(messages, { namespace, wire: wire.slice() })
        return honestly()
      },
      serve: async (protocol, stream, honestly) =>
        await honestly(protocol === RANGE_SYNC_PROTOCOL ? replaying(stream) : stream),
      opened: (protocol, stream) => (protocol === RANGE_SYNC_PROTOCOL ? replaying(stream) : stream)
    },
    act: async () =>
      await perform(async (mesh) => {
        const message = oneOf(messages, random)
        if (message !== undefined) await mesh.publish(message.namespace, message.wire)
      })
  }
}
