import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import type { Libp2pNode, NodeParts } from '../../src/network/libp2p/libp2p-node.ts'
import type { KnownPeer, Network } from '../../src/network/network.ts'
import type { Clock } from '../../src/platform/clock.ts'
import type { Logger } from '../../src/platform/logger.ts'
import type { Random } from '../../src/platform/random.ts'
import { ablatedNetwork, withoutRedial } from './ablated-network.ts'
import type { Ablation } from './ablated-network.ts'
import type { CastMember } from './cast.ts'

export interface MeshPortOptions {
  readonly member: CastMember
  readonly namespaces: readonly string[]
  readonly knownPeers: readonly KnownPeer[]
  readonly ablation: Ablation
  readonly createHost: (parts: NodeParts) => Promise<Libp2pNode>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The node has its first connection to a peer, or no more. */
  readonly connected: (peerId: string) => void
  readonly disconnected: (peerId: string) => void
}

/** The real network of a node on a simulated host, without what is switched off. */
export function meshPort(options: MeshPortOptions): Network {
  const { member, namespaces, knownPeers, ablation, createHost, clock, random, logger } = options
  const network = createLibp2pNetwork(
    {
      listen: [member.multiaddr],
      announce: [],
      bootstrap: [],
      mdns: false,
      namespaces,
      peerKeySeed: member.peerKeySeed,
      knownPeers
    },
    {
      clock,
      random,
      logger,
      createHost: async (parts) => {
        const made = await createHost(parts)
        return ablation.redial ? withoutRedial(made) : made
      }
    }
  )
  return observed(ablatedNetwork(network, ablation), options)
}

function observed(network: Network, { connected, disconnected }: MeshPortOptions): Network {
  return {
    ...network,
    start: async (handlers) =>
      await network.start({
        ...handlers,
        connected: (peerId) => {
          connected(peerId)
          handlers.connected?.(peerId)
        },
        disconnected: (peerId) => {
          disconnected(peerId)
          handlers.disconnected?.(peerId)
        }
      })
  }
}
