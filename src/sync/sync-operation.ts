import { AnchormeshError } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { notCarried } from '../policy/not-carried.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { SessionProgress, SessionReport } from './session.ts'
import type { SyncService } from './sync-service.ts'

/** Sessions with one peer in a row: each names what had to be left unnamed before, and ends when none moves anything. */
const SESSIONS_MAX = 64

/** A peer that is busy answers others for about this long; then it is asked once more. */
const BUSY_RETRY_MS = 500
const BUSY_RETRIES_MAX = 20

/** Which namespace, and with whom. */
export interface SyncRequest {
  readonly namespace: string
  /** The DID of a peer, whether routing names it or not; every connected peer that this node asks, if absent. */
  readonly peer?: string
}

/** What the sessions with one peer came to. */
export interface SyncResult {
  readonly did: string
  readonly namespace: string
  /** `equal`, `synced`, or the code of the error that ended the last session. */
  readonly end: string
  readonly detail: string | null
  readonly sessions: number
  /** Times that this node waited for an answer before a transfer. */
  readonly rounds: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly eventsSent: number
  readonly eventsAccepted: number
  readonly eventsDuplicate: number
  /** Wait for a key or a predecessor. */
  readonly eventsPending: number
  /** Not taken, by code. */
  readonly eventsRefused: Readonly<Record<string, number>>
  /** Whether the peer admits other members, so that equal sets are not to be expected. */
  readonly membershipDiffers: boolean
  readonly tookMs: number
}

/** What syncing on request works with. */
export interface SyncOperationPorts {
  readonly service: SyncService
  readonly policy: PolicyView
  readonly clock: Clock
}

/**
 * Syncs a namespace with one peer or all that are connected, one after the other. Throws `NOT_FOUND` for a namespace
 * that is not carried, an unknown peer or this node itself, `PEER_UNREACHABLE` where nobody is connected who may read it.
 */
export async function syncNamespace(
  { service, policy, clock }: SyncOperationPorts,
  { namespace, peer }: SyncRequest,
  onProgress: (progress: SessionProgress) => void
): Promise<readonly SyncResult[]> {
  if (!policy.carries(namespace)) throw notCarried(namespace, policy.namespaces)
  const didOf = (peerId: string): string => policy.didOfPeer(peerId) ?? peerId
  const peers =
    peer === undefined
      ? service.peersFor(namespace)
      : service.readersOf(namespace).filter((peerId) => didOf(peerId) === peer)
  if (peers.length === 0) throw nobody(namespace, peer, policy)
  const results: SyncResult[] = []
  const moved = { sent: 0, received: 0 }
  for (const peerId of peers) {
    const reports: SessionReport[] = []
    const before = { ...moved }
    let busy = 0
    for (let goesOn = true; goesOn;) {
      const report = await service.syncNow({ peerId, namespace }, ({ sent, received }) => {
        onProgress({ sent: before.sent + sent, received: before.received + received })
      })
      if (report.end === 'busy' && busy < BUSY_RETRIES_MAX) {
        busy += 1
        await clock.sleep(BUSY_RETRY_MS)
        continue
      }
      reports.push(report)
      before.sent += report.sent
      before.received += report.received.accepted
      const brought = report.sent + report.received.accepted > 0
      goesOn = report.end === 'synced' && report.hasLeft && brought && reports.length < SESSIONS_MAX
    }
    Object.assign(moved, before)
    results.push(resultOf(didOf(peerId), namespace, reports))
  }
  return results
}

function resultOf(did: string, namespace: string, reports: readonly SessionReport[]): SyncResult {
  const sum = (figure: (report: SessionReport) => number): number =>
    reports.reduce((total, report) => total + figure(report), 0)
  const refused = new Map<string, number>()
  for (const { received } of reports) {
    for (const [code, count] of Object.entries(received.ignored)) refused.set(code, (refused.get(code) ?? 0) + count)
  }
  const last = reports.at(-1)
  return {
    did,
    namespace,
    end: last?.end ?? 'busy',
    detail: last?.detail ?? null,
    sessions: reports.length,
    rounds: sum(({ rounds }) => rounds),
    bytesSent: sum(({ bytesWritten }) => bytesWritten),
    bytesReceived: sum(({ bytesRead }) => bytesRead),
    eventsSent: sum(({ sent }) => sent),
    eventsAccepted: sum(({ received }) => received.accepted),
    eventsDuplicate: sum(({ received }) => received.duplicate),
    eventsPending: sum(({ received }) => received.pending),
    eventsRefused: Object.fromEntries(refused),
    membershipDiffers: last?.membershipDiffers ?? false,
    tookMs: Math.round(sum(({ tookMs }) => tookMs))
  }
}

function nobody(namespace: string, peer: string | undefined, policy: PolicyView): AnchormeshError {
  if (peer === policy.self.did) {
    return new AnchormeshError('NOT_FOUND', `${peer} is this node itself`, { hint: 'anchormesh peers list --json' })
  }
  if (peer !== undefined && policy.orgOf(peer) === undefined) {
    return new AnchormeshError('NOT_FOUND', `peers.yaml has no peer ${peer}`, { hint: 'anchormesh peers list --json' })
  }
  const problem =
    peer !== undefined
      ? `${peer} is not connected, or may not read ${namespace}`
      : policy.routing(namespace) === null
        ? `no peer that may read ${namespace} is connected`
        : `none of the peers that routing.ask names for ${namespace} is connected`
  return new AnchormeshError('PEER_UNREACHABLE', problem, {
    hint: 'anchormesh status shows the peers and why they are not connected'
  })
}
