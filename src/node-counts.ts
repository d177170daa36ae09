import type { NodeAnchoring } from './anchoring/node-anchoring.ts'
import type { Store } from './log/store.ts'
import type { NodeCounts, StoreRoom } from './metrics/node-counts.ts'
import type { NodeGateway } from './node-gateway.ts'
import type { NodeParts } from './node-parts.ts'
import type { NodePackSync } from './pack-sync/node-pack-sync.ts'
import { NO_SESSION_ENDS } from './sync/session-book.ts'
import type { NodeTransparency } from './transparency/node-transparency.ts'

/** What counts in a running node beside its parts. */
export interface Counting {
  readonly gateway: NodeGateway
  readonly anchoring: NodeAnchoring
  readonly packSync: NodePackSync
  readonly transparency: NodeTransparency
}

/** What the parts of the node have counted. Rejects where a store does not say how large it is. */
export async function nodeCounts(parts: NodeParts, running: Counting): Promise<NodeCounts> {
  const { ports, log, audit, verification, sync } = parts
  const { gateway, anchoring, packSync, transparency } = running
  const { attempts, newest } = await transparency.figures()
  return {
    subscriptions: gateway.subscriptions.stats(),
    deliveries: gateway.deliveries.counts,
    findings: gateway.findings.outcomes,
    access: gateway.access.counts,
    security: audit.security,
    verification: verification.counts,
    anchoring: anchoring.counts,
    packSync: packSync.counts,
    syncEnds: sync?.ends ?? NO_SESSION_ENDS,
    checkpoint: {
      attempts,
      signedAt: newest?.ts ?? 0,
      // The newest may speak of more than there is, after a restore.
      lag: Math.max(0, log.head.logSeq - (newest?.size ?? 0))
    },
    stores: { log: await roomOf(ports.store), blobs: await roomOf(ports.blobs) }
  }
}

async function roomOf(store: Pick<Store, 'sizeBytes' | 'freeBytes'>): Promise<StoreRoom> {
  return { bytes: await store.sizeBytes(), freeBytes: await store.freeBytes() }
}
