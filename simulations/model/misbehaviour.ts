import type { GossipVerdict } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'

/**
 * What a node does otherwise than its rules say, at its port to the mesh. What is left out it does as it should;
 * `honestly` is that.
 */
export interface Misbehaviour {
  /** A gossiped message came by way of `peerId`. */
  readonly judge?: (
    message: { readonly namespace: string; readonly wire: Uint8Array; readonly peerId: string },
    honestly: () => Promise<GossipVerdict>
  ) => Promise<GossipVerdict>
  /** A peer opened a stream. */
  readonly serve?: (
    protocol: string,
    stream: PeerStream,
    honestly: (stream: PeerStream) => Promise<void>
  ) => Promise<void>
  /** The node has opened a stream to a peer; it goes on with what comes back. */
  readonly opened?: (protocol: string, stream: PeerStream) => PeerStream
  /** The node hands an event to the mesh; resolves with the number of peers that it went to. */
  readonly publish?: (namespace: string, wire: Uint8Array, honestly: () => Promise<number>) => Promise<number>
}
