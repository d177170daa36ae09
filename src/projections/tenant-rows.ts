import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './fold-progress.ts'
import { NOTHING_CHANGED, PAGE_ENTRIES_MAX, WAIT_MS_MAX, changedSince, rowsInOrder } from './query.ts'
import type { ProjectionPage, ProjectionQuery } from './query.ts'
import { readState, rowsOfState } from './state.ts'

/** The part that is wanted of the rows of one tenant. */
export interface TenantRowsQuery extends Pick<ProjectionQuery, 'cursor' | 'at' | 'waitFor'> {
  /** Where the keys of the wanted rows begin: with the tenant and what follows a name with. */
  readonly prefix: string
  readonly matches: (row: JsonObject) => boolean
  /** At most so many rows. */
  readonly limit: number
}

export interface TenantRowsPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  /** Of the log. */
  readonly epoch: string
}

/**
 * One page of the rows of a tenant, as `queryRows` gives one of a namespace. Throws `QUERY_INVALID`, `CURSOR_FOREIGN`
 * (also for a cursor that stands outside of the prefix: it would lead through the rows of others), `STATE_OUTDATED`,
 * `NOT_YET`, `PROJECTION_HALTED`.
 */
export async function tenantRows(
  name: string,
  query: TenantRowsQuery,
  { engine, store, epoch }: TenantRowsPorts
): Promise<ProjectionPage> {
  const instance = engine.instance(name)
  if (instance.halted !== null) throw haltedError(instance)
  const { prefix, matches, limit, at, waitFor = 0 } = query
  const awaited = Math.max(waitFor, at ?? 0)
  if (awaited > instance.state.cursor) await engine.reached(awaited, WAIT_MS_MAX, name)
  const place = { kind: 'page', epoch, projection: name } as const
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, place).after
  if (after !== undefined && !after.startsWith(prefix))
    throw new AnchormeshError('CURSOR_FOREIGN', 'the cursor is of another query', { hint: 'start without a cursor' })

  const snapshot = await store.snapshot()
  try {
    const { projection } = instance
    const state = await readState(snapshot, projection)
    const changed = at === undefined ? NOTHING_CHANGED : await changedSince(at, state, snapshot, projection)
    const rows: JsonObject[] = []
    let looked = 0
    let last = ''
    let nextCursor: string | null = null
    for await (const [key, row] of rowsInOrder(
      snapshot,
      projection,
      rowsOfState(name, state),
      prefix,
      after,
      changed
    )) {
      const isWanted = matches(row)
      if (looked === PAGE_ENTRIES_MAX || (isWanted && rows.length === limit)) {
        nextCursor = encodeCursor({ ...place, after: last })
        break
      }
      looked += 1
      if (isWanted) rows.push(row)
      last = key
    }
    return { projection: name, version: state.version, epoch, logSeq: at ?? state.cursor, rows, nextCursor }
  } finally {
    await snapshot.close()
  }
}
