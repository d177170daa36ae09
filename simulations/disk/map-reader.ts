import type { KeyRange, StoreReader, StoreSnapshot } from '../../src/log/store.ts'
import type { Bounds, OrderedMap } from './ordered-map.ts'
import { entriesIn, valueIn } from './ordered-map.ts'
import type { StoredValue } from './stored-value.ts'
import { bytesOf } from './stored-value.ts'

// Most ranges are read for a few entries; of long ones a page is read at once.
const FIRST_ENTRIES = 16
const NEXT_ENTRIES = 256

/** Reads one moment of a store. */
export function snapshotOf(map: OrderedMap<StoredValue>): StoreSnapshot {
  return { ...readerOf(() => map), close: () => Promise.resolve() }
}

/** It can always read at once. */
export interface MapReader extends StoreReader {
  readonly getNow: (key: string) => Uint8Array | undefined
}

/** Reads a store as it is whenever it is asked; `current` throws where it can't be read now. */
export function readerOf(current: () => OrderedMap<StoredValue>): MapReader {
  const getNow = (key: string): Uint8Array | undefined => {
    const stored = valueIn(current(), key)
    return stored === undefined ? undefined : bytesOf(stored)
  }
  return {
    getNow,
    get: async (key) => getNow(key),
    getMany: async (keys) => keys.map(getNow),
    range: (range) => rangeOf(async () => current(), range)
  }
}

/** The entries of the map that `open` resolves with, which is asked once, for the first of them. */
export function rangeOf(
  open: () => Promise<OrderedMap<StoredValue>>,
  range: KeyRange
): AsyncIterable<[string, Uint8Array]> {
  return { [Symbol.asyncIterator]: () => new RangeIterator(open, range) }
}

/** A generator would take three turns for each entry, and ranges are read all the time. */
class RangeIterator implements AsyncIterator<[string, Uint8Array]> {
  readonly #open: () => Promise<OrderedMap<StoredValue>>
  readonly #reverse: boolean
  #map: OrderedMap<StoredValue> | null = null
  #bounds: Bounds
  #left: number
  #page: readonly [string, StoredValue][] = []
  #place = 0
  /** Whether there may be more behind this page. */
  #hasMore = true

  constructor(open: () => Promise<OrderedMap<StoredValue>>, range: KeyRange) {
    this.#open = open
    this.#reverse = range.reverse === true
    this.#bounds = boundsOf(range)
    this.#left = range.limit ?? Infinity
  }

  async next(): Promise<IteratorResult<[string, Uint8Array], undefined>> {
    const size = this.#map === null ? FIRST_ENTRIES : NEXT_ENTRIES
    this.#map ??= await this.#open()
    if (this.#place === this.#page.length && this.#hasMore) this.#readPage(this.#map, size)
    const entry = this.#page[this.#place]
    if (entry === undefined) return { done: true, value: undefined }
    this.#place += 1
    return { done: false, value: [entry[0], bytesOf(entry[1])] }
  }

  /** Who leaves early gets nothing more. */
  return(): Promise<IteratorResult<[string, Uint8Array], undefined>> {
    this.#page = []
    this.#place = 0
    this.#hasMore = false
    return Promise.resolve({ done: true, value: undefined })
  }

  #readPage(map: OrderedMap<StoredValue>, size: number): void {
    const max = Math.min(size, this.#left)
    const page = entriesIn(map, this.#bounds, { reverse: this.#reverse, max })
    this.#page = page
    this.#place = 0
    this.#left -= page.length
    this.#hasMore = page.length === max && this.#left > 0
    const last = page.at(-1)
    if (last === undefined) return
    const next = { key: last[0], inclusive: false }
    this.#bounds = this.#reverse ? { ...this.#bounds, high: next } : { ...this.#bounds, low: next }
  }
}

function boundsOf({ gt, gte, lt, lte }: KeyRange): Bounds {
  return { low: bound(gt, gte, (one, other) => one >= other), high: bound(lt, lte, (one, other) => one <= other) }
}

/** Where both bounds of a side are given, the narrower one holds. */
function bound(
  exclusive: string | undefined,
  inclusive: string | undefined,
  isNarrower: (one: string, other: string) => boolean
): Bounds['low'] {
  if (exclusive !== undefined && (inclusive === undefined || isNarrower(exclusive, inclusive)))
    return { key: exclusive, inclusive: false }
  return inclusive === undefined ? null : { key: inclusive, inclusive: true }
}
