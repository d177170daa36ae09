import type { AuditEntry } from '../platform/audit.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import type { Job } from './job.ts'
import { nameOf } from './job.ts'
import type { SessionReport } from './session.ts'

/** Reports that are kept for `status`: peers and namespaces are configured, so few come near. */
const REPORTS_MAX = 4_096

/** A session that has ended. */
export interface FinishedSession extends Job {
  readonly role: 'initiator' | 'responder'
  /** Wall-clock time of its end. */
  readonly at: number
  /** Whether other sessions over the namespace were under way then, which may bring more. */
  readonly othersRun: boolean
  readonly report: SessionReport
}

/** What all sessions with a peer over a namespace came to since the start, whoever opened them. */
export interface SyncTotals {
  readonly sessions: number
  readonly rounds: number
  readonly bytes: number
  readonly sent: number
  readonly received: number
  /** Events that came though they were here already: from two peers at the same time, for one. */
  readonly duplicate: number
}

const NO_TOTALS: SyncTotals = { sessions: 0, rounds: 0, bytes: 0, sent: 0, received: 0, duplicate: 0 }

/** What `status` shows of the sessions with one peer over one namespace. */
export interface PeerSyncStatus {
  readonly did: string
  readonly namespace: string
  /** The last session, whoever opened it. */
  readonly last: FinishedSession | null
  readonly total: SyncTotals
  readonly isRunning: boolean
  /** Wall-clock time (ms) of the next session; null while the peer is not connected. */
  readonly nextAt: number | null
}

/** How sessions ended since the start, by who opened them. */
export type SessionEnds = Readonly<Record<FinishedSession['role'], Counts<SessionReport['end']>>>

const NO_ENDS: Counts<SessionReport['end']> = {
  equal: 0,
  synced: 0,
  broken: 0,
  busy: 0,
  'wrong-namespace': 0,
  'too-big': 0,
  'bad-frame': 0,
  lied: 0,
  timeout: 0
}
/** Of a node without a mesh. */
export const NO_SESSION_ENDS: SessionEnds = { initiator: NO_ENDS, responder: NO_ENDS }

/** The sessions of this node since the start: the last one with each peer over each namespace, and what all came to. */
export class SessionBook {
  readonly #last = new BoundedMap<string, FinishedSession>(REPORTS_MAX)
  readonly #totals = new BoundedMap<string, SyncTotals>(REPORTS_MAX)

  readonly #ends = { initiator: new Tally(NO_ENDS), responder: new Tally(NO_ENDS) }

  note(session: FinishedSession): void {
    this.#ends[session.role].add(session.report.end)
    this.#last.set(nameOf(session), session)
    this.#totals.set(nameOf(session), added(this.#totals.get(nameOf(session)) ?? NO_TOTALS, session.report))
  }

  /** A session that a peer opened, and that ended before it named a namespace. */
  noteUnnamed({ end }: SessionReport): void {
    this.#ends.responder.add(end)
  }

  get ends(): SessionEnds {
    const { initiator, responder } = this.#ends
    return { initiator: initiator.counts, responder: responder.counts }
  }

  of(job: Job): Pick<PeerSyncStatus, 'last' | 'total'> {
    return { last: this.#last.get(nameOf(job)) ?? null, total: this.#totals.get(nameOf(job)) ?? NO_TOTALS }
  }
}

function added(total: SyncTotals, report: SessionReport): SyncTotals {
  return {
    sessions: total.sessions + 1,
    rounds: total.rounds + report.rounds,
    bytes: total.bytes + report.bytesRead + report.bytesWritten,
    sent: total.sent + report.sent,
    received: total.received + report.received.accepted,
    duplicate: total.duplicate + report.received.duplicate
  }
}

/** What the audit log has of a session. A difference that nobody is to blame for is no failure. */
export function sessionEntry({ peerId, namespace, role, report }: FinishedSession): AuditEntry {
  const { end, by, rounds, bytesRead, bytesWritten, sent, received, membershipDiffers } = report
  const isWell = end === 'equal' || end === 'synced'
  const counts = { rounds, bytesRead, bytesWritten, sent, received: received.accepted, duplicate: received.duplicate }
  return {
    action: 'SYNC_SESSION',
    actor: peerId,
    subject: namespace,
    outcome: isWell ? 'ok' : 'failed',
    code: isWell ? null : end,
    detail: { role, end, by: by ?? null, reason: report.detail ?? null, ...counts, membershipDiffers }
  }
}
