import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'

/** A peer that does not admit this node hangs up right after the handshake; a slow link needs a second for that. */
export const SHORT_CONNECTION_MS = 2_000

/** One or two may be a peer that restarts. */
export const SHORT_CONNECTIONS_MIN = 3

const NOTE = 'closes the connection at once: does its peers.yaml bind this node?'
const ADVICE =
  'its operator runs `anchormesh peers add` with the output of `anchormesh identity` from here, and restarts'

/** Finds the peers that close every connection at once, which otherwise only come and go in the log without an end. */
export interface ShortConnections {
  connected(peerId: string): void
  disconnected(peerId: string, did: string | undefined): void
  /** What to show of the peer; undefined where nothing is wrong. */
  note(peerId: string): string | undefined
}

interface Seen {
  /** When the connection that there is now was opened. */
  sinceMs: number | null
  /** Connections in a row that were short. */
  short: number
}

export function createShortConnections({ clock, logger }: { clock: Clock; logger: Logger }): ShortConnections {
  const seen = new Map<string, Seen>()
  const warned = new Set<string>()

  const lasts = ({ sinceMs }: Seen): boolean => sinceMs !== null && clock.monotonicMs() - sinceMs >= SHORT_CONNECTION_MS

  return {
    connected(peerId) {
      seen.set(peerId, { short: seen.get(peerId)?.short ?? 0, sinceMs: clock.monotonicMs() })
    },
    disconnected(peerId, did) {
      const peer = seen.get(peerId)
      if (peer === undefined || peer.sinceMs === null) return
      peer.short = lasts(peer) ? 0 : peer.short + 1
      peer.sinceMs = null
      if (peer.short < SHORT_CONNECTIONS_MIN || warned.has(peerId)) return
      warned.add(peerId)
      logger.warn({ peerId, did }, `${did ?? peerId} ${NOTE} ${ADVICE}`)
    },
    note(peerId) {
      const peer = seen.get(peerId)
      if (peer === undefined || peer.short < SHORT_CONNECTIONS_MIN || lasts(peer)) return undefined
      return `${NOTE} ${ADVICE}`
    }
  }
}
