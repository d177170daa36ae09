import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader } from '../log/store.ts'
import type { ChangedRow, RunLimits } from './changed-runs.ts'
import { ChangedRuns, RUN_LIMITS } from './changed-runs.ts'
import type { ProjectionInstance } from './instance.ts'
import { changesAfter } from './journal.ts'
import type { PackedRow } from './row-codec.ts'
import { parseStored, unpackRow } from './row-codec.ts'
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
  /** Present on the last change of a run: the place from which to go on. Keep it once the change is dealt with. */
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
  /** Default `RUN_LIMITS`. */
  readonly runs?: RunLimits
}

// One read for many costs a fraction of one for each; 128 rows are some 100 KiB.
const ROWS_AT_ONCE = 128

/** Whether the journal leads from rows of this position and generation to those of the state. */
export function isReachedByJournal(
  { journalFrom, journalGeneration }: ProjectionState,
  known: { readonly logSeq: number; readonly generation: number }
): boolean {
  return known.logSeq >= journalFrom && known.generation >= journalGeneration
}

/**
 * What of the wanted rows changed after position `after`, in runs that end with a position each, told by `logSeq`: in a
 * run each row comes once, as it is there, in the order of the last changes; so whoever has a whole run has the rows of
 * its position. Where too much has changed for that, all is one run up to now, in which a row may come more than once.
 */
export async function* changesSince(
  reading: ChangesReading,
  after: number
): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { snapshot, instance, state, passes, shows, runs: limits = RUN_LIMITS } = reading
  const { name, layout, derived } = instance.projection
  const options = { layout, remember: derived?.remember.bind(derived), shows, limits }
  let collected = new ChangedRuns({ ...options, isCut: true })
  for await (const change of changesAfter(snapshot, name, after)) {
    if (!passes(change[1])) continue
    collected.add(change)
    if (!collected.isFull) continue
    yield* rowsOfRun(reading, collected.together(), state.cursor)
    collected = new ChangedRuns({ ...options, isCut: false })
  }
  const last = collected.runs.at(-1)
  for (const run of collected.runs) yield* rowsOfRun(reading, run.rows, run === last ? state.cursor : run.logSeq)
}

async function* rowsOfRun(
  { snapshot, instance, state, shows }: ChangesReading,
  run: ReadonlyMap<string, ChangedRow>,
  logSeq: number
): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { name, layout, derived } = instance.projection
  const rows = rowsOfState(name, state)
  const changed = [...run]
  for (let from = 0; from < changed.length; from += ROWS_AT_ONCE) {
    const part = changed.slice(from, from + ROWS_AT_ONCE)
    const unchanged = part.flatMap(([key, { after }]) => (after === undefined ? [key] : []))
    const found = await snapshot.getMany(unchanged.map((key) => rows + key))
    const now = new Map(unchanged.map((key, index) => [key, found[index]]))
    for (const [key, { remembered, wasShown, after }] of part) {
      const bytes = now.get(key)
      const is = bytes === undefined ? (after ?? null) : (parseStored(bytes) as PackedRow)
      const stored = is === null ? null : unpackRow(layout, key, is)
      const isShown = shows === undefined || (stored !== null && shows(stored))
      // One that may be seen no more is gone for this reader.
      if (!isShown && !wasShown) continue
      const row = isShown ? stored : null
      yield { kind: 'change', key, row, ...derived?.change(remembered, row), logSeq }
    }
  }
}
