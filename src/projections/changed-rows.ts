import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader } from '../log/store.ts'
import type { ProjectionInstance } from './instance.ts'
import { changesAfter } from './journal.ts'
import { decodeRow, unpackRow } from './row-codec.ts'
import type { ProjectionState } from './state.ts'
import { rowsOfState } from './state.ts'
import type { WinnerChange } from './winner-change.ts'

/** A row as it is after a change, or `null` when it is gone. `cursor` goes on after everything up to `logSeq`. */
export interface ProjectionChange {
  readonly kind: 'change'
  readonly key: string
  readonly row: JsonObject | null
  /**
   * Of `winners` alone: how the batch's winner differs from the one that the reader knew at its last cursor; `null` where
   * it is the same, and for rows that come first.
   */
  readonly winnerChanged?: WinnerChange | null
  /** The position at which the row is true. */
  readonly logSeq: number
  /** Present on the last change of a position: the place from which to go on. Keep it once the change is dealt with. */
  readonly cursor: string | null
}

/** A projection at one moment of the store, and which rows of it are wanted. */
export interface ChangesReading {
  readonly snapshot: StoreReader
  readonly instance: ProjectionInstance
  readonly state: ProjectionState
  readonly passes: (key: string) => boolean
  /** Whether the reader may see a row; default all. */
  readonly shows?: (row: JsonObject) => boolean
}

/** What is kept of a row that changed: for its derived changes, and, where not all rows are shown, what stood there. */
interface Before {
  readonly remembered: JsonObject | null
  readonly row: JsonObject | null
}

const NOTHING_BEFORE: Before = { remembered: null, row: null }

// One read for many costs a fraction of one for each; 128 rows are some 100 KiB.
const ROWS_AT_ONCE = 128

// A key and what is remembered of its row are some 150 bytes, so some 2.5 MiB for each reader that catches up. With
// more changes than that, one row may come more than once.
const KEYS_AT_ONCE = 16_384

/** Whether the journal leads from rows of this position and generation to those of the state. */
export function isReachedByJournal(
  { journalFrom, journalGeneration }: ProjectionState,
  known: { readonly logSeq: number; readonly generation: number }
): boolean {
  return known.logSeq >= journalFrom && known.generation >= journalGeneration
}

/**
 * The newest state of each wanted row that changed after position `after`, in the order of the last changes. Keeps at
 * most `KEYS_AT_ONCE` keys in memory, and what the projection wants to remember of the rows before.
 */
export async function* changesSince(
  reading: ChangesReading,
  after: number
): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { snapshot, instance, passes, shows } = reading
  const { name, layout, derived } = instance.projection
  let keys = new Map<string, Before>()
  for await (const [, key, before] of changesAfter(snapshot, name, after)) {
    if (!passes(key)) continue
    // What the reader knows stood there before the first of the changes.
    const isWanted = derived !== undefined || shows !== undefined
    const first = isWanted && before !== null && !keys.has(key) ? unpackRow(layout, key, before) : null
    const known = keys.get(key) ?? NOTHING_BEFORE
    keys.delete(key)
    keys.set(
      key,
      first === null ? known : { remembered: derived?.remember(first) ?? null, row: shows === undefined ? null : first }
    )
    if (keys.size < KEYS_AT_ONCE) continue
    yield* newestRows(reading, keys)
    keys = new Map()
  }
  yield* newestRows(reading, keys)
}

async function* newestRows(
  { snapshot, instance, state, shows }: ChangesReading,
  keys: ReadonlyMap<string, Before>
): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { name, layout, derived } = instance.projection
  const rows = rowsOfState(name, state)
  const changed = [...keys]
  for (let from = 0; from < changed.length; from += ROWS_AT_ONCE) {
    const part = changed.slice(from, from + ROWS_AT_ONCE)
    const found = await snapshot.getMany(part.map(([key]) => rows + key))
    for (const [index, [key, before]] of part.entries()) {
      const bytes = found[index]
      const stored = bytes === undefined ? null : decodeRow(layout, key, bytes)
      const isShown = shows === undefined || (stored !== null && shows(stored))
      if (!isShown && (before.row === null || shows?.(before.row) !== true)) continue
      const row = isShown ? stored : null
      const { remembered } = before
      yield { kind: 'change', key, row, ...derived?.change(remembered, row), logSeq: state.cursor }
    }
  }
}
