import { DialError, NotFoundError, isPeerId } from '@libp2p/interface'
import type {
  AbortOptions,
  DialTarget,
  Libp2pEvents,
  MessageStreamDirection,
  Peer,
  PeerId,
  StreamHandler,
  StreamHandlerOptions
} from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { peerIdIn } from '../../../src/network/libp2p/addresses.ts'
import { createRouter } from '../../../src/network/libp2p/gossip.ts'
import type { GossipRouter } from '../../../src/network/libp2p/gossip.ts'
import type { Libp2pNode, MeshHost, NodeParts } from '../../../src/network/libp2p/libp2p-node.ts'
import { hostOf, isDialable, remoteAddress } from '../addresses.ts'
import type { SimulatedHost } from '../simulated-host.ts'
import type { SimulatedSocket } from '../socket.ts'
import { countGossip } from '../traffic.ts'
import type { TrafficCounts } from '../traffic.ts'
import type { GossipFrame } from './frames.ts'
import { GossipConnection } from './gossip-connection.ts'
import { GossipRegistrar } from './gossip-registrar.ts'
import { greet } from './greeting.ts'
import { startPings } from './pings.ts'

// As libp2p has it: for each address of a peer.
const ADDRESS_DIAL_MS = 6_000
// As this node has libp2p wait for a stranger to say who it is.
const INBOUND_GREETING_MS = 5_000

/**
 * Instead of libp2p, so that a thousand nodes fit into one process: connections and streams as libp2p has them, without
 * the bytes in which it says so. The router on it is gossipsub as it is.
 */
export function createGossipHost(
  parts: NodeParts,
  host: SimulatedHost<GossipFrame>,
  counts: TrafficCounts
): Promise<Libp2pNode> {
  const libp2p = new GossipHost(parts, host, counts)
  return Promise.resolve({ libp2p, router: libp2p.router })
}

class GossipHost extends TypedEventEmitter<Libp2pEvents> implements MeshHost {
  readonly peerId: PeerId
  readonly router: GossipRouter
  readonly peerStore: MeshHost['peerStore']
  readonly #parts: NodeParts
  readonly #host: SimulatedHost<GossipFrame>
  readonly #counts: TrafficCounts
  readonly #registrar = new GossipRegistrar()
  readonly #connections = new Map<string, GossipConnection[]>()
  /** What peers have said that they speak. */
  readonly #protocols = new Map<string, readonly string[]>()
  readonly #stopping = new AbortController()
  #stopListening: () => void = () => {}
  #stopPings: () => void = () => {}

  constructor(parts: NodeParts, host: SimulatedHost<GossipFrame>, counts: TrafficCounts) {
    super()
    this.#parts = parts
    this.#host = host
    this.#counts = counts
    this.peerId = peerIdFromPrivateKey(parts.privateKey)
    this.peerStore = {
      get: (peerId) => this.#known(peerId),
      delete: (peerId) => {
        this.#protocols.delete(peerId.toString())
        return Promise.resolve()
      }
    }
    this.router = this.#createRouter()
    countGossip(counts, this.router)
  }

  async start(): Promise<void> {
    await this.router.start()
    this.#stopListening = this.#host.listen((socket) => this.#accept(socket))
    this.#stopPings = startPings(this.#host, () => this.getConnections())
    for (const address of this.#parts.addresses.listen) {
      const listener = { getAddrs: () => [multiaddr(address)] }
      this.dispatchEvent(new CustomEvent('transport:listening', { detail: listener }))
    }
  }

  async stop(): Promise<void> {
    this.#stopListening()
    this.#stopPings()
    this.#stopping.abort(new Error('the host stops'))
    await this.router.stop()
    await Promise.all(this.getConnections().map(async (connection) => await connection.close()))
  }

  async dial(target: DialTarget, options: AbortOptions = {}): Promise<GossipConnection> {
    const addresses = isPeerId(target) ? [] : [target].flat()
    const name = isPeerId(target) ? target.toString() : (addresses.map(peerIdIn).find((known) => known !== null) ?? '')
    const standing = this.#connections.get(name)?.find(({ status }) => status === 'open')
    if (standing !== undefined) return standing
    const errors: unknown[] = []
    for (const address of addresses.filter(isDialable)) {
      options.signal?.throwIfAborted()
      try {
        return await this.#dialAddress(address, name, options.signal)
      } catch (error) {
        errors.push(error)
      }
    }
    throw errors[0] instanceof Error ? errors[0] : new DialError(`there is no address of ${name} to dial`)
  }

  async hangUp(peer: PeerId | Multiaddr): Promise<void> {
    const name = isPeerId(peer) ? peer.toString() : (peerIdIn(peer) ?? '')
    const connections = this.#connections.get(name) ?? []
    await Promise.all(connections.map(async (connection) => await connection.close()))
  }

  async handle(protocols: string | string[], handler: StreamHandler, options?: StreamHandlerOptions): Promise<void> {
    for (const protocol of [protocols].flat()) await this.#registrar.handle(protocol, handler, options)
  }

  async unhandle(protocols: string | string[]): Promise<void> {
    await this.#registrar.unhandle(protocols)
  }

  getConnections(peerId?: PeerId): GossipConnection[] {
    if (peerId !== undefined) return [...(this.#connections.get(peerId.toString()) ?? [])]
    return [...this.#connections.values()].flat()
  }

  getPeers(): PeerId[] {
    return [...this.#connections.values()].flatMap(([first]) => (first === undefined ? [] : [first.remotePeer]))
  }

  getMultiaddrs(): Multiaddr[] {
    return this.#parts.addresses.listen.map((address) => multiaddr(`${address}/p2p/${this.peerId.toString()}`))
  }

  #createRouter(): GossipRouter {
    // gossipsub 17.1 uses nothing more of its components.
    const components = {
      privateKey: this.#parts.privateKey,
      peerId: this.peerId,
      // Tags keep libp2p from closing connections of its mesh, which nobody closes here.
      peerStore: { get: this.peerStore.get.bind(this.peerStore), merge: () => Promise.resolve() },
      registrar: this.#registrar,
      connectionManager: { openConnection: async (peerId: PeerId) => await this.dial(peerId) },
      logger: this.#parts.logger
    }
    return createRouter(this.#parts.gossip)(components as unknown as Parameters<ReturnType<typeof createRouter>>[0])
  }

  #known(peerId: PeerId): Promise<Peer> {
    const protocols = this.#protocols.get(peerId.toString())
    if (protocols === undefined) return Promise.reject(new NotFoundError('the peer is not known'))
    const nothing = {
      addresses: [],
      metadata: new Map<string, Uint8Array>(),
      tags: new Map<string, { value: number }>()
    }
    return Promise.resolve({ id: peerId, protocols: [...protocols], ...nothing })
  }

  async #dialAddress(address: Multiaddr, name: string, signal: AbortSignal | undefined): Promise<GossipConnection> {
    const { connectionGater: gater } = this.#parts
    if (gater.denyDialMultiaddr(address)) throw new DialError(`${address.toString()} is not to be dialled`)
    const ending = new AbortController()
    const stop = (): void => ending.abort(new DialError('the dial was given up'))
    const patience = this.#host.after(ADDRESS_DIAL_MS, () => ending.abort(new DialError('nobody answers')))
    for (const ends of [signal, this.#stopping.signal]) ends?.addEventListener('abort', stop, { once: true })
    try {
      const connecting = await this.#host.connect(hostOf(address), ending.signal)
      if (!connecting.ok) throw new DialError(`${connecting.code} ${address.toString()}`)
      return await this.#greet(connecting.socket, address, 'outbound', name, ending.signal)
    } finally {
      patience()
      for (const ends of [signal, this.#stopping.signal]) ends?.removeEventListener('abort', stop)
    }
  }

  #accept(socket: SimulatedSocket<GossipFrame>): void {
    const ending = new AbortController()
    const patience = this.#host.after(INBOUND_GREETING_MS, () => ending.abort(new Error('it does not say who it is')))
    this.#greet(socket, remoteAddress(socket.remote), 'inbound', null, ending.signal)
      .catch((error: unknown) => this.#log('a connection was not accepted - %e', error))
      .finally(patience)
  }

  /** Each side says who it is; the dialled one only when it takes the connection. */
  async #greet(
    socket: SimulatedSocket<GossipFrame>,
    remoteAddr: Multiaddr,
    direction: MessageStreamDirection,
    expected: string | null,
    signal: AbortSignal
  ): Promise<GossipConnection> {
    const { connectionGater: gater } = this.#parts
    const deny = (peerId: PeerId): boolean =>
      direction === 'inbound'
        ? gater.denyInboundEncryptedConnection(peerId, { remoteAddr })
        : gater.denyOutboundEncryptedConnection(peerId, { remoteAddr })
    return await greet({
      socket,
      signal,
      isDialler: direction === 'outbound',
      hello: { kind: 'hello', peerId: this.peerId, protocols: this.#registrar.protocols },
      takes: (peerId) => (expected === null || expected === peerId.toString()) && !deny(peerId),
      open: ({ peerId, protocols }) => this.#open(socket, peerId, protocols, remoteAddr, direction)
    })
  }

  #open(
    socket: SimulatedSocket<GossipFrame>,
    remotePeer: PeerId,
    protocols: readonly string[],
    remoteAddr: Multiaddr,
    direction: MessageStreamDirection
  ): GossipConnection {
    const name = remotePeer.toString()
    const connection = new GossipConnection({
      host: this.#host,
      socket,
      remotePeer,
      remoteAddr,
      direction,
      registrar: this.#registrar,
      counts: this.#counts,
      messageProtocols: this.router.protocols,
      log: this.#parts.logger.forComponent('anchormesh:gossip-host'),
      onClosed: (closed) => this.#closed(closed)
    })
    const before = this.#connections.get(name) ?? []
    this.#connections.set(name, [...before, connection])
    this.#protocols.set(name, protocols)
    if (before.length === 0) this.dispatchEvent(new CustomEvent('peer:connect', { detail: remotePeer }))
    this.#registrar
      .connected(remotePeer, connection, protocols)
      .catch((error: unknown) => this.#log('telling of a peer failed - %e', error))
    return connection
  }

  #closed(connection: GossipConnection): void {
    const { remotePeer } = connection
    const name = remotePeer.toString()
    const left = (this.#connections.get(name) ?? []).filter((other) => other !== connection)
    if (left.length > 0) {
      this.#connections.set(name, left)
      return
    }
    if (!this.#connections.delete(name)) return
    this.dispatchEvent(new CustomEvent('peer:disconnect', { detail: remotePeer }))
    this.#registrar
      .disconnected(remotePeer, this.#protocols.get(name) ?? [])
      .catch((error: unknown) => this.#log('telling of a peer failed - %e', error))
  }

  #log(format: string, error: unknown): void {
    this.#parts.logger.forComponent('anchormesh:gossip-host').error(format, error)
  }
}
