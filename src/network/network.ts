import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'

/**
 * The mesh as a port: the node says what it carries and judges what arrives; an adapter moves the bytes.
 * `src/network/libp2p` is the real one; simulations bring their own.
 */

/** What a topic validator answers to gossip: `reject` costs the peer that passed it on. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** A peer that may connect: the PeerId that `peers.yaml` binds to a DID, and where to dial it. */
export interface KnownPeer {
  readonly did: string
  /** The libp2p PeerId in its base58 text form. */
  readonly peerId: string
  /** Multiaddrs, with or without `/p2p/…`; may be empty for a peer that only dials us. */
  readonly addresses: readonly string[]
}

/** What the node hands to the network when it starts. */
export interface NetworkHandlers {
  /**
   * Judges one gossiped message. Never throws for bad input; answers within 100 ms (an overload is `ignore`).
   * `peerId` is the peer that passed it on, never the author.
   */
  judge(namespace: string, wire: Uint8Array, peerId: string): Promise<GossipVerdict>
  /**
   * Serve the streams that known peers open, by protocol name (`/anchormesh/range-sync/1`). A handler owns its stream
   * and resolves when it is done with it; it never throws for what a peer sends.
   */
  readonly protocols?: Readonly<Record<string, (stream: PeerStream) => Promise<void>>>
  /** A known peer connected: called once for each time that its first connection opens. */
  connected?(peerId: string): void
  /** Its last connection closed. */
  disconnected?(peerId: string): void
}

/** One connection-level view of a known peer, for `status`. */
export interface PeerStatus {
  readonly did: string
  readonly peerId: string
  readonly connected: boolean
  /** Multiaddrs of the open connections. */
  readonly connections: readonly string[]
  /** The gossipsub score; absent for peers that were never seen. */
  readonly score?: number
  /** The wall-clock time of the next dial attempt, when the keeper waits to redial. */
  readonly nextDialAt?: number
  /** What seems to be wrong with the peer, for the operator. */
  readonly note?: string
  /** Whether its connections are refused for a while, because it sent too much; absent: no. */
  readonly shutOut?: true
}

export interface NetworkStatus {
  readonly peerId: string
  /** Multiaddrs that others can dial, with `/p2p/…`. */
  readonly multiaddrs: readonly string[]
  readonly peers: readonly PeerStatus[]
  /** Per carried namespace, how many peers are in this node's gossip mesh and how many subscribe to the topic. */
  readonly topics: Readonly<Record<string, { readonly mesh: number; readonly subscribers: number }>>
  /** Messages since the start: delivered to `judge`, and answered without it because the queue was full or late. */
  readonly gossip: {
    readonly judged: number
    readonly dropped: number
    readonly late: number
    readonly published: number
  }
  /** Connections refused by the gater because `peers.yaml` does not bind the PeerId. */
  readonly refusedConnections: number
}

/** What of the mesh can change while it runs; addresses to listen on, and this node's identity, can not. */
export interface NetworkUpdate {
  /** Carried namespaces, `_trust` included. */
  readonly namespaces: readonly string[]
  readonly knownPeers: readonly KnownPeer[]
  /** Multiaddrs with `/p2p/…` to dial beside the known peers' own. */
  readonly bootstrap: readonly string[]
}

export interface Network extends PeerStreams {
  /**
   * Listens, subscribes to the topics of `namespaces` and begins to dial the known peers.
   * Throws `AnchormeshError` `PORT_IN_USE` or `CONFIG_INVALID` (a multiaddr that does not parse).
   */
  start(handlers: NetworkHandlers): Promise<void>
  /** Hands one event to the mesh; resolves with the number of peers it went to (0 is no error). */
  publish(namespace: string, wire: Uint8Array): Promise<number>
  /**
   * Reads the change (what is left out stays as it is) and returns what makes it: from then on peers that are not known any more are disconnected, new
   * ones are dialled, and topics are those of the new namespaces. Throws `CONFIG_INVALID` and changes nothing where an
   * address can't be used; the change itself does not fail.
   */
  prepare(update: Partial<NetworkUpdate>): () => Promise<void>
  status(): NetworkStatus
  /**
   * Breaks every stream, waits a little for their handlers, and closes every connection and listener. The handlers are
   * not told of it as of peers that disconnect. The network can't be started again.
   */
  stop(): Promise<void>
}

/** What an adapter is built from; all of it is known before the node starts. */
export interface NetworkOptions extends NetworkUpdate {
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of those listened on (behind NAT); may be empty. */
  readonly announce: readonly string[]
  readonly mdns: boolean
  /** The 32-byte Ed25519 seed that the PeerId derives from. */
  readonly peerKeySeed: Uint8Array
}
