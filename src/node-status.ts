import { toHex } from '../protocols/primitives/bytes.ts'
import type { NodeAnchoring } from './anchoring/node-anchoring.ts'
import type { KeyWatch } from './authoring/key-watch.ts'
import type { EquivocationWatch } from './authoring/equivocation-watch.ts'
import type { FindingsCounts } from './findings/findings.ts'
import type { NetworkStatus } from './network/network.ts'
import type { NodeParts } from './node-parts.ts'
import type { NodeStatus, PeerSync } from './operations.ts'
import type { NodeTrust } from './packs/node-trust.ts'
import type { NodeTransparency } from './transparency/node-transparency.ts'
import type { PeerSyncStatus } from './sync/session-book.ts'

/** What a running node knows of itself beside its parts. */
export interface Running {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly startedMonotonicMs: number
  /** `null` without a network, and before it is joined. */
  readonly mesh: NetworkStatus | null
  readonly equivocations: EquivocationWatch
  readonly anchoring: NodeAnchoring
  readonly trust: NodeTrust
  /** `null` where no schedule was given. */
  readonly keyWatch: KeyWatch | null
  readonly transparency: NodeTransparency
  /** What came for tenants. */
  readonly gateway: { readonly findings: { readonly counts: FindingsCounts } }
}

/** How the node is, for those who operate it. */
export async function nodeStatus(parts: NodeParts, running: Running): Promise<NodeStatus> {
  const { live, ports, log, engine, door, sync, bundles, verification, nodeAudit } = parts
  const policy = parts.policy()
  const signer = parts.signer()
  const { logSeq, hash } = log.head
  const anchoring = await running.anchoring.status()
  const storeBytes = await ports.store.sizeBytes()
  const projections = engine.status()
  const reasons = projections
    .filter(({ state }) => state === 'halted')
    .map(({ name, reason }) => `projection ${name} ${reason ?? 'halted'}`)
  if (log.fault !== null) reasons.push(`the log can't be written: ${log.fault}`)
  return {
    did: signer.did,
    orgId: policy.self.orgId,
    kid: signer.kid,
    version: live.config().version,
    startedAt: running.startedAt,
    uptimeMs: Math.round(ports.clock.monotonicMs() - running.startedMonotonicMs),
    health: { ok: reasons.length === 0, reasons },
    warnings: [
      ...(typeof signer.problem === 'string' ? [signer.problem] : []),
      ...(await running.equivocations.warnings()),
      ...((await running.keyWatch?.warnings()) ?? []).map(({ text }) => text),
      ...verification.warnings(),
      ...(sync?.warnings() ?? []),
      ...running.anchoring.warningsOf(anchoring),
      ...(nodeAudit?.warnings() ?? []),
      ...(await running.trust.warnings()),
      ...(await running.transparency.warnings())
    ],
    log: {
      logSeq,
      epoch: log.epoch,
      headHash: toHex(hash),
      storeBytes,
      bytesPerEvent: logSeq === 0 ? 0 : Math.round(storeBytes / logSeq)
    },
    namespaces: await namespacesOf(parts),
    projections,
    ingest: door.status(),
    verification: verification.status(),
    audit: nodeAudit?.status() ?? null,
    receipts: await bundles.status(),
    findings: running.gateway.findings.counts,
    anchoring,
    network: running.mesh,
    sync: sync?.status().map(peerSync) ?? []
  }
}

async function namespacesOf({ policy: current, log }: NodeParts): Promise<NodeStatus['namespaces']> {
  const policy = current()
  const namespaces = []
  for (const namespace of policy.namespaces) {
    namespaces.push({ namespace, members: policy.members(namespace).length, events: await log.count(namespace) })
  }
  return namespaces
}

function peerSync({ did, namespace, isRunning, nextAt, last, total }: PeerSyncStatus): PeerSync {
  if (last === null) return { did, namespace, isRunning, nextAt, last, total }
  const { end, detail = null, rounds, bytesRead, bytesWritten, sent, received, membershipDiffers } = last.report
  const figures = { rounds, bytes: bytesRead + bytesWritten, sent, received: received.accepted }
  const session = { at: last.at, end, detail, ...figures, membershipDiffers }
  return { did, namespace, isRunning, nextAt, last: session, total }
}
