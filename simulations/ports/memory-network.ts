import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Network, NetworkHandlers, NetworkStatus, NetworkUpdate, PeerStatus } from '../../src/network/network.ts'
import { BoundedMap } from '../../src/platform/bounded-map.ts'
import type { StreamOpening } from '../../src/streams/peer-stream.ts'
import { createMemoryWires } from './memory-wires.ts'
import type { MemoryWires } from './memory-wires.ts'

// gossipsub forgets messages after minutes; 65,536 ids are more than a run by hand sends in that time, and about 8 MiB
// a node.
const SEEN_MESSAGES_MAX = 65_536

/** A node as the mesh knows it. */
export interface MemoryPeer {
  readonly did: string
  readonly peerId: string
  /** The topics that it subscribes to, `_trust` included. */
  readonly namespaces: readonly string[]
}

/** One direction between two nodes, by PeerId. */
export interface MemoryLink {
  readonly from: string
  readonly to: string
  /** Messages that were sent and have not arrived. */
  readonly waiting: number
  readonly cut: boolean
}

/**
 * A mesh in memory. Every node that has started is linked with every other; a message that is published or accepted
 * goes to each linked subscriber, waits in the link's queue, and arrives when it is delivered here. Each node judges a
 * message once, as gossipsub does: what it has seen, whatever the verdict, is not judged again.
 *
 * Two nodes are connected while both run and neither direction between them is cut. Their streams need no delivery: they
 * move as fast as they are read.
 */
export interface MemoryHub {
  /** The network port of a node; one that has stopped may join again, by a new port. */
  join(peer: MemoryPeer): Network
  /** The links on which messages wait, the one with the oldest message first. */
  links(): readonly MemoryLink[]
  /**
   * Lets the oldest message of a link arrive; resolves once it is judged and passed on. False when none waits or the
   * link is cut. The message leaves the queue at once, so that several may be judged at the same time.
   */
  deliver(from: string, to: string): Promise<boolean>
  /**
   * Delivers, oldest first, until nothing waits on a link that is not cut. Resolves with the number of messages that
   * arrived.
   */
  drain(): Promise<number>
  /**
   * Cuts one direction: what waits and what is still sent stays in the queue, as on a stream that resends. The two are
   * no longer connected, which breaks their streams at once.
   */
  cut(from: string, to: string): void
  heal(from: string, to: string): void
  /** Loses what waits on a link, as when its connection breaks. */
  lose(from: string, to: string): void
}

interface Message {
  readonly order: number
  readonly namespace: string
  readonly wire: Uint8Array
}

/** A hub without nodes. */
export function createMemoryHub(): MemoryHub {
  const nodes = new Map<string, MemoryNode>()
  /** By `<from> <to>`. Grows with what the driver does not deliver. */
  const queues = new Map<string, Message[]>()
  const cuts = new Set<string>()
  const wires = createMemoryWires({
    peerIds: () => [...nodes.keys()],
    handlersOf: (peerId) => nodes.get(peerId)?.handlers ?? null,
    isCut: (from, to) => cuts.has(linkName(from, to))
  })
  let order = 0

  const send = (from: string, namespace: string, wire: Uint8Array, except: string | null): number => {
    const receivers = [...nodes.values()].filter(
      (node) => node.runs && node.peer.peerId !== from && node.peer.peerId !== except && node.carries(namespace)
    )
    for (const { peer } of receivers) {
      const name = linkName(from, peer.peerId)
      const queue = queues.get(name) ?? []
      order += 1
      queue.push({ order, namespace, wire: new Uint8Array(wire) })
      queues.set(name, queue)
    }
    return receivers.length
  }

  const deliver = async (from: string, to: string): Promise<boolean> => {
    const name = linkName(from, to)
    const message = cuts.has(name) ? undefined : queues.get(name)?.shift()
    if (message === undefined) return false
    const accepted = (await nodes.get(to)?.receive(message, from)) ?? false
    if (accepted) send(to, message.namespace, message.wire, from)
    return true
  }

  const links = (): MemoryLink[] =>
    [...queues]
      .filter(([, queue]) => queue.length > 0)
      .sort(([, left], [, right]) => (left[0]?.order ?? 0) - (right[0]?.order ?? 0))
      .map(([name, queue]) => {
        const [from = '', to = ''] = name.split(' ')
        return { from, to, waiting: queue.length, cut: cuts.has(name) }
      })

  return {
    join(peer) {
      if (nodes.get(peer.peerId)?.stopped === false) throw new Error(`${peer.peerId} is in the mesh already`)
      const node = new MemoryNode(peer, {
        send: (namespace, wire) => send(peer.peerId, namespace, wire, null),
        others: () => [...nodes.values()].filter((other) => other !== node),
        wires
      })
      nodes.set(peer.peerId, node)
      return node
    },
    links,
    deliver,
    async drain() {
      let delivered = 0
      for (let link = links().find(({ cut }) => !cut); link !== undefined; link = links().find(({ cut }) => !cut)) {
        await deliver(link.from, link.to)
        delivered += 1
      }
      return delivered
    },
    cut(from, to) {
      cuts.add(linkName(from, to))
      wires.update(from)
    },
    heal(from, to) {
      cuts.delete(linkName(from, to))
      wires.update(from)
    },
    lose: (from, to) => void queues.delete(linkName(from, to))
  }
}

const linkName = (from: string, to: string): string => `${from} ${to}`

interface Mesh {
  send(namespace: string, wire: Uint8Array): number
  others(): readonly MemoryNode[]
  readonly wires: MemoryWires
}

class MemoryNode implements Network {
  readonly peer: MemoryPeer
  /** Those of `peer`, until they change. */
  #namespaces: readonly string[]
  readonly #mesh: Mesh
  readonly #seen = new BoundedMap<string, true>(SEEN_MESSAGES_MAX)
  readonly #counts = { judged: 0, published: 0 }
  /** How often each peer was penalised; only nodes of the hub get in. */
  readonly #penalties = new Map<string, number>()
  #handlers: NetworkHandlers | null = null
  #stopped = false

  constructor(peer: MemoryPeer, mesh: Mesh) {
    this.peer = peer
    this.#namespaces = peer.namespaces
    this.#mesh = mesh
  }

  get runs(): boolean {
    return this.handlers !== null
  }

  /** What it was started with; null while it does not run. */
  get handlers(): NetworkHandlers | null {
    return this.#stopped ? null : this.#handlers
  }

  get stopped(): boolean {
    return this.#stopped
  }

  carries(namespace: string): boolean {
    return this.#namespaces.includes(namespace)
  }

  start(handlers: NetworkHandlers): Promise<void> {
    if (this.#handlers !== null || this.#stopped) return Promise.reject(new Error('the network was started before'))
    this.#handlers = handlers
    this.#mesh.wires.update(this.peer.peerId)
    return Promise.resolve()
  }

  publish(namespace: string, wire: Uint8Array): Promise<number> {
    if (!this.carries(namespace)) return Promise.reject(new RangeError(`the namespace ${namespace} is not carried`))
    if (!this.runs) return Promise.resolve(0)
    this.#counts.published += 1
    return Promise.resolve(this.#takeNew(namespace, wire) ? this.#mesh.send(namespace, wire) : 0)
  }

  /** Whether the message is to be passed on. */
  async receive({ namespace, wire }: Message, from: string): Promise<boolean> {
    if (this.#handlers === null || !this.runs || !this.#takeNew(namespace, wire)) return false
    this.#counts.judged += 1
    return (await this.#handlers.judge(namespace, wire, from)) === 'accept'
  }

  /** Whom a node knows is its policy's affair: in the hub every two that run are linked. */
  prepare({ namespaces = this.#namespaces }: Partial<NetworkUpdate>): () => Promise<void> {
    return () => {
      this.#namespaces = namespaces
      return Promise.resolve()
    }
  }

  status(): NetworkStatus {
    const others = this.#mesh.others()
    const running = this.runs ? others.filter(({ runs }) => runs) : []
    const connected = this.connected()
    const topics = this.#namespaces.map((namespace) => {
      const subscribers = running.filter((other) => other.carries(namespace)).length
      return [namespace, { mesh: subscribers, subscribers }] as const
    })
    return {
      peerId: this.peer.peerId,
      multiaddrs: this.runs ? [addressOf(this.peer.peerId)] : [],
      peers: others.map(({ peer }) =>
        peerStatus(peer, connected.includes(peer.peerId), this.#penalties.get(peer.peerId) ?? 0)
      ),
      topics: Object.fromEntries(topics),
      gossip: { ...this.#counts, dropped: 0, late: 0 },
      refusedConnections: 0
    }
  }

  connected(): readonly string[] {
    return this.runs ? this.#mesh.wires.connectedTo(this.peer.peerId) : []
  }

  open(peerId: string, protocol: string, signal: AbortSignal): Promise<StreamOpening> {
    if (!this.runs) return Promise.resolve({ ok: false, reason: 'offline', detail: 'the network does not run' })
    return this.#mesh.wires.open({ from: this.peer.peerId, to: peerId, protocol, signal })
  }

  /** Only counts: whom a simulation shuts out is its driver's affair. */
  penalise(peerId: string): void {
    if (!this.#mesh.others().some(({ peer }) => peer.peerId === peerId)) return
    this.#penalties.set(peerId, (this.#penalties.get(peerId) ?? 0) + 1)
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#mesh.wires.update(this.peer.peerId)
    await this.#mesh.wires.handled(this.peer.peerId)
  }

  /** Remembers the message by its full bytes; false when it was seen before. */
  #takeNew(namespace: string, wire: Uint8Array): boolean {
    const id = `${namespace} ${sha256Hex(wire)}`
    if (this.#seen.has(id)) return false
    this.#seen.set(id, true)
    return true
  }
}

/** The price of a penalty is that of a reject to the real network: ten times the square of their number. */
function peerStatus({ did, peerId }: MemoryPeer, connected: boolean, penalties: number): PeerStatus {
  return {
    did,
    peerId,
    connected,
    connections: connected ? [addressOf(peerId)] : [],
    ...(penalties > 0 ? { score: -10 * penalties ** 2 } : {})
  }
}

const addressOf = (peerId: string): string => `/memory/${peerId}`
