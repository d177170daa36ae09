import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store } from '../log/store.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { encodeCursor } from '../projections/cursor.ts'
import type { ProjectionPage, ProjectionQuery, RowTest, RowView } from '../projections/query.ts'
import { EVERY_ROW, queryRows } from '../projections/query.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import { receiptKey } from '../projections/receipts.ts'
import type { StandingView } from '../projections/standing.ts'
import { standingsReached, viewStandings } from '../projections/standing.ts'
import type { ReceiptParts } from './receipt-parts.ts'
import { ROWS_WITH_PARTS_MAX } from './receipt-parts.ts'

// As a page waits for its own projection.
const WAIT_MS_MAX = 5_000

/**
 * One page of `receipts` with the standing of each receipt's root, worked out for the page: `standing`,
 * `standingReason`, `provenTime`, `provenBy` (the chain). The page's `logSeq` is that of the rows; the standing is as
 * of `winners`, which may be a moment ahead or behind. With `at` both are exactly of that position, and with `waitFor`
 * both have reached it. `signer` keeps receipts of roots that it announced, `fromTs` and `toTs` those that are proven
 * for that time. With `include` a page has at most `ROWS_WITH_PARTS_MAX` rows. Throws as `queryRows`, also for the
 * projections that a standing is read from.
 */
export async function queryReceipts(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  query: ProjectionQuery,
  parts: ReceiptParts,
  rowView: RowView = EVERY_ROW
): Promise<ProjectionPage> {
  const { signer, fromTs, toTs, include = [], ...plain } = query
  const { at, waitFor = 0 } = query
  const asked =
    include.length === 0 ? plain : { ...plain, limit: Math.min(query.limit ?? Infinity, ROWS_WITH_PARTS_MAX) }
  const awaited = Math.max(at ?? 0, waitFor)
  const isFiltered = signer !== undefined || fromTs !== undefined || toTs !== undefined
  const rowsOf = (also?: RowTest): Promise<ProjectionPage> =>
    queryRows(engine, store, epoch, 'receipts', asked, rowView, also)
  // Most pages are asked for without, and a page without rows needs no standing.
  const unfiltered = isFiltered ? null : await rowsOf()
  if (unfiltered?.rows.length === 0) return unfiltered
  if (awaited > 0) await standingsReached(engine, awaited, WAIT_MS_MAX)
  return await viewStandings(engine, store, at, async (view) => {
    const page = unfiltered ?? (await rowsOf(standingTest(query, view)))
    const rows: JsonObject[] = []
    for (const row of page.rows) {
      const { standing, reason, provenTime, chainId } = await view.standingOf(row as ReceiptRow)
      rows.push({ ...row, standing, standingReason: reason, provenTime, provenBy: chainId } satisfies JsonObject)
    }
    if (include.length === 0) return { ...page, rows }
    const added = await parts.of(page.rows as readonly ReceiptRow[], include, view)
    const shown = added.map((part, index) => ({ ...rows[index], ...(part as JsonObject) }))
    const last = page.rows[added.length - 1] as ReceiptRow | undefined
    if (last === undefined || added.length === rows.length) return { ...page, rows: shown }
    const after = receiptKey(last, last.index)
    const nextCursor = encodeCursor({ kind: 'page', epoch, projection: 'receipts', after })
    return { ...page, rows: shown, nextCursor }
  })
}

/** The filters that the stored row does not answer by itself. */
function standingTest(
  { signer, fromTs = 0, toTs = Infinity }: Pick<ProjectionQuery, 'signer' | 'fromTs' | 'toTs'>,
  view: StandingView
): RowTest {
  const isTimed = fromTs > 0 || toTs < Infinity
  return async (row) => {
    const receipt = row as ReceiptRow
    if (signer !== undefined && !(await view.isAnnouncedBy(receipt, signer))) return false
    if (!isTimed) return true
    const { provenTime } = await view.standingOf(receipt)
    return provenTime !== null && provenTime >= fromTs && provenTime <= toTs
  }
}
