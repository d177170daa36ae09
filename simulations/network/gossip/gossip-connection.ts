import {
  ConnectionClosedError,
  StreamCloseEvent,
  TooManyInboundProtocolStreamsError,
  TooManyOutboundProtocolStreamsError,
  UnsupportedProtocolError,
  connectionSymbol
} from '@libp2p/interface'
import type {
  Connection,
  Logger,
  MessageStreamDirection,
  MessageStreamEvents,
  MessageStreamStatus,
  NewStreamOptions,
  PeerId
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import type { SimulatedHost } from '../simulated-host.ts'
import type { SimulatedSocket } from '../socket.ts'
import { trafficOf } from '../traffic.ts'
import type { TrafficCounts } from '../traffic.ts'
import { sizeOf } from './frames.ts'
import type { GossipFrame } from './frames.ts'
import type { GossipRegistrar } from './gossip-registrar.ts'
import { GossipStream } from './gossip-stream.ts'
import type { StreamCarrier } from './gossip-stream.ts'

// As libp2p has them where nobody says otherwise.
const NEGOTIATION_MS = 10_000
const INBOUND_STREAMS_MAX = 32
const OUTBOUND_STREAMS_MAX = 64

export interface GossipConnectionInit {
  readonly host: Pick<SimulatedHost<GossipFrame>, 'after' | 'nowMs'>
  readonly socket: SimulatedSocket<GossipFrame>
  readonly remotePeer: PeerId
  readonly remoteAddr: Multiaddr
  readonly direction: MessageStreamDirection
  readonly registrar: GossipRegistrar
  readonly counts: TrafficCounts
  /** Of these protocols each send is a message by itself, which may come twice or late. */
  readonly messageProtocols: readonly string[]
  readonly log: Logger
  onClosed(connection: GossipConnection): void
}

type Opening = PromiseWithResolvers<GossipStream>

/** A connection that is open: streams over one socket. */
export class GossipConnection extends TypedEventEmitter<MessageStreamEvents> implements Connection, StreamCarrier {
  readonly id: string
  readonly remotePeer: PeerId
  readonly remoteAddr: Multiaddr
  readonly direction: MessageStreamDirection
  readonly timeline: Connection['timeline']
  readonly direct = true
  readonly multiplexer = 'simulated'
  readonly log: Logger
  readonly [connectionSymbol] = true
  status: MessageStreamStatus = 'open'
  readonly #init: GossipConnectionInit
  readonly #streams = new Map<number, GossipStream>()
  readonly #opening = new Map<number, Opening>()
  #nextStream: number
  #hasHeard = true
  #isPinged = false

  constructor(init: GossipConnectionInit) {
    super()
    this.#init = init
    this.remotePeer = init.remotePeer
    this.remoteAddr = init.remoteAddr
    this.direction = init.direction
    this.log = init.log
    this.timeline = { open: init.host.nowMs() }
    this.id = `${init.direction} ${init.socket.remote} ${this.timeline.open}`
    this.#nextStream = init.direction === 'outbound' ? 1 : 2
  }

  get streams(): GossipStream[] {
    return [...this.#streams.values()]
  }

  async newStream(protocols: string | string[], options: NewStreamOptions = {}): Promise<GossipStream> {
    if (this.status !== 'open') throw new ConnectionClosedError(`the connection is ${this.status}`)
    options.signal?.throwIfAborted()
    const number = this.#nextStream
    this.#nextStream += 2
    const opening: Opening = Promise.withResolvers()
    this.#opening.set(number, opening)
    this.sendFrame({ kind: 'open', stream: number, protocols: [protocols].flat() })
    const giveUp = (reason: Error): void => {
      if (!this.#opening.delete(number)) return
      this.sendFrame({ kind: 'reset', stream: number })
      opening.reject(reason)
    }
    const onAbort = (): void => giveUp(options.signal?.reason as Error)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const patience = this.#init.host.after(NEGOTIATION_MS, () => giveUp(new Error('the other side does not answer')))
    try {
      const stream = await opening.promise
      const limits = this.#init.registrar.find([stream.protocol])?.record.options ?? options
      const most = limits.maxOutboundStreams ?? OUTBOUND_STREAMS_MAX
      if (this.#count(stream) <= most) return stream
      const error = new TooManyOutboundProtocolStreamsError(`${most} streams of ${stream.protocol} are open already`)
      stream.abort(error)
      throw error
    } finally {
      patience()
      options.signal?.removeEventListener('abort', onAbort)
    }
  }

  close(): Promise<void> {
    this.#init.socket.end()
    this.#over('closed')
    return Promise.resolve()
  }

  abort(error: Error): void {
    this.#init.socket.reset()
    this.#over('aborted', error)
  }

  sendFrame(frame: GossipFrame): boolean {
    if (this.status !== 'open') return true
    const isMessage = frame.kind === 'data' && this.#carriesMessages(frame.stream)
    return this.#init.socket.send(frame, sizeOf(frame), isMessage)
  }

  forget(stream: GossipStream): void {
    this.#streams.delete(stream.number)
  }

  /** Pings where nothing has come since the last look. */
  pingIfSilent(): void {
    this.#isPinged = !this.#hasHeard
    this.#hasHeard = false
    if (this.#isPinged) this.sendFrame({ kind: 'ping' })
  }

  /** The time for an answer is over. */
  expectPong(): void {
    if (this.#isPinged && !this.#hasHeard) this.abort(new Error('the other side does not answer'))
    this.#hasHeard = false
  }

  /** A frame has arrived. */
  arrived(frame: GossipFrame): void {
    if (this.status !== 'open') return
    this.#hasHeard = true
    switch (frame.kind) {
      case 'hello':
      case 'pong':
        return
      case 'ping':
        this.sendFrame({ kind: 'pong' })
        return
      case 'open':
        this.#onOpen(frame.stream, frame.protocols)
        return
      case 'accept':
        this.#onAccept(frame.stream, frame.protocol)
        return
      case 'refuse':
        this.#refused(frame.stream, new UnsupportedProtocolError('the other side speaks none of the protocols'))
        return
      case 'data':
        this.#streams.get(frame.stream)?.arrived(frame.bytes)
        return
      case 'window':
        this.#streams.get(frame.stream)?.hasRoom(frame.bytes)
        return
      case 'finish':
        this.#streams.get(frame.stream)?.onRemoteCloseWrite()
        return
      case 'reset':
        this.#refused(frame.stream, new Error('the other side has broken the stream'))
        this.#streams.get(frame.stream)?.onRemoteReset()
    }
  }

  /** There is room again for what is sent. */
  drained(): void {
    for (const stream of this.streams) stream.drained()
  }

  /** The other side has closed the connection, or it is broken. */
  ended(status: 'closed' | 'reset'): void {
    this.#over(status, status === 'reset' ? new ConnectionClosedError('the connection is broken') : undefined)
  }

  #onOpen(number: number, protocols: readonly string[]): void {
    const found = this.#init.registrar.find(protocols)
    if (found === null) {
      this.sendFrame({ kind: 'refuse', stream: number })
      return
    }
    const { handler, options } = found.record
    const stream = this.#add(number, found.protocol, 'inbound')
    const most = options.maxInboundStreams ?? INBOUND_STREAMS_MAX
    if (this.#count(stream) > most) {
      stream.abort(new TooManyInboundProtocolStreamsError(`${most} streams of ${stream.protocol} are open already`))
      return
    }
    this.sendFrame({ kind: 'accept', stream: number, protocol: found.protocol })
    const handle = async (): Promise<void> => await handler(stream, this)
    handle().catch((error: unknown) => stream.abort(error instanceof Error ? error : new Error('the handler failed')))
  }

  #onAccept(number: number, protocol: string): void {
    const opening = this.#opening.get(number)
    this.#opening.delete(number)
    opening?.resolve(this.#add(number, protocol, 'outbound'))
  }

  #refused(number: number, reason: Error): void {
    this.#opening.get(number)?.reject(reason)
    this.#opening.delete(number)
  }

  #add(number: number, protocol: string, direction: MessageStreamDirection): GossipStream {
    const traffic = trafficOf(this.#init.counts, protocol)
    const stream = new GossipStream({ number, protocol, direction, carrier: this, traffic, log: this.log })
    this.#streams.set(number, stream)
    return stream
  }

  /** Streams like this one, itself among them. */
  #count({ protocol, direction }: GossipStream): number {
    let count = 0
    for (const stream of this.#streams.values())
      if (stream.protocol === protocol && stream.direction === direction) count += 1
    return count
  }

  #carriesMessages(number: number): boolean {
    const protocol = this.#streams.get(number)?.protocol
    return protocol !== undefined && this.#init.messageProtocols.includes(protocol)
  }

  #over(status: MessageStreamStatus, error?: Error): void {
    if (this.status !== 'open') return
    this.status = status
    this.timeline.close = this.#init.host.nowMs()
    const reason = error ?? new ConnectionClosedError('the connection is closed')
    for (const number of this.#opening.keys()) this.#refused(number, reason)
    for (const stream of this.streams) stream.onTransportClosed(error)
    this.dispatchEvent(new StreamCloseEvent(status !== 'reset', error))
    this.#init.onClosed(this)
  }
}
