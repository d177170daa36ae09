import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PackedRow, RowLayout } from './row-codec.ts'
import { unpackRow } from './row-codec.ts'
import type { RowChange } from './transaction.ts'

/** What is kept of a row that changed in a run. */
export interface ChangedRow {
  /** Of what stood there before: what derived changes need. */
  readonly remembered: JsonObject | null
  /**
   * Where not all rows are shown: whether the reader may have it, also one that was cut off within a run and knows what
   * stood there in between.
   */
  wasShown: boolean
  /** What stands there at the end of the run, where the row changed again later; else what stands there now does. */
  after?: PackedRow | null
}

/** Changes of positions that follow each other, each row once, in the order of the last changes. */
export interface ChangedRun {
  /** The last of the positions. */
  logSeq: number
  readonly rows: Map<string, ChangedRow>
}

/** What a reader needs of the rows before their changes. */
export interface RunsOptions {
  readonly layout: RowLayout
  readonly remember: ((row: JsonObject) => JsonObject | null) | undefined
  /** Whether the reader may see a row; absent: all. */
  readonly shows: ((row: JsonObject) => boolean) | undefined
  readonly limits: RunLimits
  /** Whether there may be several runs. */
  readonly isCut: boolean
}

/** How long runs are, and what they may take of memory. */
export interface RunLimits {
  /** A run of so many rows ends with its position. */
  readonly rows: number
  /** Rows of all runs that are read at once. */
  readonly rowsAtOnce: number
  /** Rows that are kept as they were at the ends of runs. */
  readonly rowsKept: number
}

export const RUN_LIMITS: RunLimits = {
  // Who is cut off within a run gets it again: so many rows are some 100 KiB.
  rows: 256,
  // A key and what is remembered of its row are some 150 bytes, so some 2.5 MiB for each reader that catches up.
  rowsAtOnce: 16_384,
  // Some 500 bytes each, so 2 MiB. A journal of 4,096 positions that change a row each needs no more of them.
  rowsKept: 4_096
}

/** Puts the changes of a journal, from the oldest on, into runs from whose ends readers can go on. */
export class ChangedRuns {
  readonly #options: RunsOptions
  readonly #runs: ChangedRun[] = []
  /** The last that is known of each row. */
  readonly #last = new Map<string, ChangedRow>()
  #rows = 0
  #rowsKept = 0

  constructor(options: RunsOptions) {
    this.#options = options
  }

  /** Whether more would take too much memory. */
  get isFull(): boolean {
    const { rowsAtOnce, rowsKept } = this.#options.limits
    return this.#rows >= rowsAtOnce || this.#rowsKept >= rowsKept
  }

  get runs(): readonly ChangedRun[] {
    return this.#runs
  }

  add([logSeq, key, before]: RowChange): void {
    const run = this.#runFor(logSeq)
    run.logSeq = logSeq
    const known = run.rows.get(key)
    if (known !== undefined) {
      // Behind the others: its last change is the latest.
      run.rows.delete(key)
      run.rows.set(key, known)
      known.wasShown ||= this.#isShown(key, before)
      return
    }
    const earlier = this.#last.get(key)
    if (earlier !== undefined) {
      earlier.after = before
      this.#rowsKept += 1
    }
    const changed = this.#changed(key, before)
    run.rows.set(key, changed)
    this.#last.set(key, changed)
    this.#rows += 1
  }

  /** All as one run, of rows as they are now. */
  together(): ReadonlyMap<string, ChangedRow> {
    const all = new Map<string, ChangedRow>()
    for (const { rows } of this.#runs) {
      for (const [key, row] of rows) {
        const { remembered, wasShown } = all.get(key) ?? row
        all.delete(key)
        all.set(key, { remembered, wasShown: wasShown || row.wasShown })
      }
    }
    return all
  }

  #runFor(logSeq: number): ChangedRun {
    const last = this.#runs.at(-1)
    const { isCut, limits } = this.#options
    if (last !== undefined && (!isCut || last.rows.size < limits.rows || last.logSeq === logSeq)) return last
    const run = { logSeq, rows: new Map<string, ChangedRow>() }
    this.#runs.push(run)
    return run
  }

  #changed(key: string, packed: PackedRow | null): ChangedRow {
    const { layout, remember } = this.#options
    const remembered = remember === undefined || packed === null ? null : remember(unpackRow(layout, key, packed))
    return { remembered, wasShown: this.#isShown(key, packed) }
  }

  #isShown(key: string, packed: PackedRow | null): boolean {
    const { layout, shows } = this.#options
    return shows !== undefined && packed !== null && shows(unpackRow(layout, key, packed))
  }
}
