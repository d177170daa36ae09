import type {
  Connection,
  PeerId,
  StreamHandler,
  StreamHandlerOptions,
  StreamHandlerRecord,
  Topology
} from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'

/** Who handles the streams of which protocol, and who wants to know of peers that speak it. */
export class GossipRegistrar implements Pick<
  Registrar,
  'handle' | 'unhandle' | 'register' | 'unregister' | 'getTopologies'
> {
  readonly #handlers = new Map<string, StreamHandlerRecord>()
  readonly #topologies = new Map<string, { readonly protocol: string; readonly topology: Topology }>()
  #registered = 0

  get protocols(): readonly string[] {
    return [...this.#handlers.keys()]
  }

  /** The first of the protocols that is handled. */
  find(protocols: readonly string[]): { readonly protocol: string; readonly record: StreamHandlerRecord } | null {
    for (const protocol of protocols) {
      const record = this.#handlers.get(protocol)
      if (record !== undefined) return { protocol, record }
    }
    return null
  }

  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions = {}): Promise<void> {
    if (this.#handlers.has(protocol)) return Promise.reject(new Error(`${protocol} is handled already`))
    this.#handlers.set(protocol, { handler, options })
    return Promise.resolve()
  }

  unhandle(protocols: string | readonly string[]): Promise<void> {
    for (const protocol of [protocols].flat()) this.#handlers.delete(protocol)
    return Promise.resolve()
  }

  register(protocol: string, topology: Topology): Promise<string> {
    this.#registered += 1
    const id = `${this.#registered}`
    this.#topologies.set(id, { protocol, topology })
    return Promise.resolve(id)
  }

  unregister(id: string): void {
    this.#topologies.delete(id)
  }

  getTopologies(protocol: string): Topology[] {
    return [...this.#topologies.values()].filter((known) => known.protocol === protocol).map(({ topology }) => topology)
  }

  /** Tells of a peer that speaks these protocols. */
  async connected(peerId: PeerId, connection: Connection, protocols: readonly string[]): Promise<void> {
    for (const topology of this.#those(protocols)) await topology.onConnect?.(peerId, connection)
  }

  async disconnected(peerId: PeerId, protocols: readonly string[]): Promise<void> {
    for (const topology of this.#those(protocols)) await topology.onDisconnect?.(peerId)
  }

  /** Each once, however many of the protocols it wants to know of. */
  #those(protocols: readonly string[]): ReadonlySet<Topology> {
    return new Set(protocols.flatMap((protocol) => this.getTopologies(protocol)))
  }
}
