import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PageOf } from '../api/pages.ts'
import type { Store, StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './fold-progress.ts'
import type { AskedFields } from './row-places.ts'
import { placesOf } from './row-places.ts'
import type { RowEntry, RowsOfMoment } from './rows-of-moment.ts'
import { rowsAt, rowsNow, rowsOfMoment } from './rows-of-moment.ts'
import { rowsOfState } from './state.ts'

// A filter that matches nothing must not read a whole projection for one request. 10,000 rows are read and parsed in
// some 50 ms, so nobody else waits for long, and a million rows are gone through in a hundred requests.
export const PAGE_ENTRIES_MAX = 10_000
// A reader that waits for its own write waits for one fold; more than this means that something is wrong.
export const WAIT_MS_MAX = 5_000
// Each is a seek of some 20 µs, and namespaces are tens; beyond that all rows are gone through.
const NAMESPACES_MAX = 256

/**
 * Rows in key order, and the cursor of the page after them. A page ends early, perhaps without any row, where a filter
 * has passed over many: `nextCursor` alone says whether to go on.
 */
export type ProjectionPage = PageOf<JsonObject>

/** A filter that has to look further than into the row. */
export type RowTest = (row: JsonObject) => Promise<boolean>

/** Where and when rows are wanted from. */
export interface PagePosition {
  readonly cursor?: string
  /** The state at exactly this `logSeq`. */
  readonly at?: number
  /** Answers once the projection has reached this `logSeq`, at most 5 s. */
  readonly waitFor?: number
}

/** A page of rows that somebody wants, whoever it is. */
export interface PageRequest extends PagePosition {
  /** Where the keys of the wanted rows begin, ascending, none within another. */
  readonly prefixes: readonly string[]
  /** What fields that may stand in keys must be. */
  readonly asked: AskedFields
  /** Rows that it leaves out leave no trace, neither in rows nor in cursors. */
  readonly shows: (row: JsonObject) => boolean
  readonly matches: (row: JsonObject) => boolean
  readonly also?: RowTest | undefined
  /** At most so many rows. */
  readonly limit: number
}

/** What pages are read from. */
export interface PagePorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  /** Of the log. */
  readonly epoch: string
}

/**
 * One page of rows in key order, from at most `PAGE_ENTRIES_MAX` that it looks at. Paging by key is stable: a row that
 * is written meanwhile neither repeats nor hides another. Throws `UNKNOWN_PROJECTION`, `QUERY_INVALID`,
 * `CURSOR_FOREIGN`, `STATE_OUTDATED` (`at` is older than the journal), `NOT_YET`, `PROJECTION_HALTED`.
 */
export async function readPage(name: string, request: PageRequest, ports: PagePorts): Promise<ProjectionPage> {
  const { engine, store, epoch } = ports
  const { at, waitFor, cursor, also } = request
  const instance = engine.instance(name)
  if (instance.halted !== null) throw haltedError(instance)
  const awaited = Math.max(position('waitFor', waitFor), position('at', at))
  if (awaited > instance.state.cursor) await engine.reached(awaited, WAIT_MS_MAX, name)
  const place = { kind: 'page', epoch, projection: name } as const
  const after = cursor === undefined ? undefined : decodeCursor(cursor, place).after
  // A cursor is its keeper's to change: it must not lead through the rows of others.
  if (after !== undefined && !request.prefixes.some((prefix) => after.startsWith(prefix)))
    throw new AnchormeshError('CURSOR_FOREIGN', 'the cursor is of another query', { hint: 'start without a cursor' })
  const pageOf = ({ version, cursor: reached }: RowsOfMoment['state'], taken: TakenRows): ProjectionPage => {
    const nextCursor = taken.goOnAfter === null ? null : encodeCursor({ ...place, after: taken.goOnAfter })
    return { projection: name, version, epoch, logSeq: at ?? reached, rows: taken.rows, nextCursor }
  }

  const { state, projection } = instance
  const [only, ...others] = request.prefixes
  // Most questions are for one thing of one namespace, as it is now.
  if (at === undefined && also === undefined && only !== undefined && others.length === 0) {
    const entries = rowsNow(placesOf(projection.layout, only, request.asked), { projection, state }, store, after)
    if (entries !== null) return pageOf(state, takeNow(entries, request))
  }
  const snapshot = await store.snapshot()
  try {
    const moment = await rowsOfMoment(snapshot, projection, at)
    return pageOf(moment.state, await takeRows(wantedRows(moment, request, after), request))
  } finally {
    await snapshot.close()
  }
}

/** The rows among which the wanted ones are, those of one prefix after another. */
async function* wantedRows(
  moment: RowsOfMoment,
  { prefixes, asked }: PageRequest,
  after: string | undefined
): AsyncGenerator<RowEntry> {
  const { layout } = moment.projection
  const isEverywhere = prefixes[0] === '' && layout.key[0] === 'namespace' && Object.keys(asked).length > 0
  for (const prefix of isEverywhere ? await namespacePrefixes(moment) : prefixes)
    yield* rowsAt(placesOf(layout, prefix, asked), moment, after)
}

/** Where the rows of each namespace begin that has any, in order. */
async function namespacePrefixes({ projection, reader, state, changed }: RowsOfMoment): Promise<readonly string[]> {
  const prefix = rowsOfState(projection.name, state)
  const { gte, lt } = prefixRange(prefix)
  const found = new Set([...changed.keys()].map(namespacePart))
  for (let from = gte; ;) {
    const key = await firstKey(reader, from, lt)
    if (key === undefined) return [...found].sort()
    if (found.size === NAMESPACES_MAX) return ['']
    const namespace = namespacePart(key.slice(prefix.length))
    found.add(namespace)
    from = prefixRange(prefix + namespace).lt
  }
}

/** The first part of a key, with what separates it from the next. */
function namespacePart(key: string): string {
  return key.slice(0, key.indexOf('!') + 1)
}

async function firstKey(reader: StoreReader, gte: string, lt: string): Promise<string | undefined> {
  for await (const [key] of reader.range({ gte, lt, limit: 1 })) return key
  return undefined
}

interface TakenRows {
  readonly rows: readonly JsonObject[]
  /** The last key that was dealt with, where there may be more after it. */
  readonly goOnAfter: string | null
}

/**
 * The rows of one page, as they are put on it one by one. What is not shown does not count, not even as looked at: it
 * is little, because the entries are of parts that the reader may see, and in `_trust` of what organisations say of
 * themselves.
 */
class PageRows implements TakenRows {
  readonly rows: JsonObject[] = []
  goOnAfter: string | null = null
  readonly #limit: number
  #looked = 0
  #last = ''

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the page can take one more; one more than it holds shows that there is a next one. */
  add(key: string, row: JsonObject, isWanted: boolean): boolean {
    if (this.#looked === PAGE_ENTRIES_MAX || (isWanted && this.rows.length === this.#limit)) {
      this.goOnAfter = this.#last
      return false
    }
    this.#looked += 1
    if (isWanted) this.rows.push(row)
    this.#last = key
    return true
  }
}

function takeNow(entries: readonly RowEntry[], { shows, matches, limit }: PageRequest): TakenRows {
  const page = new PageRows(limit)
  for (const [key, row] of entries) if (shows(row) && !page.add(key, row, matches(row))) break
  return page
}

async function takeRows(
  entries: AsyncIterable<RowEntry>,
  { shows, matches, also, limit }: PageRequest
): Promise<TakenRows> {
  const page = new PageRows(limit)
  for await (const [key, row] of entries) {
    if (!shows(row)) continue
    const isWanted = matches(row) && (also === undefined || (await also(row)))
    if (!page.add(key, row, isWanted)) break
  }
  return page
}

/** A log position that a query names; 0 where it names none. */
function position(name: string, value: number | undefined): number {
  if (value === undefined) return 0
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new AnchormeshError('QUERY_INVALID', `${name} is a position of the log, an integer from 0`)
}
