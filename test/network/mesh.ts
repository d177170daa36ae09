import { createHash } from 'node:crypto'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import type {
  GossipVerdict,
  KnownPeer,
  Network,
  NetworkHandlers,
  NetworkOptions,
  NetworkStatus,
  PeerStatus
} from '../../src/network/network.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'

/** A listen address of which the system chooses the port. */
export const ANY_PORT = '/ip4/127.0.0.1/tcp/0'

/** One message that reached `judge`. */
export interface Judged {
  readonly namespace: string
  readonly text: string
  readonly from: string
}

/** A real network on loopback whose `judge` writes down what it was asked. */
export interface MeshNode {
  readonly name: string
  readonly peerId: string
  readonly network: Network
  readonly judged: Judged[]
  /** Publishes text in the namespace `dao:test`. */
  publish(text: string): Promise<number>
  status(): NetworkStatus
  peer(other: MeshNode): PeerStatus
  /** Where it listens, with `/p2p/…`. */
  address(): string
  /** The texts that reached `judge`. */
  texts(): string[]
}

export interface MeshNodeOptions {
  readonly verdict?: (text: string) => GossipVerdict | Promise<GossipVerdict>
  /** Sees the bytes that reach `judge`. */
  readonly onWire?: (wire: Uint8Array) => void
  /** Names of other nodes, or nodes: those that have an address are dialled. */
  readonly knows?: readonly (MeshNode | string)[]
  readonly options?: Partial<NetworkOptions>
  /** What it is told and serves, beside `judge`. */
  readonly handlers?: Omit<NetworkHandlers, 'judge'>
  readonly logger?: Logger
  readonly clock?: Clock
}

/** The nodes of one test. */
export interface Mesh {
  node(name: string, options?: MeshNodeOptions): Promise<MeshNode>
  /** Keeps a network in the list of what `stop` stops. */
  keep(network: Network): Network
  stop(): Promise<void>
}

export function createMesh(): Mesh {
  const networks: Network[] = []
  const keep = (network: Network): Network => {
    networks.push(network)
    return network
  }
  return {
    keep,
    async node(name, settings = {}) {
      const { verdict = (): GossipVerdict => 'accept', onWire, knows = [], options = {} } = settings
      const { logger = silentLogger, clock = systemClock } = settings
      const judged: Judged[] = []
      const peerKeySeed = seedOf(name)
      const knownPeers = await Promise.all(knows.map(knownPeer))
      const network = keep(
        createLibp2pNetwork(
          {
            namespaces: ['dao:test'],
            listen: [ANY_PORT],
            announce: [],
            bootstrap: [],
            mdns: false,
            knownPeers,
            peerKeySeed,
            ...options
          },
          { clock, random: systemRandom, logger }
        )
      )
      await network.start({
        ...settings.handlers,
        async judge(namespace, wire, from) {
          onWire?.(wire)
          const text = Buffer.from(wire).toString()
          judged.push({ namespace, text, from })
          return verdict(text)
        }
      })
      const peerId = await peerIdOfSeed(peerKeySeed)
      return {
        name,
        peerId,
        network,
        judged,
        publish: (text) => network.publish('dao:test', Buffer.from(text)),
        status: () => network.status(),
        peer: (other) => network.status().peers.find((peer) => peer.peerId === other.peerId) ?? missing(other.name),
        address: () => network.status().multiaddrs[0] ?? missing('an address'),
        texts: () => judged.map(({ text }) => text)
      }
    },
    async stop() {
      await Promise.all(networks.splice(0).map((network) => network.stop()))
    }
  }
}

/** The seed of a node's PeerId: the same for the same name. */
export function seedOf(name: string): Uint8Array {
  return createHash('sha256').update(name).digest()
}

async function knownPeer(peer: MeshNode | string): Promise<KnownPeer> {
  if (typeof peer === 'string')
    return { did: `did:web:${peer}`, peerId: await peerIdOfSeed(seedOf(peer)), addresses: [] }
  return { did: `did:web:${peer.name}`, peerId: peer.peerId, addresses: [peer.address()] }
}

/**
 * Whether each of the nodes has all that it is connected to in its gossip mesh: from then on nothing published is lost.
 */
export function meshed(...nodes: readonly MeshNode[]): boolean {
  return nodes.every((node) => {
    const { peers, topics } = node.status()
    const connected = peers.filter((peer) => peer.connected).length
    return connected > 0 && topics['dao:test']?.mesh === connected
  })
}

function missing(what: string): never {
  throw new Error(`there is no ${what}`)
}
