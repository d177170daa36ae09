import type { MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { peerIdIn } from './addresses.ts'

/**
 * Connections to one peer. Both sides may dial at once, which makes two, and a peer that lost power leaves one behind
 * until its ping fails; more would let one admitted peer take the places of the others.
 */
export const CONNECTIONS_PER_PEER_MAX = 4

/** A refused peer is named in the log this often; how often it tried meanwhile is in `refusedConnections`. */
const LOG_AGAIN_AFTER_MS = 60_000

/** PeerIds cost nothing to invent, so no more than this many are named within that time. */
const LOGGED_PEERS_MAX = 64

/** What the gater is built from. */
export interface GaterDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** This node's own PeerId, whose addresses the peer store keeps too. */
  readonly self: string
  /** The PeerIds that `peers.yaml` binds now. */
  readonly admitted: Pick<ReadonlySet<string>, 'has'>
  /** Whether an admitted peer is kept out for now. */
  isShutOut(peerId: string): boolean
  /** How many connections to a peer are open. */
  connectionsOf(peerId: PeerId): number
}

/** Those of libp2p's questions that are answered here. */
export interface MeshGater {
  denyDialPeer(peerId: PeerId): boolean
  denyDialMultiaddr(address: Multiaddr): boolean
  denyOutboundConnection(peerId: PeerId, connection: Pick<MultiaddrConnection, 'remoteAddr'>): boolean
  denyOutboundEncryptedConnection(peerId: PeerId, connection: Pick<MultiaddrConnection, 'remoteAddr'>): boolean
  denyInboundEncryptedConnection(peerId: PeerId, connection: Pick<MultiaddrConnection, 'remoteAddr'>): boolean
  filterMultiaddrForPeer(peerId: PeerId): boolean
}

/** libp2p's gater and what it refused. */
export interface Gater {
  readonly connectionGater: MeshGater
  /** Connections refused because the PeerId is not admitted, in and out. */
  refusedConnections(): number
}

/**
 * Closed by default: whoever `peers.yaml` does not bind is not dialled, and is cut off as soon as the Noise handshake
 * has proved who it is, before any protocol is spoken; and so is who is shut out for a while.
 */
export function createGater(deps: GaterDeps): Gater {
  const loggedAtMs = new Map<string, number>()
  let refused = 0

  const log = (peerId: string, direction: 'inbound' | 'outbound', address: string | undefined): void => {
    const nowMs = deps.clock.monotonicMs()
    for (const [earlier, atMs] of loggedAtMs) {
      if (nowMs - atMs < LOG_AGAIN_AFTER_MS) break
      loggedAtMs.delete(earlier)
    }
    if (loggedAtMs.has(peerId) || loggedAtMs.size >= LOGGED_PEERS_MAX) return
    loggedAtMs.set(peerId, nowMs)
    const fields = { peerId, direction, address, refusedConnections: refused }
    deps.logger.warn(fields, 'refused a peer that peers.yaml does not bind')
  }

  const isKeptOut = (peerId: PeerId, direction: 'inbound' | 'outbound', address?: Multiaddr): boolean => {
    const id = peerId.toString()
    // It is in the log and in `status` already.
    if (deps.admitted.has(id)) return deps.isShutOut(id)
    refused += 1
    log(id, direction, address?.toString())
    return true
  }

  const hasEnough = (peerId: PeerId): boolean => {
    const enough = deps.connectionsOf(peerId) >= CONNECTIONS_PER_PEER_MAX
    if (enough) deps.logger.debug({ peerId: peerId.toString() }, 'refused one more connection of a connected peer')
    return enough
  }

  return {
    connectionGater: {
      denyDialPeer: (peerId) => isKeptOut(peerId, 'outbound'),
      // An address that names no peer leads to whoever answers there.
      denyDialMultiaddr: (address) => !deps.admitted.has(peerIdIn(address) ?? ''),
      denyOutboundConnection: (peerId, connection) => isKeptOut(peerId, 'outbound', connection.remoteAddr),
      denyOutboundEncryptedConnection: (peerId, connection) => isKeptOut(peerId, 'outbound', connection.remoteAddr),
      denyInboundEncryptedConnection: (peerId, connection) =>
        isKeptOut(peerId, 'inbound', connection.remoteAddr) || hasEnough(peerId),
      filterMultiaddrForPeer: (peerId) => deps.admitted.has(peerId.toString()) || peerId.toString() === deps.self
    },
    refusedConnections: () => refused
  }
}
