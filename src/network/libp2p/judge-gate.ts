import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { GossipVerdict, NetworkHandlers } from '../network.ts'

/**
 * gossipsub asks for a verdict within 100 ms: its score counts what a mesh peer delivers late against it, and a message
 * that waits is not forwarded meanwhile.
 */
export const JUDGE_DEADLINE_MS = 100

/**
 * One peer's share of the messages under judgement. At some 0.35 ms of CPU each, 256 is about what gets a verdict
 * within the deadline, so a peer that sends faster would only make its own messages late.
 */
export const IN_FLIGHT_PER_PEER_MAX = 256

/**
 * All messages under judgement: four peers at their full share. Beyond what the deadline allows a message is judged
 * late, which still gets it into the log; at 48 KiB an event this many hold 48 MiB at worst.
 */
export const IN_FLIGHT_MAX = 1_024

/** What the gate counts; `judged` includes the late ones. */
export interface JudgeCounters {
  readonly judged: number
  readonly dropped: number
  readonly late: number
}

/** A bound in front of `judge`, because gossipsub has none: it runs as many validators at once as messages arrive. */
export interface JudgeGate {
  /** The verdict, within `JUDGE_DEADLINE_MS`: `ignore` when there is no room, no time or no answer. Never rejects. */
  judge(namespace: string, wire: Uint8Array, peerId: string): Promise<GossipVerdict>
  counters(): JudgeCounters
  /** Answers what is still open with `ignore` and everything after that too. */
  close(): void
}

/** What the gate is built from. */
export interface JudgeGateDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly handlers: NetworkHandlers
  /** A `reject` came after the deadline: gossip was told `ignore`, but the peer has still to pay. */
  onLateReject(peerId: string): void
}

/** An open gate. A place is taken until `judge` has answered, also when that is after the deadline. */
export function createJudgeGate(deps: JudgeGateDeps): JudgeGate {
  const inFlight = new Map<string, number>()
  const open = new Set<() => void>()
  const counts = { judged: 0, dropped: 0, late: 0 }
  let total = 0
  let closed = false

  const enter = (peerId: string): boolean => {
    const ofPeer = inFlight.get(peerId) ?? 0
    if (closed || total >= IN_FLIGHT_MAX || ofPeer >= IN_FLIGHT_PER_PEER_MAX) return false
    total += 1
    inFlight.set(peerId, ofPeer + 1)
    return true
  }

  const leave = (peerId: string): void => {
    total -= 1
    const ofPeer = (inFlight.get(peerId) ?? 0) - 1
    if (ofPeer > 0) inFlight.set(peerId, ofPeer)
    else inFlight.delete(peerId)
  }

  const ask = async (namespace: string, wire: Uint8Array, peerId: string): Promise<GossipVerdict> => {
    try {
      return await deps.handlers.judge(namespace, wire, peerId)
    } catch (error) {
      deps.logger.error({ namespace, peerId, error: messageOf(error) }, 'judging a message failed; it is ignored')
      return 'ignore'
    }
  }

  return {
    judge(namespace, wire, peerId) {
      if (!enter(peerId)) {
        counts.dropped += 1
        return Promise.resolve('ignore')
      }
      counts.judged += 1
      return new Promise((resolve) => {
        let answered = false
        const answer = (verdict: GossipVerdict): void => {
          answered = true
          open.delete(giveUp)
          cancelDeadline()
          resolve(verdict)
        }
        const giveUp = (): void => answer('ignore')
        const cancelDeadline = deps.clock.after(JUDGE_DEADLINE_MS, () => {
          counts.late += 1
          giveUp()
        })
        open.add(giveUp)
        void ask(namespace, wire, peerId).then((verdict) => {
          leave(peerId)
          if (!answered) answer(verdict)
          else if (verdict === 'reject' && !closed) deps.onLateReject(peerId)
        })
      })
    },
    counters: () => ({ ...counts }),
    close() {
      closed = true
      for (const giveUp of open) giveUp()
    }
  }
}
