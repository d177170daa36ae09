import type { Libp2pNode, NodeParts } from '../../src/network/libp2p/libp2p-node.ts'
import type { Scenario } from '../scenario/schema.ts'
import { createFullHost } from './full-host.ts'
import type { GossipFrame } from './gossip/frames.ts'
import { createGossipHost } from './gossip/gossip-host.ts'
import type { SimulatedHost } from './simulated-host.ts'
import type { TrafficCounts } from './traffic.ts'

/** Where a node stands in the simulated network, and where what it sees is counted. */
export interface NetworkPlace extends TrafficCounts {
  readonly host: SimulatedHost<unknown>
}

/**
 * What puts the nodes of a scenario on the simulated network: the whole of libp2p, or gossipsub on a thin host. All of
 * one network are of one level, as each has frames of its own.
 */
export function hostMakerOf({
  level,
  encryption
}: Pick<Scenario, 'level' | 'encryption'>): (parts: NodeParts, place: NetworkPlace) => Promise<Libp2pNode> {
  return level === 'full'
    ? (parts, place) => createFullHost(parts, place.host as SimulatedHost<Uint8Array>, encryption, place)
    : (parts, place) => createGossipHost(parts, place.host as SimulatedHost<GossipFrame>, place)
}
