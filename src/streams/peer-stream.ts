/**
 * A stream of bytes to one peer, as a port: what `it-pipe` takes. Chunks have any size, and where they end means
 * nothing.
 */
export interface PeerStream {
  /** The libp2p PeerId of the other side, which the connection proved. */
  readonly peerId: string
  /**
   * What the other side writes; ends when it has closed its side, and throws when the stream broke. An end does not say
   * that everything came: libp2p closes the streams of a connection that it closes, so a protocol says itself when it is
   * through. To be read once; a reader that leaves early drops what still comes.
   */
  readonly source: AsyncIterable<Uint8Array>
  /**
   * Writes what `source` gives and closes this side. Takes the next chunk only once the link has room for it. Rejects
   * when the stream breaks. To be called once; a source that throws breaks the stream.
   */
  sink(source: AsyncIterable<Uint8Array>): Promise<void>
  /** Breaks the stream for both sides at once; harmless once it has ended. */
  abort(reason: Error): void
}

/** What came of opening a stream. */
export type StreamOpening =
  | { readonly ok: true; readonly stream: PeerStream }
  /** `offline`: no connection stands. `unsupported`: the peer does not speak the protocol. `failed`: anything else. */
  | { readonly ok: false; readonly reason: 'offline' | 'unsupported' | 'failed'; readonly detail: string }

/** What a protocol over streams needs of the mesh. */
export interface PeerStreams {
  /** PeerIds of the known peers to which a connection stands. */
  connected(): readonly string[]
  /** Opens a stream over the connection that stands; dials nobody. */
  open(peerId: string, protocol: string, signal: AbortSignal): Promise<StreamOpening>
  /**
   * A peer pays by its score. `protocol`, if nothing is said: it broke a protocol in a way no honest node does, and pays as
   * for a gossip message that was rejected. `rate`: it sent far more than it may; that alone never costs it the hearing,
   * but the third time within a quarter of an hour it is disconnected, and not let in again for another one.
   */
  penalise(peerId: string, reason?: PenaltyReason): void
}

/** What a peer pays for. */
export type PenaltyReason = 'protocol' | 'rate'
