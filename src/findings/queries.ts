import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { Feedback } from '../../protocols/feedback/v1/feedback.ts'
import type { Severity } from '../../protocols/telemetry/v1/finding.ts'
import type { Execution, Telemetry } from '../../protocols/telemetry/v1/telemetry.ts'
import type { BlobStore } from '../log/blob-store.ts'
import { feedbackOn } from '../projections/feedback.ts'
import type { FeedbackRow } from '../projections/feedback.ts'
import type { FindingRow } from '../projections/findings.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import { PAGE_ROWS_DEFAULT } from '../projections/query.ts'
import { readPage } from '../projections/page.ts'
import type { PagePorts, PageRequest } from '../projections/page.ts'

/** What is asked of the rows of a tenant, as of those of a namespace. Times are of signing, both ends included. */
export type TenantQuery = Pick<ProjectionQuery, 'signer' | 'fromTs' | 'toTs' | 'limit' | 'cursor' | 'at' | 'waitFor'>

export interface FindingsQuery extends TenantQuery {
  readonly status?: string
  readonly severity?: Severity
}

export interface FeedbackQuery extends TenantQuery {
  readonly findingId?: string
  readonly action?: string
}

export interface QueryPorts extends PagePorts {
  readonly blobs: BlobStore
}

/** One finding, and what its report said of it beside what it is judged by. */
export type FindingView = {
  readonly logSeq: number
  readonly finding: FindingRow
  /** `null` where the report was erased. */
  readonly report: {
    readonly execution: Execution
    readonly subject: string | null
    readonly detail: JsonValue
  } | null
}

type Wanted<Row> = (row: Row) => boolean

/** The findings of a tenant, in the order of their ids. Throws as `readPage` does. */
export async function findingsPage(tenant: string, query: FindingsQuery, ports: QueryPorts): Promise<ProjectionPage> {
  const { signer, status, severity, fromTs = 0, toTs = Infinity } = query
  const matches: Wanted<FindingRow> = (row) =>
    (signer === undefined || row.signer === signer) &&
    (status === undefined || row.status === status) &&
    (severity === undefined || row.severity === severity) &&
    row.timestamp >= fromTs &&
    row.timestamp <= toTs
  return await readPage('findings', pageRequest(`${tenant}!`, query, matches), ports)
}

/** One finding of a tenant; `null` where there is none. Throws as `readPage` does. */
export async function oneFinding(
  tenant: string,
  findingId: string,
  { at, waitFor }: Pick<TenantQuery, 'at' | 'waitFor'>,
  ports: QueryPorts
): Promise<FindingView | null> {
  const moment = { ...(at === undefined ? {} : { at }), ...(waitFor === undefined ? {} : { waitFor }) }
  const matches: Wanted<FindingRow> = (row) => row.findingId === findingId
  const request = { ...pageRequest(`${tenant}!`, { limit: 1, ...moment }, matches), asked: { findingId } }
  const { rows, logSeq } = await readPage('findings', request, ports)
  const finding = rows[0] as FindingRow | undefined
  if (finding === undefined) return null
  const body = (await bodiesOf<Telemetry>([finding.bodyHash], ports))[0] ?? null
  const found = body?.payload.findings.find((one) => one.findingId === findingId)
  const report =
    body === null
      ? null
      : { execution: body.payload.execution, subject: found?.subject ?? null, detail: found?.detail ?? null }
  return { logSeq, finding, report }
}

/**
 * What was said of the findings of a tenant (of one of them), each finding's in the order in which it was applied, with
 * the comments that were not erased. Throws as `readPage` does.
 */
export async function feedbackPage(tenant: string, query: FeedbackQuery, ports: QueryPorts): Promise<ProjectionPage> {
  const { signer, findingId, action, fromTs = 0, toTs = Infinity } = query
  const prefix = findingId === undefined ? `${tenant}!` : feedbackOn(tenant, findingId)
  const matches: Wanted<FeedbackRow> = (row) =>
    (signer === undefined || row.signer === signer) &&
    (action === undefined || row.action === action) &&
    row.signedAt >= fromTs &&
    row.signedAt <= toTs
  const page = await readPage('feedback', pageRequest(prefix, query, matches), ports)
  const bodies = await bodiesOf<Feedback>(
    page.rows.map((row) => (row as FeedbackRow).bodyHash),
    ports
  )
  const rows = page.rows.map((row, index): JsonObject => ({ ...row, comment: bodies[index]?.data.comment ?? null }))
  return { ...page, rows }
}

function pageRequest<Row>(prefix: string, query: TenantQuery, matches: Wanted<Row>): PageRequest {
  const { limit = PAGE_ROWS_DEFAULT, cursor, at, waitFor } = query
  return {
    prefixes: [prefix],
    asked: {},
    shows: () => true,
    matches: (row) => matches(row as unknown as Row),
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(at === undefined ? {} : { at }),
    ...(waitFor === undefined ? {} : { waitFor })
  }
}

/** What was signed, of those bodies that are still here. They were checked when they were taken. */
async function bodiesOf<Signed>(hashes: readonly string[], { blobs }: QueryPorts): Promise<(Signed | null)[]> {
  const found = await blobs.getMany(hashes)
  return found.map((bytes) =>
    bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as { signed: Signed }).signed
  )
}
