import type { NetworkHandlers } from '../../src/network/network.ts'
import type { StreamOpening } from '../../src/streams/peer-stream.ts'
import { createStreamPair } from './memory-stream.ts'
import type { MemoryStream, MemoryStreamPair } from './memory-stream.ts'

/** Streams between two nodes; libp2p has such a bound for each protocol and direction. */
const STREAMS_PER_WIRE_MAX = 128

/** What the wires ask of the hub. */
export interface MemoryWiresDeps {
  /** All nodes that ever joined, in the order of joining. */
  peerIds(): readonly string[]
  /** What a node was started with; null while it does not run. */
  handlersOf(peerId: string): NetworkHandlers | null
  /** Whether this direction is cut. */
  isCut(from: string, to: string): boolean
}

/** The connections between the nodes of a hub, one at most between two, and the streams over them. */
export interface MemoryWires {
  /** To be called when a node starts, stops, or has a link cut or healed: tells both sides what became of it. */
  update(peerId: string): void
  connectedTo(peerId: string): readonly string[]
  open(wanted: StreamWanted): Promise<StreamOpening>
  /** Resolves when the node's handlers are done with their streams. */
  handled(peerId: string): Promise<void>
}

/** A stream to open, by PeerIds. */
export interface StreamWanted {
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly signal: AbortSignal
}

/** No connections yet. A handler that throws in `connected` or `disconnected` throws through `update`. */
export function createMemoryWires(deps: MemoryWiresDeps): MemoryWires {
  const wires = new Map<string, Set<MemoryStreamPair>>()
  /** Bounded by the streams. */
  const handling = new Map<string, Set<Promise<void>>>()

  const updateWire = (peerId: string, other: string): void => {
    const name = wireName(peerId, other)
    const handlers = deps.handlersOf(peerId)
    const othersHandlers = deps.handlersOf(other)
    const bothRun = handlers !== null && othersHandlers !== null
    const stands = bothRun && !deps.isCut(peerId, other) && !deps.isCut(other, peerId)
    const streams = wires.get(name)
    if (stands && streams === undefined) {
      wires.set(name, new Set())
      othersHandlers.connected?.(peerId)
      handlers.connected?.(other)
    } else if (!stands && streams !== undefined) {
      wires.delete(name)
      for (const pair of streams) pair.abort(new Error('the connection has closed'))
      othersHandlers?.disconnected?.(peerId)
      handlers?.disconnected?.(other)
    }
  }

  const handle = async (serve: (stream: MemoryStream) => Promise<void>, stream: MemoryStream): Promise<void> => {
    try {
      await serve(stream)
      stream.release()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('serving a stream failed', { cause: error }))
    }
  }

  return {
    update(peerId) {
      for (const other of deps.peerIds()) if (other !== peerId) updateWire(peerId, other)
    },

    connectedTo: (peerId) => deps.peerIds().filter((other) => other !== peerId && wires.has(wireName(peerId, other))),

    async open({ from, to, protocol, signal }) {
      const streams = wires.get(wireName(from, to))
      const handlers = deps.handlersOf(to)
      if (streams === undefined || handlers === null)
        return { ok: false, reason: 'offline', detail: 'there is no connection to the peer' }
      const serve = handlers.protocols?.[protocol]
      if (serve === undefined) return { ok: false, reason: 'unsupported', detail: `the peer has no ${protocol}` }
      if (signal.aborted) return { ok: false, reason: 'failed', detail: 'it was given up before it was open' }
      if (streams.size >= STREAMS_PER_WIRE_MAX)
        return { ok: false, reason: 'failed', detail: 'there are too many streams to the peer' }

      const pair = createStreamPair(from, to, () => void streams.delete(pair))
      streams.add(pair)
      const ofPeer = handling.get(to) ?? new Set()
      handling.set(to, ofPeer)
      const done = handle(serve, pair.far).finally(() => void ofPeer.delete(done))
      ofPeer.add(done)
      return { ok: true, stream: pair.near }
    },

    async handled(peerId) {
      await Promise.all(handling.get(peerId) ?? new Set<Promise<void>>())
    }
  }
}

const wireName = (left: string, right: string): string => [left, right].toSorted().join(' ')
