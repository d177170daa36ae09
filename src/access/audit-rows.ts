import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AuditOperations, AuditRecord } from '../audit/operations.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import { PAGE_ENTRIES_MAX } from '../projections/page.ts'
import type { Listing, LogPlace } from './page-query.ts'
import { pageOf, pagePlace } from './page-query.ts'

export const AUDIT_LISTING: Listing = {
  name: 'audit',
  version: 1,
  filters: ['namespace', 'batchId', 'signer', 'status', 'fromTs', 'toTs']
}

/**
 * One page of the audit log as rows, oldest first: `signer` filters by the actor, `status` by the outcome, `namespace`
 * and `batchId` by what the record is about. Throws as `pagePlace`.
 */
export async function auditPage(
  operations: Pick<AuditOperations, 'audit'>,
  query: ProjectionQuery,
  log: LogPlace
): Promise<ProjectionPage> {
  const { limit, after } = pagePlace(AUDIT_LISTING, query, log)
  const rows: JsonObject[] = []
  let looked = 0
  // A cursor is its keeper's to change; what is no number begins at the first.
  let last = Number.parseInt(after ?? '0', 10) || 0
  for await (const record of operations.audit({ after: last })) {
    const isFull = looked === PAGE_ENTRIES_MAX || (rows.length === limit && passes(record, query))
    if (isFull) return pageOf(AUDIT_LISTING, log, rows, String(last))
    looked += 1
    if (passes(record, query)) rows.push({ ...record } satisfies JsonObject)
    last = record.seq
  }
  return pageOf(AUDIT_LISTING, log, rows, null)
}

function passes(record: AuditRecord, query: ProjectionQuery): boolean {
  const { namespace, batchId, signer, status, fromTs = 0, toTs = Infinity } = query
  const { at, actor, outcome, subject, detail } = record
  return (
    at >= fromTs &&
    at <= toTs &&
    (signer === undefined || signer === actor) &&
    (status === undefined || status === outcome) &&
    (namespace === undefined || namespace === subject || namespace === detail['namespace']) &&
    (batchId === undefined || batchId === subject || batchId === detail['batchId'])
  )
}
