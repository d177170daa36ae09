import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store, StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './engine.ts'
import type { ProjectionInstance } from './instance.ts'
import { rowsBefore } from './journal.ts'
import type { FilterName } from './projection.ts'

// A page is one answer in memory: 500 rows are about 500 KiB.
export const PAGE_ROWS_MAX = 500
const PAGE_ROWS_DEFAULT = 100
// A reader that waits for its own write waits for one fold; more than this means that something is wrong.
const WAIT_MS_MAX = 5_000

export interface RowQuery extends Readonly<Partial<Record<FilterName, string | number>>> {
  readonly namespace?: string
  readonly limit?: number
  readonly cursor?: string
  readonly at?: number
  readonly waitFor?: number
}

export interface RowPage {
  readonly projection: string
  readonly version: number
  readonly epoch: string
  /** The position at which the rows are true. */
  readonly logSeq: number
  readonly rows: readonly JsonObject[]
  readonly nextCursor: string | null
}

const FILTERS: readonly FilterName[] = ['batchId', 'signer', 'status', 'fromTs', 'toTs']

/**
 * One page of rows in key order. Paging by key is stable: a row that is written meanwhile neither repeats nor hides another.
 * Throws `UNKNOWN_PROJECTION`, `QUERY_INVALID`, `CURSOR_FOREIGN`, `STATE_OUTDATED` (`at` is older than the journal), `NOT_YET`, `PROJECTION_HALTED`.
 */
export async function queryRows(engine: ProjectionEngine, store: Store, epoch: string, name: string, query: RowQuery): Promise<RowPage> {
  const instance = engine.instance(name)
  if (instance.halted !== null) throw haltedError(instance)
  const awaited = Math.max(query.waitFor ?? 0, query.at ?? 0)
  if (awaited > instance.state.cursor) await engine.reached(awaited, WAIT_MS_MAX, name)
  const limit = pageLimit(query.limit)
  const matches = rowFilter(instance, query)
  const prefix = query.namespace === undefined ? '' : namespacePrefix(instance, query.namespace)
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, { kind: 'page', epoch, projection: name }).after

  // The cursor and the prefix are read in the same turn as the snapshot is taken, so they belong together.
  const { state, rowsPrefix, projection } = instance
  const snapshot = store.snapshot()
  try {
    const logSeq = query.at ?? state.cursor
    const changed = query.at === undefined ? new Map<string, JsonObject | null>() : await stateAt(instance, snapshot, query.at)
    const rows: JsonObject[] = []
    let last = ''
    for await (const [key, row] of rowsInOrder(snapshot, rowsPrefix, prefix, after, changed)) {
      if (!matches(row)) continue
      if (rows.length === limit) {
        return { projection: name, version: projection.version, epoch, logSeq, rows, nextCursor: encodeCursor({ kind: 'page', epoch, projection: name, after: last }) }
      }
      rows.push(row)
      last = key
    }
    return { projection: name, version: projection.version, epoch, logSeq, rows, nextCursor: null }
  } finally {
    await snapshot.close()
  }
}

async function stateAt(instance: ProjectionInstance, reader: StoreReader, at: number): Promise<Map<string, JsonObject | null>> {
  const { state, projection } = instance
  if (at < state.journalFrom) {
    throw new AnchormeshError('STATE_OUTDATED', `the state at position ${at} is no longer kept`, { detail: { oldest: state.journalFrom } })
  }
  return await rowsBefore(reader, projection.name, at)
}

/** The rows of a moment in key order; `changed` says which differed then from what is stored now. */
export async function* rowsInOrder(
  reader: StoreReader,
  rowsPrefix: string,
  prefix: string,
  after: string | undefined,
  changed: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<[string, JsonObject]> {
  const past = [...changed].filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after)).sort(([left], [right]) => (left < right ? -1 : 1))
  const { gte, lt } = prefixRange(rowsPrefix + prefix)
  const range = after === undefined ? { gte, lt } : { gt: rowsPrefix + after, lt }
  let next = past.shift()
  for await (const [fullKey, bytes] of reader.range(range)) {
    const key = fullKey.slice(rowsPrefix.length)
    for (; next !== undefined && next[0] < key; next = past.shift()) if (next[1] !== null) yield [next[0], next[1]]
    if (next?.[0] === key) {
      if (next[1] !== null) yield [key, next[1]]
      next = past.shift()
      continue
    }
    yield [key, JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject]
  }
  for (; next !== undefined; next = past.shift()) if (next[1] !== null) yield [next[0], next[1]]
}

function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_ROWS_DEFAULT
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ROWS_MAX) return limit
  throw new AnchormeshError('QUERY_INVALID', `limit is an integer from 1 to ${PAGE_ROWS_MAX}`)
}

/** The key prefix of a namespace's rows. Throws `QUERY_INVALID` where rows belong to none. */
export function namespacePrefix(instance: ProjectionInstance, namespace: string): string {
  const prefix = instance.projection.namespacePrefix(namespace)
  if (prefix === null) throw new AnchormeshError('QUERY_INVALID', `rows of ${instance.projection.name} belong to no namespace`)
  return prefix
}

function rowFilter(instance: ProjectionInstance, query: RowQuery): (row: JsonObject) => boolean {
  const tests: ((row: JsonObject) => boolean)[] = []
  for (const name of FILTERS) {
    const value = query[name]
    if (value === undefined) continue
    const filter = instance.projection.filters[name]
    if (filter === undefined) {
      const known = Object.keys(instance.projection.filters).join(', ')
      throw new AnchormeshError('QUERY_INVALID', `${instance.projection.name} can't be filtered by ${name}`, { hint: `it knows: namespace, ${known}` })
    }
    tests.push((row) => filter(row, value))
  }
  return (row) => tests.every((test) => test(row))
}
