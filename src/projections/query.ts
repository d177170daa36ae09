import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PageOf } from '../api/pages.ts'
import type { ReceiptPart } from '../api/queries.ts'
import type { Store, StoreReader } from '../log/store.ts'
import { fewValues, prefixRange } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './fold-progress.ts'
import type { ProjectionInstance } from './instance.ts'
import { rowsBefore } from './journal.ts'
import type { FilterName, Projection } from './projection.ts'
import { decodeRow } from './row-codec.ts'
import type { AskedFields, KeySpan, RowsOfMoment } from './row-places.ts'
import { placesOf } from './row-places.ts'
import type { ProjectionState } from './state.ts'
import { readState, rowsOfState } from './state.ts'

// A page is one answer in memory: 500 rows are about 500 KiB.
export const PAGE_ROWS_MAX = 500
export const PAGE_ROWS_DEFAULT = 100
// A filter that matches nothing must not read a whole projection for one request. 10,000 rows are read and parsed in
// some 50 ms, so nobody else waits for long, and a million rows are gone through in a hundred requests.
export const PAGE_ENTRIES_MAX = 10_000
// A reader that waits for its own write waits for one fold; more than this means that something is wrong.
export const WAIT_MS_MAX = 5_000

/** Filters (those that the projection knows) and the part of the rows that is wanted. Times are ms since 1970. */
export interface ProjectionQuery {
  readonly namespace?: string
  readonly batchId?: string
  readonly signer?: string
  readonly status?: string
  readonly fromTs?: number
  readonly toTs?: number
  /** 1 to 500, default 100. */
  readonly limit?: number
  readonly cursor?: string
  /** The state at exactly this `logSeq`. */
  readonly at?: number
  /** Answers once the projection has reached this `logSeq`, at most 5 s. */
  readonly waitFor?: number
  /** Of `receipts` alone: what rows show beside their columns. */
  readonly include?: readonly ReceiptPart[]
}

/**
 * Rows in key order, and the cursor of the page after them. A page ends early, perhaps without any row, where a filter
 * has passed over many: `nextCursor` alone says whether to go on.
 */
export type ProjectionPage = PageOf<JsonObject>

/** A filter that has to look further than into the row. */
export type RowTest = (row: JsonObject) => Promise<boolean>

/** Which rows a reader may see at all. */
export interface RowView {
  /** Where they begin, ascending, none within another; `null`: anywhere. */
  readonly prefixes: readonly string[] | null
  /** Whether one of those may be seen. */
  shows(row: JsonObject): boolean
}

/** For readers who may see everything. */
export const EVERY_ROW: RowView = { prefixes: null, shows: () => true }

const FILTERS: readonly FilterName[] = ['batchId', 'signer', 'status', 'fromTs', 'toTs']

/**
 * One page of rows in key order, from at most `PAGE_ENTRIES_MAX` that it looks at. Paging by key is stable: a row that
 * is written meanwhile neither repeats nor hides another. What `view` does not show leaves no trace, neither in rows nor
 * in cursors. Throws `UNKNOWN_PROJECTION`, `QUERY_INVALID`, `CURSOR_FOREIGN`, `STATE_OUTDATED` (`at` is older than the
 * journal), `NOT_YET`, `PROJECTION_HALTED`.
 */
export async function queryRows(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  name: string,
  query: ProjectionQuery,
  view: RowView = EVERY_ROW,
  also?: RowTest
): Promise<ProjectionPage> {
  const instance = engine.instance(name)
  if (query.include !== undefined)
    throw new AnchormeshError('QUERY_INVALID', 'only rows of receipts include more than their columns')
  if (instance.halted !== null) throw haltedError(instance)
  const awaited = Math.max(position('waitFor', query.waitFor), position('at', query.at))
  if (awaited > instance.state.cursor) await engine.reached(awaited, WAIT_MS_MAX, name)
  const limit = pageLimit(query.limit)
  const matches = rowFilter(instance, query)
  const prefixes =
    query.namespace === undefined ? (view.prefixes ?? ['']) : [namespacePrefix(instance, query.namespace)]
  const place = { kind: 'page', epoch, projection: name } as const
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, place).after

  const snapshot = await store.snapshot()
  try {
    const state = await readState(snapshot, instance.projection)
    const { projection } = instance
    const changed = query.at === undefined ? NOTHING_CHANGED : await changedSince(query.at, state, snapshot, projection)
    const rowsPrefix = rowsOfState(name, state)
    const moment = { reader: snapshot, state, rowsPrefix, changed, gapParts: instance.gapParts }
    const asked = askedFields(query)
    const entriesIn = async (prefix: string): Promise<Entries> => {
      const places = await placesOf(projection.layout, prefix, asked, moment)
      if (places.kind === 'keys') return await rowsUnder(places.keys, projection, moment, after)
      return rowsInSpans(places.spans, moment, projection, after)
    }
    const [only = ''] = prefixes
    // Most questions are for one thing of one namespace, and need none of what many parts do.
    const entries = prefixes.length === 1 ? await entriesIn(only) : inTurn(prefixes, entriesIn)
    const { rows, goOnAfter } = await takeRows(entries, view, matches, limit, also)
    const nextCursor = goOnAfter === null ? null : encodeCursor({ ...place, after: goOnAfter })
    return { projection: name, version: state.version, epoch, logSeq: query.at ?? state.cursor, rows, nextCursor }
  } finally {
    await snapshot.close()
  }
}

/** Keys of rows, and the rows. */
type Entries = Iterable<[string, JsonObject]> | AsyncIterable<[string, JsonObject]>

/** The entries of one prefix after another, each looked for when it is its turn. */
async function* inTurn(
  prefixes: readonly string[],
  entriesIn: (prefix: string) => Promise<Entries>
): AsyncGenerator<[string, JsonObject]> {
  for (const prefix of prefixes) yield* await entriesIn(prefix)
}

/**
 * The rows of one page, and the last key that it has dealt with where there may be more after it. What `view` does not
 * show does not count, not even as looked at: it is little, because the entries are of parts that the reader may see,
 * and in `_trust` of what organisations say of themselves.
 */
async function takeRows(
  entries: Entries,
  view: RowView,
  matches: (row: JsonObject) => boolean,
  limit: number,
  also: RowTest | undefined
): Promise<{ readonly rows: readonly JsonObject[]; readonly goOnAfter: string | null }> {
  const rows: JsonObject[] = []
  let looked = 0
  let last = ''
  for await (const [key, row] of entries) {
    if (!view.shows(row)) continue
    if (looked === PAGE_ENTRIES_MAX) return { rows, goOnAfter: last }
    looked += 1
    if (matches(row) && (also === undefined || (await also(row)))) {
      // One more than the page holds shows that there is a next one.
      if (rows.length === limit) return { rows, goOnAfter: last }
      rows.push(row)
    }
    last = key
  }
  return { rows, goOnAfter: null }
}

/** The rows that differ from those of position `at`, as they stood there. Throws `STATE_OUTDATED`. */
export async function changedSince(
  at: number,
  { journalFrom }: ProjectionState,
  reader: StoreReader,
  projection: Projection
): Promise<ReadonlyMap<string, JsonObject | null>> {
  if (at < journalFrom) {
    throw new AnchormeshError('STATE_OUTDATED', `the state at position ${at} is no longer kept`, {
      detail: { oldest: journalFrom }
    })
  }
  return await rowsBefore(reader, projection, at)
}

/** For rows as they are now. */
export const NOTHING_CHANGED: ReadonlyMap<string, JsonObject | null> = new Map()

/**
 * The rows of a moment in key order, those whose key begins with `prefix`; `changed` says which differed then from what
 * is stored now.
 */
export function rowsInOrder(
  reader: StoreReader,
  projection: Projection,
  rowsPrefix: string,
  prefix: string,
  after: string | undefined,
  changed: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<[string, JsonObject]> {
  return rowsWithin(reader, projection, rowsPrefix, prefixRange(prefix), after, changed)
}

/** The rows of a moment that have one of these keys, in their order. */
async function rowsUnder(
  keys: readonly string[],
  { layout }: Projection,
  { reader, rowsPrefix, changed }: RowsOfMoment,
  after: string | undefined
): Promise<readonly [string, JsonObject][]> {
  const wanted = after === undefined ? keys : keys.filter((key) => key > after)
  const stored = await fewValues(
    reader,
    wanted.map((key) => rowsPrefix + key)
  )
  const entries: [string, JsonObject][] = []
  for (const [index, key] of wanted.entries()) {
    const bytes = stored[index]
    const past = changed.get(key)
    if (past === undefined && bytes !== undefined) entries.push([key, decodeRow(layout, key, bytes)])
    else if (past !== undefined && past !== null) entries.push([key, past])
  }
  return entries
}

async function* rowsInSpans(
  spans: readonly KeySpan[],
  { reader, rowsPrefix, changed }: RowsOfMoment,
  projection: Projection,
  after: string | undefined
): AsyncGenerator<[string, JsonObject]> {
  for (const span of spans) yield* rowsWithin(reader, projection, rowsPrefix, span, after, changed)
}

async function* rowsWithin(
  reader: StoreReader,
  { layout }: Projection,
  rowsPrefix: string,
  span: KeySpan,
  after: string | undefined,
  changed: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<[string, JsonObject]> {
  const past = [...changed]
    .filter(([key]) => key >= span.gte && key < span.lt && (after === undefined || key > after))
    .sort(([left], [right]) => (left < right ? -1 : 1))
  const gte = rowsPrefix + span.gte
  const lt = rowsPrefix + span.lt
  const start = after === undefined ? gte : rowsPrefix + after
  if (start >= lt) return
  // A cursor is its keeper's to change: one from before the prefix must not lead to what stands between.
  const range = start < gte || after === undefined ? { gte, lt } : { gt: start, lt }
  let index = 0
  let next = past[index]
  const step = (): void => {
    index += 1
    next = past[index]
  }
  for await (const [fullKey, bytes] of reader.range(range)) {
    const key = fullKey.slice(rowsPrefix.length)
    for (; next !== undefined && next[0] < key; step()) if (next[1] !== null) yield [next[0], next[1]]
    if (next?.[0] === key) {
      if (next[1] !== null) yield [key, next[1]]
      step()
      continue
    }
    yield [key, decodeRow(layout, key, bytes)]
  }
  for (; next !== undefined; step()) if (next[1] !== null) yield [next[0], next[1]]
}

/** A log position that a query names; 0 where it names none. */
function position(name: string, value: number | undefined): number {
  if (value === undefined) return 0
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new AnchormeshError('QUERY_INVALID', `${name} is a position of the log, an integer from 0`)
}

function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_ROWS_DEFAULT
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ROWS_MAX) return limit
  throw new AnchormeshError('QUERY_INVALID', `limit is an integer from 1 to ${PAGE_ROWS_MAX}`)
}

/** The key prefix of a namespace's rows. Throws `QUERY_INVALID` where rows belong to none. */
export function namespacePrefix(instance: ProjectionInstance, namespace: string): string {
  const { projection } = instance
  const prefix = projection.namespacePrefix(namespace)
  if (prefix === null) throw new AnchormeshError('QUERY_INVALID', `rows of ${projection.name} belong to no namespace`)
  return prefix
}

/** What a query asks of fields that may stand in keys: always that they are equal. */
function askedFields({ namespace, batchId, signer }: ProjectionQuery): AskedFields {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(batchId === undefined ? {} : { batchId }),
    ...(signer === undefined ? {} : { signer })
  }
}

function rowFilter(instance: ProjectionInstance, query: ProjectionQuery): (row: JsonObject) => boolean {
  const tests: ((row: JsonObject) => boolean)[] = []
  for (const name of FILTERS) {
    const value = query[name]
    if (value === undefined) continue
    const filter = instance.projection.filters[name]
    if (filter === undefined) {
      const known = Object.keys(instance.projection.filters).join(', ')
      throw new AnchormeshError('QUERY_INVALID', `${instance.projection.name} can't be filtered by ${name}`, {
        hint: `it knows: namespace, ${known}`
      })
    }
    tests.push((row) => filter(row, value))
  }
  return (row) => tests.every((test) => test(row))
}
