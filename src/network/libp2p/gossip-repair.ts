import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'

/** How often the connections are looked at. */
export const REPAIR_CHECK_MS = 5_000

/** Identify and the negotiation of a stream take well under a second, and may take ten before libp2p gives up. */
export const REPAIR_AFTER_MS = 15_000

/** What the repair looks at. */
export interface GossipRepairDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** The connected peers. */
  connectedPeers(): readonly string[]
  /** Whether gossip with the peer works as far as this node can see, or is withheld on purpose. */
  hasGossip(peerId: string): boolean
  /** Whether the peer has said that it speaks gossipsub. */
  speaksGossip(peerId: string): Promise<boolean>
  /** Closes all connections to the peer; the keeper dials it again. */
  hangUp(peerId: string): Promise<void>
}

/**
 * Finds peers that are connected but lost to gossip. gossipsub 17.1 opens its stream and says its topics once per
 * connection: when the stream fails or is reset (an RPC over the limit, a full buffer, one of two connections closed),
 * or the topics were said while the peer was graylisted here, that is not made good while the connection stands, and
 * both sides look healthy for ever. A new connection is the only way back.
 * @returns stops the checks
 */
export function startGossipRepair(deps: GossipRepairDeps): () => void {
  const { clock, logger } = deps
  const silentSinceMs = new Map<string, number>()
  let stopped = false
  let cancel = clock.after(REPAIR_CHECK_MS, check)

  function check(): void {
    const silent = deps.connectedPeers().filter((peerId) => !deps.hasGossip(peerId))
    for (const peerId of silentSinceMs.keys()) if (!silent.includes(peerId)) silentSinceMs.delete(peerId)
    for (const peerId of silent) {
      const sinceMs = silentSinceMs.get(peerId)
      if (sinceMs === undefined) silentSinceMs.set(peerId, clock.monotonicMs())
      else if (clock.monotonicMs() - sinceMs >= REPAIR_AFTER_MS) void repair(peerId)
    }
    cancel = clock.after(REPAIR_CHECK_MS, check)
  }

  async function repair(peerId: string): Promise<void> {
    silentSinceMs.delete(peerId)
    try {
      if (!(await deps.speaksGossip(peerId)) || stopped) return
      logger.info({ peerId }, 'a connected peer is lost to gossip; connecting anew')
      await deps.hangUp(peerId)
    } catch (error) {
      logger.debug({ peerId, error: messageOf(error) }, 'connecting anew to a silent peer failed; it is tried again')
    }
  }

  return () => {
    stopped = true
    cancel()
  }
}
