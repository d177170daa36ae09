import { bootstrap } from '@libp2p/bootstrap'
import { identify } from '@libp2p/identify'
import type { ComponentLogger, Libp2p, PeerInfo, PeerStore, PrivateKey } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import type { Addresses } from './addresses.ts'
import { CONNECTIONS_PER_PEER_MAX } from './gater.ts'
import type { MeshGater } from './gater.ts'
import { createRouter } from './gossip.ts'
import type { GossipOptions, GossipRouter } from './gossip.ts'
import { PARALLEL_DIALS_MAX } from './keeper.ts'
import { leftovers } from './leftovers.ts'

/**
 * New connections a second from one address. A handshake is about 10 ms of CPU, so ten a second let a stranger have a
 * tenth of a core; several nodes behind one address come in within seconds, as all of them redial.
 */
const INBOUND_PER_SECOND_AND_ADDRESS_MAX = 10

/** A handshake is three messages: five seconds are enough for a link with a second of delay. */
const INBOUND_UPGRADE_TIMEOUT_MS = 5_000

/**
 * Connections that have not said yet who they are. One address can hold 50 of them (ten a second for five seconds), so
 * that two hostile ones don't shut the others out.
 */
const INBOUND_PENDING_MAX = 128

/**
 * A dead connection is found after one interval and a timeout of at least 5 s; a cut shorter than that loses nothing.
 */
const PING_INTERVAL_MS = 10_000

/**
 * Only admitted peers hold connections, each a few, and who they are can change while the node runs: this is room for
 * all the peers that a configuration file has room for, and never what keeps one out.
 */
const CONNECTIONS_MAX = 4_096 * CONNECTIONS_PER_PEER_MAX

/**
 * Streams one peer may have open: two of gossip, one each of identify and ping, and range-sync's for many namespaces.
 */
const STREAMS_PER_CONNECTION_MAX = 128

/**
 * What a peer may have under way on one stream. It must fit into the 4 MiB that libp2p buffers of a stream that is
 * paused, or the stream breaks; yamux's own 16 MiB does not. On a link with 100 ms there and back it allows 10 MiB/s.
 */
const STREAM_WINDOW_BYTES_MAX = 1_048_576

/** Other libp2p networks on the same LAN are none of our business. */
const MDNS_SERVICE = '_anchormesh._udp.local'

/** What a node is assembled from. */
export interface NodeParts {
  readonly privateKey: PrivateKey
  readonly addresses: Addresses
  readonly connectionGater: MeshGater
  readonly gossip: GossipOptions
  readonly logger: ComponentLogger
  /** Called for each peer that mDNS finds; absent: mDNS is off. */
  readonly onFound?: (peer: PeerInfo) => void
}

/** What the network uses of libp2p. */
export type MeshHost = Pick<
  Libp2p,
  | 'peerId'
  | 'start'
  | 'stop'
  | 'dial'
  | 'hangUp'
  | 'handle'
  | 'unhandle'
  | 'getConnections'
  | 'getMultiaddrs'
  | 'getPeers'
  | 'addEventListener'
  | 'removeEventListener'
> & { readonly peerStore: Pick<PeerStore, 'get' | 'delete'> }

/** A host that is not started yet, and its gossip router. */
export interface Libp2pNode {
  readonly libp2p: MeshHost
  readonly router: GossipRouter
}

/** What carries the bytes of a node, who proves whose they are, and who counts them. */
export interface Wire {
  readonly transports: NonNullable<Libp2pOptions['transports']>
  readonly connectionEncrypters: NonNullable<Libp2pOptions['connectionEncrypters']>
  readonly metrics?: NonNullable<Libp2pOptions['metrics']>
}

/** TCP and WebSockets, under Noise. */
const SOCKETS: Wire = { transports: [tcp(), webSockets()], connectionEncrypters: [noise()] }

/** Puts the wire, yamux, identify, gossipsub, bootstrap and mDNS together. */
export async function createLibp2pNode(parts: NodeParts, wire: Wire = SOCKETS): Promise<Libp2pNode> {
  const { addresses } = parts
  let router: GossipRouter | undefined
  const libp2p = await createLibp2p({
    start: false,
    privateKey: parts.privateKey,
    // Nobody needs to know which versions of libp2p and Node run here.
    nodeInfo: { name: 'anchormesh', userAgent: 'anchormesh' },
    addresses: { listen: [...addresses.listen], announce: [...addresses.announce] },
    transports: [...wire.transports],
    connectionEncrypters: [...wire.connectionEncrypters],
    streamMuxers: [
      yamux({
        maxInboundStreams: STREAMS_PER_CONNECTION_MAX,
        maxOutboundStreams: STREAMS_PER_CONNECTION_MAX,
        streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX }
      })
    ],
    connectionGater: parts.connectionGater,
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      maxIncomingPendingConnections: INBOUND_PENDING_MAX,
      inboundConnectionThreshold: INBOUND_PER_SECOND_AND_ADDRESS_MAX,
      inboundUpgradeTimeout: INBOUND_UPGRADE_TIMEOUT_MS,
      // The keeper's own bound, and as many that bootstrap and mDNS begin.
      maxParallelDials: 2 * PARALLEL_DIALS_MAX
    },
    connectionMonitor: { pingInterval: PING_INTERVAL_MS },
    peerDiscovery: discovery(parts),
    services: {
      identify: identify(),
      gossip: (components) => (router = createRouter(parts.gossip)(components)),
      leftovers: leftovers(() => router)
    },
    logger: parts.logger,
    ...(wire.metrics === undefined ? {} : { metrics: wire.metrics })
  })
  if (router === undefined) throw new TypeError('libp2p made no gossip service')
  return { libp2p, router }
}

function discovery({ addresses, onFound }: NodeParts): NonNullable<Libp2pOptions['peerDiscovery']> {
  const found: NonNullable<Libp2pOptions['peerDiscovery']> = []
  if (addresses.bootstrap.length > 0) found.push(bootstrap({ list: [...addresses.bootstrap] }))
  if (onFound !== undefined) {
    found.push((components) => {
      const service = mdns({ serviceTag: MDNS_SERVICE })(components)
      // libp2p itself listens here too and drops its listener with the service; ours goes the same way.
      service.addEventListener('peer', ({ detail }) => onFound(detail))
      return service
    })
  }
  return found
}
