import { UnsupportedProtocolError } from '@libp2p/interface'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { PeerStreams, PenaltyReason, StreamOpening } from '../../streams/peer-stream.ts'
import type { NetworkHandlers } from '../network.ts'
import { linkStream } from './link-stream.ts'
import type { LinkStream } from './link-stream.ts'
import type { MeshHost } from './libp2p-node.ts'

/**
 * Streams of one protocol over one connection, in each direction: a session per namespace that two nodes both carry, and
 * as many that are just ending. One more is reset.
 */
const STREAMS_PER_PROTOCOL_MAX = 32

/** How long the network waits for its handlers when it stops; their streams are broken by then. */
const HANDLERS_END_MS = 2_000

/** What the streams are built from. */
export interface ProtocolStreamsDeps {
  readonly libp2p: MeshHost
  readonly clock: Clock
  readonly logger: Logger
  /** The PeerIds that `peers.yaml` binds. */
  readonly admitted: ReadonlyMap<string, string>
  readonly handlers: NetworkHandlers
  penalise(peerId: string, reason: PenaltyReason): void
}

/** The streams of the node's own protocols. */
export interface ProtocolStreams extends PeerStreams {
  /** Lets peers open streams, from before the node listens. */
  serve(): Promise<void>
  /**
   * Breaks all streams with a peer, before its connections are closed: libp2p would close them as if both sides had
   * said everything.
   */
  breakAll(peerId: string): void
  /** Takes the protocols back, breaks all streams and waits for their handlers. */
  stop(): Promise<void>
}

/** Nothing is served yet; what is open at a time is bounded by `STREAMS_PER_PROTOCOL_MAX` for each connection. */
export function createProtocolStreams(deps: ProtocolStreamsDeps): ProtocolStreams {
  const { libp2p, logger, admitted } = deps
  const protocols = Object.entries(deps.handlers.protocols ?? {})
  const open = new Set<LinkStream>()
  const handling = new Set<Promise<void>>()
  let stopped = false

  const adopt = (stream: Stream, peerId: string): LinkStream => {
    const adopted = linkStream(stream, peerId)
    if (stream.status === 'open') {
      open.add(adopted)
      stream.addEventListener('close', () => void open.delete(adopted))
    }
    return adopted
  }

  const standing = (peerId: string): Connection | undefined =>
    stopped || !admitted.has(peerId)
      ? undefined
      : libp2p.getConnections(peerIdFromString(peerId)).findLast(({ status }) => status === 'open')

  const handle = async (
    protocol: string,
    serve: (stream: LinkStream) => Promise<void>,
    stream: LinkStream
  ): Promise<void> => {
    try {
      await serve(stream)
      stream.release()
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(messageOf(error))
      logger.error({ protocol, peerId: stream.peerId, error: reason.message }, 'serving a stream failed')
      stream.abort(reason)
    }
  }

  const offline = (detail: string): StreamOpening => ({ ok: false, reason: 'offline', detail })

  return {
    connected: () => [...admitted.keys()].filter((peerId) => standing(peerId) !== undefined),

    async open(peerId, protocol, signal) {
      const connection = standing(peerId)
      if (connection === undefined) return offline('there is no connection to the peer')
      try {
        const options = { signal, maxOutboundStreams: STREAMS_PER_PROTOCOL_MAX }
        const stream = adopt(await connection.newStream([protocol], options), peerId)
        if (!stopped) return { ok: true, stream }
        stream.abort(new Error('the network stops'))
        return offline('the network stops')
      } catch (error) {
        const detail = messageOf(error)
        if (error instanceof UnsupportedProtocolError) return { ok: false, reason: 'unsupported', detail }
        return standing(peerId) === undefined ? offline(detail) : { ok: false, reason: 'failed', detail }
      }
    },

    penalise(peerId, reason = 'protocol') {
      // What is remembered of them has no bound but that of the known peers.
      if (admitted.has(peerId)) deps.penalise(peerId, reason)
    },

    async serve() {
      const limits = { maxInboundStreams: STREAMS_PER_PROTOCOL_MAX, maxOutboundStreams: STREAMS_PER_PROTOCOL_MAX }
      for (const [protocol, serve] of protocols) {
        const onStream = (opened: Stream, connection: Connection): void => {
          const peerId = connection.remotePeer.toString()
          if (stopped || !admitted.has(peerId)) {
            opened.abort(new Error('the peer is not served'))
            return
          }
          const done = handle(protocol, serve, adopt(opened, peerId)).finally(() => void handling.delete(done))
          handling.add(done)
        }
        await libp2p.handle(protocol, onStream, limits)
      }
    },

    breakAll(peerId) {
      for (const stream of open) if (stream.peerId === peerId) stream.abort(new Error('the connection is closed'))
    },

    async stop() {
      if (stopped) return
      stopped = true
      for (const stream of open) stream.abort(new Error('the network stops'))
      await libp2p.unhandle(protocols.map(([protocol]) => protocol))
      await within(deps.clock, HANDLERS_END_MS, Promise.allSettled(handling))
      if (handling.size > 0) logger.warn({ handlers: handling.size }, 'handlers of streams go on after the stop')
    }
  }
}

async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const cancel = clock.after(ms, timeout.resolve)
  await Promise.race([work, timeout.promise])
  cancel()
}
