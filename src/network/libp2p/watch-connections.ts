import type { PeerId } from '@libp2p/interface'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { NetworkHandlers } from '../network.ts'
import type { Keeper } from './keeper.ts'
import type { RejectMemory } from './reject-memory.ts'
import type { ShortConnections } from './short-connections.ts'
import type { MeshHost } from './libp2p-node.ts'

/** Those who have to know who comes and goes. */
export interface ConnectionWatchers {
  /** The DID of each known peer. */
  readonly admitted: ReadonlyMap<string, string>
  readonly keeper: Keeper
  readonly memory: RejectMemory
  readonly short: ShortConnections
  readonly handlers: NetworkHandlers
  readonly logger: Logger
}

/** Tells the watchers, the node itself last. `seen` holds the peers that were connected once. */
export function watchConnections(
  libp2p: MeshHost,
  to: ConnectionWatchers
): { readonly seen: ReadonlySet<string>; stop(): void } {
  const seen = new Set<string>()
  /** Peers whose connecting the node was told of, and not their disconnecting: it may not know them any more by then. */
  const told = new Set<string>()
  // Of a peer that hangs up each time the operator was told once.
  const logChange = (peerId: string, message: string): void => {
    const fields = { peerId, did: to.admitted.get(peerId) }
    if (to.short.note(peerId) === undefined) to.logger.info(fields, message)
    else to.logger.debug(fields, message)
  }
  const tell = (handler: 'connected' | 'disconnected', peerId: string): void => {
    try {
      if (handler === 'connected' ? !to.admitted.has(peerId) : !told.delete(peerId)) return
      if (handler === 'connected') told.add(peerId)
      to.handlers[handler]?.(peerId)
    } catch (error) {
      to.logger.error({ peerId, error: messageOf(error) }, `telling that a peer is ${handler} failed`)
    }
  }
  const onConnect = ({ detail }: CustomEvent<PeerId>): void => {
    const peerId = detail.toString()
    seen.add(peerId)
    to.memory.connected(peerId)
    to.keeper.connected(peerId)
    to.short.connected(peerId)
    logChange(peerId, 'a peer connected')
    tell('connected', peerId)
  }
  const onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    const peerId = detail.toString()
    to.keeper.disconnected(peerId)
    to.short.disconnected(peerId, to.admitted.get(peerId))
    logChange(peerId, 'a peer disconnected')
    tell('disconnected', peerId)
  }
  libp2p.addEventListener('peer:connect', onConnect)
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  return {
    seen,
    stop() {
      libp2p.removeEventListener('peer:connect', onConnect)
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
    }
  }
}
