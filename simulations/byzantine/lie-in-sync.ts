import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import type { Driver } from './actor.ts'
import { oneOf } from './actor.ts'
import { tamperedStream } from './frame-tampering.ts'
import { lie } from './lies.ts'

/** Enough to be a frame of any type, and to be none. */
const GARBAGE_BYTES = 200

/**
 * Lies in every third frame of range-sync, whoever opened the session, so that lies come early and late; and opens
 * streams of its own to write garbage.
 */
export const lieInSync: Driver = ({ simulation, random, patience, perform }) => {
  const forged = ({ id }: { readonly id: string }): void =>
    simulation.ledger.forbidden(id, 'its signature is that of another event')
  const lying = (stream: PeerStream): PeerStream =>
    tamperedStream(stream, (frame) => (random.below(3) === 0 ? lie(frame, random, forged) : [frame]))
  return {
    misbehaviour: {
      serve: async (protocol, stream, honestly) =>
        await honestly(protocol === RANGE_SYNC_PROTOCOL ? lying(stream) : stream),
      opened: (protocol, stream) => (protocol === RANGE_SYNC_PROTOCOL ? lying(stream) : stream)
    },
    act: async () =>
      await perform(async (mesh) => {
        const peerId = oneOf(mesh.connected(), random)
        if (peerId === undefined) return
        const opening = await mesh.open(peerId, RANGE_SYNC_PROTOCOL, patience())
        if (!opening.ok) return
        // Whoever is sent garbage breaks the stream.
        await Promise.allSettled([opening.stream.sink(garbage(random.bytes(GARBAGE_BYTES)))])
        opening.stream.abort(new Error('enough'))
      })
  }
}

async function* garbage(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}
