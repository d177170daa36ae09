import type { PeerStream } from '../../src/streams/peer-stream.ts'
import type { Driver } from './actor.ts'

/** Connects, takes places in the mesh of gossip, forwards nothing, and says nothing on any stream. */
export const muteSybils: Driver = () => ({
  misbehaviour: {
    judge: () => Promise.resolve('ignore'),
    // For as long as the other side has the patience; then it breaks the stream.
    serve: async (_protocol, stream) => void (await Promise.allSettled([listen(stream)])),
    opened: (_protocol, stream) => ({ ...stream, sink: () => new Promise<void>(() => {}) }),
    publish: () => Promise.resolve(0)
  }
})

async function listen({ source }: PeerStream): Promise<void> {
  for await (const _chunk of source) continue
}
