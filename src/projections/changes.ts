import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './fold-progress.ts'
import type { ChangesReading, ProjectionChange } from './changed-rows.ts'
import { changesSince, isReachedByJournal } from './changed-rows.ts'
import { namespacePrefix } from './query.ts'
import { NOTHING_CHANGED, rowsInOrder } from './rows-of-moment.ts'
import type { ProjectionState } from './state.ts'
import { readState, rowsOfState } from './state.ts'

/** Nothing more has changed up to `logSeq`: a newer cursor to keep, before the one in hand grows too old. */
export interface ProjectionCheckpoint {
  readonly kind: 'checkpoint'
  readonly logSeq: number
  readonly cursor: string
}

export type { ProjectionChange } from './changed-rows.ts'

/** What an iteration over changes yields. */
export type ProjectionUpdate = ProjectionChange | ProjectionCheckpoint

// Cursors reach back 4,096 positions at least. With one four times as often, a reader may be away for most of that, and
// one whose rows never change hears of few of the events that are not for it.
export const CHECKPOINT_POSITIONS = 1_024

export interface ChangesQuery {
  readonly namespace?: string
  /** Where an earlier iteration ended; without one the iteration begins with all rows as they are now. */
  readonly cursor?: string
  readonly signal?: AbortSignal
}

/**
 * The rows as they are, then each change as it comes, until the signal aborts or the node closes. A reader that is slow
 * gets the newest state of each row that changed meanwhile, so nothing queues up for it; from cursor to cursor no
 * change is lost. While nothing changes, a checkpoint comes about every `CHECKPOINT_POSITIONS`. Throws
 * `UNKNOWN_PROJECTION`, `CURSOR_FOREIGN`, `CURSOR_FUTURE`, `CURSOR_TOO_OLD` (with `oldest`), `PROJECTION_HALTED`.
 */
export async function* followChanges(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  name: string,
  query: ChangesQuery
): AsyncGenerator<ProjectionUpdate> {
  const instance = engine.instance(name)
  const prefix = query.namespace === undefined ? '' : namespacePrefix(instance, query.namespace)
  const ended = (): boolean => query.signal?.aborted === true || engine.closed
  let known = query.cursor === undefined ? null : startOf(engine, query.cursor, { epoch, projection: name })
  /** From where on the reader has no cursor yet. */
  let told = known?.logSeq ?? null
  while (!ended()) {
    if (instance.halted !== null) throw haltedError(instance)
    if (known !== null && !hasNews(instance.state, known)) {
      await advanced(engine, query.signal)
      continue
    }
    const snapshot = await store.snapshot()
    try {
      const state = await readState(snapshot, instance.projection)
      const passes = (key: string): boolean => key.startsWith(prefix)
      const reading = { snapshot, instance, state, prefix, passes }
      const { cursor: logSeq, generation } = state
      const cursorAt = (position: number): string =>
        encodeCursor({ kind: 'changes', epoch, projection: name, logSeq: position, generation })
      const changes = known === null ? currentRows(reading) : changedRows(reading, known)
      const changed = yield* withCursors(changes, cursorAt, { logSeq, ended })
      if (ended()) return
      const isDue = !changed && told !== null && logSeq - told >= CHECKPOINT_POSITIONS
      if (isDue) yield { kind: 'checkpoint', logSeq, cursor: cursorAt(logSeq) }
      if (changed || isDue || told === null) told = logSeq
      known = { logSeq, generation }
    } finally {
      await snapshot.close()
    }
  }
}

/** Up to where a reader knows the rows, and of which generation they were. */
interface Known {
  readonly logSeq: number
  readonly generation: number
}

/** A projection at one moment of the store. */
interface Reading extends ChangesReading {
  readonly prefix: string
}

type Change = Omit<ProjectionChange, 'cursor'>

async function* currentRows({ snapshot, instance, state, prefix }: Reading): AsyncGenerator<Change> {
  const { name, derived } = instance.projection
  const rows = rowsOfState(name, state)
  for await (const [key, row] of rowsInOrder(snapshot, instance.projection, rows, prefix, undefined, NOTHING_CHANGED)) {
    yield { kind: 'change', key, row, ...derived?.change(derived.remember(row), row), logSeq: state.cursor }
  }
}

/** Throws `CURSOR_TOO_OLD` where the journal does not lead from what is known to the rows of now. */
async function* changedRows(reading: Reading, known: Known): AsyncGenerator<Change> {
  const { state } = reading
  if (!isReachedByJournal(state, known)) {
    throw new AnchormeshError('CURSOR_TOO_OLD', `changes after position ${known.logSeq} are no longer kept`, {
      hint: 'start without a cursor',
      detail: { oldest: state.journalFrom }
    })
  }
  yield* changesSince(reading, known.logSeq)
}

/** The changes, the last of each run with the cursor; returns whether there was any. */
async function* withCursors(
  changes: AsyncGenerator<Change>,
  cursorAt: (logSeq: number) => string,
  { logSeq, ended }: { readonly logSeq: number; readonly ended: () => boolean }
): AsyncGenerator<ProjectionChange, boolean> {
  let held: Change | undefined
  for await (const change of changes) {
    if (held !== undefined) yield { ...held, cursor: held.logSeq === change.logSeq ? null : cursorAt(held.logSeq) }
    if (ended()) return true
    held = change
  }
  if (held !== undefined) yield { ...held, cursor: cursorAt(logSeq) }
  return held !== undefined
}

function startOf(
  { head }: ProjectionEngine,
  cursor: string,
  expected: { readonly epoch: string; readonly projection: string }
): Known {
  const { logSeq, generation } = decodeCursor(cursor, { kind: 'changes', ...expected })
  // Against the log: a projection that lost its last writes in a crash comes to the cursor again.
  if (logSeq > head) {
    throw new AnchormeshError('CURSOR_FUTURE', `the cursor is of position ${logSeq}; the log ends at ${head}`)
  }
  return { logSeq, generation }
}

function hasNews(state: ProjectionState, known: Known): boolean {
  return state.cursor > known.logSeq || state.journalGeneration > known.generation
}

/** Resolves when a cursor moves or the signal aborts. */
function advanced(engine: ProjectionEngine, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stop()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const stop = engine.onAdvanced(finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}
