import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'

/**
 * Penalties for sending too much until a peer is shut out. Each stands for a minute's worth beyond twice what the peer may
 * send, so a node that has just come by a lot of news is warned by its score first.
 */
export const EXCESSES_MAX = 3

/** A penalty is forgotten after that time: what a peer sent too much yesterday says nothing of today. */
export const FORGET_ONE_EXCESS_MS = 15 * 60_000

/** Long enough that a flood does no harm, short enough that a peer whose operator has mended it is back by itself. */
export const SHUT_OUT_MS = 15 * 60_000

interface Offender {
  excesses: number
  atMs: number
  /** Until when it is shut out, monotonic; `null` while it is not. */
  shutOutUntilMs: number | null
}

/** The peers that send too much, and those that are kept out for it. */
export interface ShutOut {
  /** A peer sent too much once more. True: from now on it is shut out. */
  exceeded(peerId: string): boolean
  isShutOut(peerId: string): boolean
  /** The square of the penalties that are not forgotten, for the score; never so much that it graylists by itself. */
  excessSquare(peerId: string): number
  /** What to show of the peer; undefined where nothing is wrong. */
  note(peerId: string): string | undefined
}

/** Nobody yet. It is told of known peers only, so it needs no bound of its own. */
export function createShutOut({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }): ShutOut {
  const offenders = new Map<string, Offender>()

  const read = (peerId: string): Offender | undefined => {
    const offender = offenders.get(peerId)
    if (offender === undefined) return undefined
    const nowMs = clock.monotonicMs()
    const forgotten = (nowMs - offender.atMs) / FORGET_ONE_EXCESS_MS
    offender.atMs = nowMs
    offender.excesses = Math.max(0, offender.excesses - forgotten)
    if (offender.shutOutUntilMs !== null && offender.shutOutUntilMs <= nowMs) offender.shutOutUntilMs = null
    if (offender.excesses > 0 || offender.shutOutUntilMs !== null) return offender
    offenders.delete(peerId)
    return undefined
  }

  return {
    exceeded(peerId) {
      const nowMs = clock.monotonicMs()
      const offender = read(peerId) ?? { excesses: 0, atMs: nowMs, shutOutUntilMs: null }
      offenders.set(peerId, offender)
      offender.excesses = Math.min(EXCESSES_MAX, offender.excesses + 1)
      logger.warn({ peerId, penalties: Math.ceil(offender.excesses) }, 'a peer sends far more than policy allows')
      // A little was forgotten since the first.
      if (offender.shutOutUntilMs !== null || Math.ceil(offender.excesses) < EXCESSES_MAX) return false
      offender.shutOutUntilMs = nowMs + SHUT_OUT_MS
      logger.warn({ peerId, forMs: SHUT_OUT_MS }, 'a peer is shut out for sending far too much')
      return true
    },
    isShutOut: (peerId) => (read(peerId)?.shutOutUntilMs ?? null) !== null,
    excessSquare: (peerId) => (read(peerId)?.excesses ?? 0) ** 2,
    note(peerId) {
      const untilMs = read(peerId)?.shutOutUntilMs ?? null
      if (untilMs === null) return undefined
      const until = new Date(Math.round(clock.now() + untilMs - clock.monotonicMs())).toISOString()
      return `is shut out until ${until}: it sent far more than rate.perPeer allows`
    }
  }
}
