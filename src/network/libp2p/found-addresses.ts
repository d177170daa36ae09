import type { PeerInfo } from '@libp2p/interface'
import { CODE_P2P } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Addresses kept per peer. A node says a handful of its own, and whoever is on the LAN can say more in its name: those
 * only cost a dial that ends at the handshake.
 */
const ADDRESSES_PER_PEER_MAX = 8

/** What mDNS has found of admitted peers. */
export interface FoundAddresses {
  /** Takes an announcement. True when the peer is admitted and now has an address. */
  add(peer: PeerInfo): boolean
  /** The addresses of a peer with `/p2p/…`, the newest first. */
  of(peerId: string): readonly Multiaddr[]
}

/** Nothing found yet. */
export function createFoundAddresses(admitted: ReadonlyMap<string, string>): FoundAddresses {
  const found = new Map<string, readonly Multiaddr[]>()
  return {
    add({ id, multiaddrs }) {
      const peerId = id.toString()
      if (!admitted.has(peerId)) return false
      const named = multiaddrs.map((address) => address.decapsulateCode(CODE_P2P).encapsulate(`/p2p/${peerId}`))
      const older = (found.get(peerId) ?? []).filter((known) => !named.some((address) => address.equals(known)))
      const addresses = [...named, ...older].slice(0, ADDRESSES_PER_PEER_MAX)
      found.set(peerId, addresses)
      return addresses.length > 0
    },
    of: (peerId) => found.get(peerId) ?? []
  }
}
