import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader } from '../log/store.ts'
import { VALUES_NOW_MAX, fewValues, prefixRange } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { beginningsOf, decodeList, listPlaceOf } from './batch-lists.ts'
import { rowsBefore } from './journal.ts'
import type { Projection } from './projection.ts'
import { decodeRow } from './row-codec.ts'
import type { KeySpan, ListedPlaces, RowPlaces } from './row-places.ts'
import { placesUnder } from './row-places.ts'
import type { ProjectionState } from './state.ts'
import { isStillState, listsOfState, readState, rowsOfState } from './state.ts'

/** The rows of a projection at one moment. */
export interface RowsOfMoment {
  readonly projection: Projection
  readonly reader: StoreReader
  readonly state: ProjectionState
  /** Those that differed then from what is stored in `reader`; `null` for a row that was not there. */
  readonly changed: ReadonlyMap<string, JsonObject | null>
}

/** Keys of rows, and the rows. */
export type RowEntry = readonly [key: string, row: JsonObject]

/** For rows as they are now. */
export const NOTHING_CHANGED: ReadonlyMap<string, JsonObject | null> = new Map()

/** The rows as they are in a snapshot, or as they were at position `at` before it. Throws `STATE_OUTDATED`. */
export async function rowsOfMoment(
  reader: StoreReader,
  projection: Projection,
  at: number | undefined
): Promise<RowsOfMoment> {
  const state = await readState(reader, projection)
  const changed = at === undefined ? NOTHING_CHANGED : await changedSince(at, state, reader, projection)
  return { projection, reader, state, changed }
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

/** The rows of these places, in key order. */
export async function* rowsAt(
  places: RowPlaces | ListedPlaces,
  moment: RowsOfMoment,
  after: string | undefined
): AsyncGenerator<RowEntry> {
  const found = places.kind === 'list' ? await listedPlaces(places, moment) : places
  if (found.kind === 'keys') {
    yield* await rowsUnder(found.keys, moment, after)
    return
  }
  const { projection, reader, state, changed } = moment
  const rowsPrefix = rowsOfState(projection.name, state)
  for (const span of found.spans) yield* rowsWithin(reader, projection, rowsPrefix, span, after, changed)
}

/** What a list says of the moment. Rows that were there then may not be any more: folded anew under another policy. */
async function listedPlaces(
  { list, otherwise }: ListedPlaces,
  { projection, reader, state, changed }: RowsOfMoment
): Promise<RowPlaces> {
  const { layout, name } = projection
  const [stored] = await fewValues(reader, [listsOfState(name, state) + list])
  const listed = decodeList(stored)
  if (listed === null) return { kind: 'spans', spans: [otherwise] }
  const entries = new Set(listed)
  for (const key of changed.keys()) {
    const place = listPlaceOf(layout, key)
    if (place.list === list) entries.add(place.entry)
  }
  return placesUnder(layout, beginningsOf(layout, list, [...entries]))
}

/** The rows of a moment that have one of these keys, in their order. */
async function rowsUnder(
  keys: readonly string[],
  { projection, reader, state, changed }: RowsOfMoment,
  after: string | undefined
): Promise<readonly RowEntry[]> {
  const rowsPrefix = rowsOfState(projection.name, state)
  const wanted = keysAfter(keys, after)
  const stored = await fewValues(
    reader,
    wanted.map((key) => rowsPrefix + key)
  )
  const entries: RowEntry[] = []
  for (const [index, key] of wanted.entries()) {
    const bytes = stored[index]
    const past = changed.get(key)
    if (past === undefined && bytes !== undefined) entries.push([key, decodeRow(projection.layout, key, bytes)])
    else if (past !== undefined && past !== null) entries.push([key, past])
  }
  return entries
}

/**
 * The rows of these places as an instance knows them, read in this turn of the event loop, which spares a snapshot and
 * every wait; `null` where that can't be done, and where the store has gone on meanwhile.
 */
export function rowsNow(
  places: RowPlaces | ListedPlaces,
  { projection, state }: Pick<RowsOfMoment, 'projection' | 'state'>,
  { getNow }: Pick<StoreReader, 'getNow'>,
  after: string | undefined
): readonly RowEntry[] | null {
  if (getNow === undefined || places.kind === 'spans') return null
  const { name, layout } = projection
  let found: RowPlaces
  if (places.kind === 'keys') found = places
  else {
    const { list } = places
    const listed = decodeList(getNow(listsOfState(name, state) + list))
    if (listed === null) return null
    found = placesUnder(layout, beginningsOf(layout, list, listed))
  }
  if (found.kind === 'spans' || found.keys.length > VALUES_NOW_MAX) return null
  const rowsPrefix = rowsOfState(name, state)
  const entries: RowEntry[] = []
  for (const key of keysAfter(found.keys, after)) {
    const bytes = getNow(rowsPrefix + key)
    if (bytes !== undefined) entries.push([key, decodeRow(layout, key, bytes)])
  }
  return isStillState(getNow, name, state) ? entries : null
}

function keysAfter(keys: readonly string[], after: string | undefined): readonly string[] {
  return after === undefined ? keys : keys.filter((key) => key > after)
}

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
): AsyncGenerator<RowEntry> {
  return rowsWithin(reader, projection, rowsPrefix, prefixRange(prefix), after, changed)
}

async function* rowsWithin(
  reader: StoreReader,
  { layout }: Projection,
  rowsPrefix: string,
  span: KeySpan,
  after: string | undefined,
  changed: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<RowEntry> {
  const past = [...changed]
    .filter(([key]) => key >= span.gte && key < span.lt && (after === undefined || key > after))
    .sort(([left], [right]) => (left < right ? -1 : 1))
  const gte = rowsPrefix + span.gte
  const lt = rowsPrefix + span.lt
  const start = after === undefined ? gte : rowsPrefix + after
  if (start >= lt) return
  // It may be of an earlier span.
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
