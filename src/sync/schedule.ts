import type { SessionReport } from './session.ts'

/**
 * When the next session with a peer over a namespace is due. Sessions that find nothing come up to this many times
 * less often: gossip brings what is new, and the next change resets it.
 */
const QUIET_FACTOR_MAX = 4

/** A session that failed is tried again after this, then after twice, four times … as long. */
const RETRY_MS = 1_000

/** A busy peer is most likely getting just what this node lacks, or has; that takes seconds. */
const BUSY_MS = 500
const BUSY_MS_MAX = 4_000

/** A peer with another policy may change it; without a reconnect that is looked at this many intervals later. */
const WRONG_NAMESPACE_INTERVALS = 10

/** A peer that lied is not asked for longer than one that is out of reach. */
const LIAR_INTERVALS_MAX = 60

/**
 * After a session that brought something and left something the next follows at once. Where only this side sent, each
 * time twice as late: a peer that says each time that it lacks the same would have it sent for ever.
 */
const REST_MS = 50

/** What is remembered of the sessions with a peer over a namespace. */
export interface Course {
  /** Sessions in a row that failed. */
  readonly failures: number
  /** Sessions in a row that found both sides equal. */
  readonly quiet: number
  /** Sessions in a row that brought nothing here, though there may be something: it was left, or the peer was busy. */
  readonly idle: number
}

export const NEW_COURSE: Course = { failures: 0, quiet: 0, idle: 0 }

/** What a session's end means for the next: in how many milliseconds it is due, before jitter. */
export function nextAfter(
  report: Pick<SessionReport, 'end' | 'by' | 'hasLeft' | 'sent' | 'received'>,
  { failures, quiet, idle }: Course,
  intervalMs: number
): { readonly course: Course; readonly delayMs: number } {
  const { end } = report
  if (end === 'equal') {
    const factor = Math.min(QUIET_FACTOR_MAX, 2 ** quiet)
    return { course: { ...NEW_COURSE, quiet: quiet + 1 }, delayMs: intervalMs * factor }
  }
  if (end === 'synced') {
    if (!report.hasLeft || report.sent + report.received.accepted === 0)
      return { course: NEW_COURSE, delayMs: intervalMs }
    if (report.received.accepted > 0) return { course: NEW_COURSE, delayMs: REST_MS }
    return { course: { ...NEW_COURSE, idle: idle + 1 }, delayMs: Math.min(intervalMs, REST_MS * 2 ** idle) }
  }
  if (end === 'busy' && report.by === 'peer') {
    return {
      course: { ...NEW_COURSE, idle: idle + 1 },
      delayMs: Math.min(intervalMs, BUSY_MS_MAX, BUSY_MS * 2 ** idle)
    }
  }
  const course = { ...NEW_COURSE, failures: failures + 1 }
  if (end === 'wrong-namespace') return { course, delayMs: intervalMs * WRONG_NAMESPACE_INTERVALS }
  if (isPeersFault(report)) return { course, delayMs: intervalMs * Math.min(LIAR_INTERVALS_MAX, 2 ** failures) }
  return { course, delayMs: Math.min(intervalMs, RETRY_MS * 2 ** failures) }
}

/** Whether the peer did what no honest node does (RS-5). */
export function isPeersFault({ end, by }: Pick<SessionReport, 'end' | 'by'>): boolean {
  return by === 'here' && (end === 'lied' || end === 'bad-frame' || end === 'too-big')
}
