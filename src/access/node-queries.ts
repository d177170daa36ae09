import type { AuditOperations } from '../audit/operations.ts'
import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { SEES_ALL } from '../policy/read-scope.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import { queryRows } from '../projections/query.ts'
import type { ReceiptParts } from '../proofs/receipt-parts.ts'
import { queryReceipts } from '../proofs/standing-rows.ts'
import type { PeerSyncStatus } from '../sync/session-book.ts'
import { AUDIT_LISTING, auditPage } from './audit-rows.ts'
import type { LogPlace } from './page-query.ts'
import { PEERS_LISTING, peersPage } from './peer-rows.ts'
import type { MeshPeer, PeerSession } from './peer-rows.ts'
import type { Visibility } from './visibility.ts'

/** The projection whose rows show a standing that is not stored. */
const RECEIPTS = 'receipts'

/** What queries are answered from. */
export interface NodeQueryPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly log: { readonly epoch: string; readonly head: { readonly logSeq: number } }
  readonly policy: () => PolicyView
  /** `null` where records go elsewhere. */
  readonly nodeAudit: Pick<AuditOperations, 'audit'> | null
  /** `null` without a mesh, and before it was joined. */
  readonly mesh: () => { readonly peers: readonly MeshPeer[] } | null
  readonly sync: { status(): readonly PeerSyncStatus[] } | null
  readonly visibility: Visibility
  /** What rows of `receipts` show on request. */
  readonly receiptParts: ReceiptParts
}

/** Answers queries with what their reader may see. */
export class NodeQueries {
  readonly #ports: NodeQueryPorts

  constructor(ports: NodeQueryPorts) {
    this.#ports = ports
  }

  /** See `Operations.query`. */
  async query(name: string, query: ProjectionQuery, scope: ReadScope = SEES_ALL): Promise<ProjectionPage> {
    const { engine, store, log, visibility, policy, mesh, receiptParts } = this.#ports
    const place: LogPlace = { epoch: log.epoch, logSeq: log.head.logSeq }
    if (name === AUDIT_LISTING.name) return await auditPage(this.#auditFor(scope), query, place)
    if (name === PEERS_LISTING.name) {
      const sources = { policy: policy(), peers: mesh()?.peers ?? [], sessions: this.#sessions() }
      return peersPage(sources, query, scope, place)
    }
    const view = visibility.rowsOf(scope, engine.instance(name).projection)
    if (name === RECEIPTS) return await queryReceipts(engine, store, log.epoch, query, receiptParts, view)
    return await queryRows(engine, store, log.epoch, name, query, view)
  }

  /** Records tell what the node as a whole decided, so nobody else sees any. */
  #auditFor(scope: ReadScope): Pick<AuditOperations, 'audit'> {
    const { nodeAudit } = this.#ports
    if (!scope.isOperator) throw new AnchormeshError('INTERNAL', `${scope.actor} was let through to the audit log`)
    return nodeAudit ?? { audit: async function* () {} }
  }

  #sessions(): readonly PeerSession[] {
    return (this.#ports.sync?.status() ?? []).map(({ did, namespace, last }) => {
      if (last === null) return { did, namespace, last }
      const { end, membershipDiffers } = last.report
      return { did, namespace, last: { at: last.at, end, membershipDiffers } }
    })
  }
}
