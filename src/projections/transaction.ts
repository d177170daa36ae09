import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import { BatchLists } from './batch-lists.ts'
import { factsPrefix, listsPrefix, rowsPrefix } from './keys.ts'
import type { Projection, Table } from './projection.ts'
import type { PackedRow, RowLayout } from './row-codec.ts'
import { decodeRow, packRow, parseStored } from './row-codec.ts'

// Values that are read again soon are those of busy chains and batches; 4,096 parsed rows are about 4 MiB.
const CACHED_VALUES_MAX = 4_096
// Else the key sets of packs, 48 KiB each, would make them 200 MiB.
const CACHED_VALUE_CHARS_MAX = 4_096

/** One change of a row: the position that made it and what stood there before (`null`: nothing). */
export type RowChange = readonly [logSeq: number, key: string, before: PackedRow | null]

/** The values last read or written, kept between the folds of one generation. */
export class ValueCache {
  readonly rows: BoundedMap<string, JsonObject | undefined> | null
  readonly facts = new BoundedMap<string, JsonObject | undefined>(CACHED_VALUES_MAX)

  constructor(options: { readonly rows: boolean }) {
    this.rows = options.rows ? new BoundedMap(CACHED_VALUES_MAX) : null
  }
}

/**
 * What one fold of a group of records reads and writes in one generation; nothing is written before `operations` is.
 */
export class FoldTransaction {
  readonly changes: RowChange[] = []
  readonly #rows: FoldTable
  readonly #facts: FoldTable
  readonly #lists: BatchLists

  constructor(store: StoreReader, generation: string, { layout }: Projection, cache: ValueCache) {
    this.#lists = new BatchLists(store, listsPrefix(generation), layout)
    const tracked = { layout, changes: this.changes, lists: this.#lists }
    this.#rows = new FoldTable(store, rowsPrefix(generation), cache.rows, tracked)
    this.#facts = new FoldTable(store, factsPrefix(generation), cache.facts, null)
  }

  get rows(): Table {
    return this.#rows
  }

  get facts(): Table {
    return this.#facts
  }

  /** Reads the rows at once, so that the fold finds them at hand. */
  async prefetch(rows: readonly string[]): Promise<void> {
    await this.#rows.prefetch(rows)
  }

  /** From here on, changes belong to this record. */
  begin(logSeq: number): void {
    this.#rows.logSeq = logSeq
  }

  /** After the last record. */
  async end(): Promise<void> {
    await this.#lists.settle()
  }

  /** Adds what is to be written to `operations`. */
  writeTo(operations: WriteOperation[]): void {
    this.#rows.writeTo(operations)
    this.#lists.writeTo(operations)
    this.#facts.writeTo(operations)
  }

  /** Takes the values into the cache, once they are written. */
  remember(): void {
    this.#rows.remember()
    this.#facts.remember()
  }

  /** The rows that it wrote, as they are now; not those that it deleted. */
  rowsPut(): JsonObject[] {
    return this.#rows.valuesPut()
  }
}

interface Entry {
  value: JsonObject | undefined
  /** The position of the record that wrote it last; 0 for what was only read. */
  writtenAt: number
  /** How long it is stored, as far as that was looked at. */
  length: number
}

/** What hears of changes of rows. */
interface Tracked {
  readonly layout: RowLayout
  readonly changes: RowChange[]
  readonly lists: BatchLists
}

class FoldTable implements Table {
  readonly #store: StoreReader
  readonly #prefix: string
  readonly #cache: BoundedMap<string, JsonObject | undefined> | null
  readonly #tracked: Tracked | null
  readonly #entries = new Map<string, Entry>()
  logSeq = 1

  /** `cache` is null for rows that are not read again; `tracked` for facts, whose changes nobody asks for. */
  constructor(
    store: StoreReader,
    prefix: string,
    cache: BoundedMap<string, JsonObject | undefined> | null,
    tracked: Tracked | null
  ) {
    this.#store = store
    this.#prefix = prefix
    this.#cache = cache
    this.#tracked = tracked
  }

  async get(key: string): Promise<JsonObject | undefined> {
    const entry = this.#entry(key) ?? this.#learn(key, await this.#store.get(this.#prefix + key))
    return entry.value
  }

  at(key: string): JsonObject | undefined {
    const entry = this.#entry(key)
    if (entry === undefined) throw new Error(`${key} was not read ahead`)
    return entry.value
  }

  isAtHand(key: string): boolean {
    return this.#entry(key) !== undefined
  }

  put(key: string, value: JsonObject): void {
    this.#write(key, value)
  }

  del(key: string): void {
    this.#write(key, undefined)
  }

  async range(keyPrefix: string, limit = Infinity, from = keyPrefix): Promise<[string, JsonObject][]> {
    const own = [...this.#entries].filter(
      ([key, { writtenAt }]) => writtenAt > 0 && key.startsWith(keyPrefix) && key >= from
    )
    const found: [string, JsonObject][] = []
    for (const [key, { value }] of own) if (value !== undefined) found.push([key, value])
    // What this fold wrote or deleted hides what is stored under the same key.
    const hidden = new Set(own.map(([key]) => key))
    let stored = 0
    const { lt } = prefixRange(this.#prefix + keyPrefix)
    for await (const [storeKey, bytes] of this.#store.range({ gte: this.#prefix + from, lt })) {
      const key = storeKey.slice(this.#prefix.length)
      if (hidden.has(key)) continue
      found.push([key, this.#decode(key, bytes)])
      stored += 1
      if (stored >= limit) break
    }
    return found.sort(([left], [right]) => (left < right ? -1 : 1)).slice(0, limit)
  }

  async prefetch(keys: readonly string[]): Promise<void> {
    const unknown = [...new Set(keys)].filter((key) => this.#entry(key) === undefined)
    const values = await this.#store.getMany(unknown.map((key) => this.#prefix + key))
    for (const [index, key] of unknown.entries()) this.#learn(key, values[index])
  }

  writeTo(operations: WriteOperation[]): void {
    const layout = this.#tracked?.layout
    for (const [key, entry] of this.#entries) {
      const { value, writtenAt } = entry
      if (writtenAt === 0) continue
      if (value === undefined) operations.push({ type: 'del', key: this.#prefix + key })
      else {
        const text = JSON.stringify(layout === undefined ? value : packRow(layout, value))
        entry.length = text.length
        operations.push({ type: 'put', key: this.#prefix + key, value: text })
      }
    }
  }

  valuesPut(): JsonObject[] {
    const values: JsonObject[] = []
    for (const { value, writtenAt } of this.#entries.values())
      if (writtenAt > 0 && value !== undefined) values.push(value)
    return values
  }

  remember(): void {
    if (this.#cache === null) return
    for (const [key, { value, length }] of this.#entries) {
      if (length > CACHED_VALUE_CHARS_MAX) this.#cache.delete(key)
      else this.#cache.set(key, value)
    }
  }

  #write(key: string, value: JsonObject | undefined): void {
    const entry = this.#entry(key)
    if (this.#tracked !== null) {
      // Without what stood there before, the state at an earlier position could not be told.
      if (entry === undefined) throw new Error(`${key} was written without being read`)
      const { layout, changes, lists } = this.#tracked
      if (entry.value === undefined) lists.made(key)
      if (value === undefined && layout.listed !== undefined) throw new Error(`${key} is listed, and is not deleted`)
      if (entry.writtenAt !== this.logSeq)
        changes.push([this.logSeq, key, entry.value === undefined ? null : packRow(layout, entry.value)])
    }
    if (entry === undefined) this.#entries.set(key, { value, writtenAt: this.logSeq, length: 0 })
    else {
      entry.value = value
      entry.writtenAt = this.logSeq
    }
  }

  #entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined || this.#cache === null || !this.#cache.has(key)) return entry
    const cached = { value: this.#cache.get(key), writtenAt: 0, length: 0 }
    this.#entries.set(key, cached)
    return cached
  }

  #learn(key: string, bytes: Uint8Array | undefined): Entry {
    const entry = {
      value: bytes === undefined ? undefined : this.#decode(key, bytes),
      writtenAt: 0,
      length: bytes?.length ?? 0
    }
    this.#entries.set(key, entry)
    return entry
  }

  #decode(key: string, bytes: Uint8Array): JsonObject {
    return this.#tracked === null ? (parseStored(bytes) as JsonObject) : decodeRow(this.#tracked.layout, key, bytes)
  }
}
