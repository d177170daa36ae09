import type { Clock } from '../../platform/clock.ts'

/**
 * How long it takes until one reject is forgotten. An honest node judges before it forwards and so never passes on what
 * must be rejected; one every quarter of an hour is more than a bug in a mixed-version mesh should cause.
 */
export const FORGET_ONE_REJECT_MS = 15 * 60_000

/** Past this many nothing changes any more, and forgetting shall not take days. */
const REJECTS_MAX = 16

interface Rejects {
  /** Those that gossipsub counts itself (P4) for the connection that stands. */
  current: number
  /** Those that it does not know or has forgotten. */
  carried: number
  atMs: number
}

/**
 * What gossipsub 17.1 forgets: its score makes a new record when a peer connects again, so that a graylisted peer would
 * be clean after a reconnect, although the score is meant to be kept (gossipsub v1.1, `RetainScore`). This memory gives
 * the application's part of the score (P5) what is missing, and no more: together with P4 each reject counts once.
 */
export interface RejectMemory {
  /** A message of this peer was rejected and gossipsub knows it. */
  rejected(peerId: string): void
  /** A message of this peer was rejected, but gossipsub had been told `ignore`. */
  rejectedLate(peerId: string): void
  /** The peer connects anew: from here gossipsub counts from zero. */
  connected(peerId: string): void
  /**
   * What has to be added to the square of the rejects that gossipsub counts to make it the square of all of them,
   * decayed; never negative.
   */
  missingSquare(peerId: string): number
}

/** An empty memory. It holds known peers only, so it needs no bound of its own. */
export function createRejectMemory(clock: Clock): RejectMemory {
  const peers = new Map<string, Rejects>()

  const read = (peerId: string): Rejects | undefined => {
    const rejects = peers.get(peerId)
    if (rejects === undefined) return undefined
    const nowMs = clock.monotonicMs()
    let forgotten = (nowMs - rejects.atMs) / FORGET_ONE_REJECT_MS
    rejects.atMs = nowMs
    const fromCarried = Math.min(rejects.carried, forgotten)
    rejects.carried -= fromCarried
    forgotten -= fromCarried
    rejects.current = Math.max(0, rejects.current - forgotten)
    if (rejects.current + rejects.carried > 0) return rejects
    peers.delete(peerId)
    return undefined
  }

  const add = (peerId: string, part: 'current' | 'carried'): void => {
    const rejects = read(peerId) ?? { current: 0, carried: 0, atMs: clock.monotonicMs() }
    rejects[part] = Math.min(REJECTS_MAX, rejects[part] + 1)
    peers.set(peerId, rejects)
  }

  return {
    rejected: (peerId) => add(peerId, 'current'),
    rejectedLate: (peerId) => add(peerId, 'carried'),
    connected(peerId) {
      const rejects = read(peerId)
      if (rejects === undefined) return
      rejects.carried = Math.min(REJECTS_MAX, rejects.carried + rejects.current)
      rejects.current = 0
    },
    missingSquare(peerId) {
      const rejects = read(peerId)
      if (rejects === undefined) return 0
      return (rejects.carried + rejects.current) ** 2 - rejects.current ** 2
    }
  }
}
