import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './engine.ts'
import type { ProjectionInstance } from './instance.ts'
import { changesAfter } from './journal.ts'
import { namespacePrefix, rowsInOrder } from './query.ts'

/** A row as it is after a change, or `null` when it is gone. `cursor` goes on after everything up to `logSeq`. */
export interface ProjectionChange {
  readonly key: string
  readonly row: JsonObject | null
  /** The position at which the row is true. */
  readonly logSeq: number
  /** Present on the last change of a position: the place from which to go on. Keep it once the change is dealt with. */
  readonly cursor: string | null
}

export interface ChangesQuery {
  readonly namespace?: string
  /** Where an earlier iteration ended; without one the iteration begins with all rows as they are now. */
  readonly cursor?: string
  readonly signal?: AbortSignal
}

/**
 * The rows as they are, then each change as it comes, for ever or until the signal aborts. A reader that is slow gets the newest state of each
 * row that changed meanwhile, so nothing queues up for it; from cursor to cursor no change is lost.
 * Throws `UNKNOWN_PROJECTION`, `CURSOR_FOREIGN`, `CURSOR_FUTURE`, `CURSOR_TOO_OLD` (with `oldest`), `PROJECTION_HALTED`.
 */
export async function* followChanges(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  name: string,
  query: ChangesQuery
): AsyncGenerator<ProjectionChange> {
  const instance = engine.instance(name)
  const prefix = query.namespace === undefined ? '' : namespacePrefix(instance, query.namespace)
  const cursorAt = (logSeq: number): string => encodeCursor({ kind: 'changes', epoch, projection: name, logSeq })
  let position: number
  if (query.cursor === undefined) {
    position = instance.state.cursor
    yield* withLastCursor(currentRows(instance, store, prefix, position), cursorAt(position))
  } else {
    position = startOf(instance, query.cursor, epoch)
  }
  while (query.signal?.aborted !== true) {
    if (instance.halted !== null) throw haltedError(instance)
    if (instance.state.cursor === position) {
      await advanced(engine, query.signal)
      continue
    }
    if (position < instance.state.journalFrom) throw tooOld(position, instance)
    const head = instance.state.cursor
    yield* withLastCursor(changedRows(instance, store, prefix, position, head), cursorAt(head))
    position = head
  }
}

async function* currentRows(instance: ProjectionInstance, store: Store, prefix: string, logSeq: number): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { rowsPrefix } = instance
  const snapshot = store.snapshot()
  try {
    for await (const [key, row] of rowsInOrder(snapshot, rowsPrefix, prefix, undefined, new Map())) yield { key, row, logSeq }
  } finally {
    await snapshot.close()
  }
}

/** The newest state of each row that changed after `after`, in the order of the last changes. */
async function* changedRows(
  instance: ProjectionInstance,
  store: Store,
  prefix: string,
  after: number,
  head: number
): AsyncGenerator<Omit<ProjectionChange, 'cursor'>> {
  const { rowsPrefix, projection } = instance
  const snapshot = store.snapshot()
  try {
    const keys = new Set<string>()
    for await (const [, key] of changesAfter(snapshot, projection.name, after)) {
      if (!key.startsWith(prefix)) continue
      keys.delete(key)
      keys.add(key)
    }
    for (const key of keys) {
      const bytes = await snapshot.get(rowsPrefix + key)
      const row = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject)
      yield { key, row, logSeq: head }
    }
  } finally {
    await snapshot.close()
  }
}

async function* withLastCursor(changes: AsyncGenerator<Omit<ProjectionChange, 'cursor'>>, cursor: string): AsyncGenerator<ProjectionChange> {
  let held: Omit<ProjectionChange, 'cursor'> | undefined
  for await (const change of changes) {
    if (held !== undefined) yield { ...held, cursor: null }
    held = change
  }
  if (held !== undefined) yield { ...held, cursor }
}

function startOf(instance: ProjectionInstance, cursor: string, epoch: string): number {
  const { logSeq } = decodeCursor(cursor, { kind: 'changes', epoch, projection: instance.projection.name })
  if (logSeq > instance.state.cursor) throw new AnchormeshError('CURSOR_FUTURE', `the cursor is of position ${logSeq}; the projection is at ${instance.state.cursor}`)
  if (logSeq < instance.state.journalFrom) throw tooOld(logSeq, instance)
  return logSeq
}

function tooOld(logSeq: number, { state }: ProjectionInstance): AnchormeshError {
  return new AnchormeshError('CURSOR_TOO_OLD', `changes after position ${logSeq} are no longer kept`, {
    hint: 'start without a cursor',
    detail: { oldest: state.journalFrom }
  })
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
