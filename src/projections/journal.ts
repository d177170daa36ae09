import { AnchormeshError } from '../platform/errors.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import { journalKey, journalPrefix } from './keys.ts'
import type { Projection } from './projection.ts'
import { parseStored, unpackRow } from './row-codec.ts'
import type { RowChange } from './transaction.ts'

// `at=` and change cursors must reach back 1,000 positions; four times that also serves a consumer that was away for a
// while.
export const JOURNAL_POSITIONS_KEPT = 4_096

/** Writes the changes of positions up to `logSeq` down, with what stood in each row before. */
export function journalOperation(
  projection: string,
  logSeq: number,
  part: number,
  changes: readonly RowChange[]
): WriteOperation {
  return { type: 'put', key: journalKey(projection, logSeq, part), value: JSON.stringify(changes) }
}

/** Deletes what is older than the positions that are kept. Positions after `from` can still be asked for afterwards. */
export async function pruneOperations(
  store: StoreReader,
  projection: string,
  head: number
): Promise<{ readonly from: number; readonly operations: readonly WriteOperation[] }> {
  const from = Math.max(0, head - JOURNAL_POSITIONS_KEPT)
  const operations: WriteOperation[] = []
  for await (const [key] of store.range({ gte: journalPrefix(projection), lt: journalKey(projection, from + 1, 0) })) {
    operations.push({ type: 'del', key })
  }
  return { from, operations }
}

/** The changes after position `after`, oldest first. */
export async function* changesAfter(store: StoreReader, projection: string, after: number): AsyncGenerator<RowChange> {
  const { lt } = prefixRange(journalPrefix(projection))
  for await (const [, bytes] of store.range({ gte: journalKey(projection, after + 1, 0), lt })) {
    for (const change of parseStored(bytes) as unknown as RowChange[]) {
      if (change[0] > after) yield change
    }
  }
}

// A thousand positions of 256 rows each, as a sealed batch has them, are about 60 MiB.
const ROWS_BEFORE_MAX = 262_144

/**
 * Rows as they stood at position `at`, as far as they differ from those of now: `null` for a row that was not there.
 * Throws `STATE_OUTDATED` where more rows differ than `rowsMax`, with the oldest position that can be told.
 */
export async function rowsBefore(
  store: StoreReader,
  { name, layout }: Pick<Projection, 'name' | 'layout'>,
  at: number,
  rowsMax: number = ROWS_BEFORE_MAX
): Promise<Map<string, JsonObject | null>> {
  const before = new Map<string, JsonObject | null>()
  for await (const [, key, row] of changesAfter(store, name, at)) {
    if (before.has(key)) continue
    if (before.size === rowsMax) throw await tooManyChanged(store, name, at, rowsMax)
    before.set(key, row === null ? null : unpackRow(layout, key, row))
  }
  return before
}

async function tooManyChanged(
  store: StoreReader,
  projection: string,
  at: number,
  rowsMax: number
): Promise<AnchormeshError> {
  return new AnchormeshError('STATE_OUTDATED', `more than ${rowsMax} rows have changed since position ${at}`, {
    detail: { oldest: await oldestTold(store, projection, rowsMax) }
  })
}

/** The oldest position since which no more rows have changed than `rowsMax`, where more have in the whole journal. */
async function oldestTold(store: StoreReader, projection: string, rowsMax: number): Promise<number> {
  const changed = new Set<string>()
  let last = 0
  for await (const [, bytes] of store.range({ ...prefixRange(journalPrefix(projection)), reverse: true })) {
    for (const [position, key] of (parseStored(bytes) as unknown as RowChange[]).reverse()) {
      last = position
      if (changed.add(key).size > rowsMax) return position
    }
  }
  return last
}
