import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store } from '../log/store.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { ProjectionPage, ProjectionQuery, RowView } from '../projections/query.ts'
import { EVERY_ROW, queryRows } from '../projections/query.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import { standingsReached, viewStandings } from '../projections/standing.ts'

// As a page waits for its own projection.
const WAIT_MS_MAX = 5_000

/** What a row of `receipts` shows beside what is stored. */
export type StandingColumns = {
  readonly standing: 'proven' | 'unproven'
  readonly standingReason: string
  /** Milliseconds since 1970; `null` unless proven. */
  readonly provenTime: number | null
  /** `null` unless proven. */
  readonly provenBy: string | null
}

/**
 * One page of `receipts` with the standing of each receipt's root, worked out for the page: `standing`,
 * `standingReason`, `provenTime`, `provenBy` (the chain). The page's `logSeq` is that of the rows; the standing is as
 * of `winners`, which may be a moment ahead or behind. With `at` both are exactly of that position, and with `waitFor`
 * both have reached it. Throws as `queryRows`, also for the projections that a standing is read from.
 */
export async function queryReceipts(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  query: ProjectionQuery,
  shown: RowView = EVERY_ROW
): Promise<ProjectionPage> {
  const page = await queryRows(engine, store, epoch, 'receipts', query, shown)
  if (page.rows.length === 0) return page
  const { at, waitFor = 0 } = query
  const awaited = Math.max(at ?? 0, waitFor)
  if (awaited > 0) await standingsReached(engine, awaited, WAIT_MS_MAX)
  return await viewStandings(engine, store, at, async (view) => {
    const rows: JsonObject[] = []
    for (const row of page.rows) {
      const { standing, reason, provenTime, chainId } = await view.standingOf(row as ReceiptRow)
      rows.push({ ...row, standing, standingReason: reason, provenTime, provenBy: chainId } satisfies JsonObject)
    }
    return { ...page, rows }
  })
}
