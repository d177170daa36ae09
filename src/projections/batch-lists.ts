import type { StoreReader, WriteOperation } from '../log/store.ts'
import { fewValues } from '../log/store.ts'
import { parseStored } from './row-codec.ts'
import type { RowLayout } from './row-codec.ts'

/**
 * Beside the rows of some projections each batch has a list of where its rows stand, so that a question about one batch
 * finds them by their keys, however many owners and batches there are. In keys the owner stands before the batch, because
 * digests and pages go by their order.
 */

// Most batches have one owner and one root. Who claims a batch for ever more owners, or under ever more roots, must not
// have a list grow that is written anew for each; then its rows are looked for where their keys alone say.
const LISTED_MAX = 64

/** What rows are listed by: the first parts of their keys, without namespace and batch. `null`: too many. */
type BatchList = readonly string[] | null

/** Where a row is listed. */
interface ListPlace {
  /** The key of the list. */
  readonly list: string
  readonly entry: string
}

/** The key of the list of a batch. */
export const listKey = (namespace: string, batchId: string): string => `${namespace}!${batchId}`

export function listPlaceOf({ key, listed }: RowLayout, rowKey: string): ListPlace {
  const parts = rowKey.split('!').slice(0, listed)
  const [batchId = ''] = parts.splice(key.indexOf('batchId'), 1)
  const [namespace = ''] = parts.splice(0, 1)
  return { list: listKey(namespace, batchId), entry: parts.join('!') }
}

/** What a list says; `null` where there are too many. */
export function decodeList(stored: Uint8Array | undefined): BatchList {
  return stored === undefined ? [] : (parseStored(stored) as BatchList)
}

/** What the keys of the rows begin with that are listed so, in key order. */
export function beginningsOf({ key }: RowLayout, list: string, entries: readonly string[]): readonly string[] {
  const [namespace = '', batchId = ''] = list.split('!')
  const place = key.indexOf('batchId')
  return entries.toSorted().map((entry) => [namespace, ...entry.split('!').toSpliced(place - 1, 0, batchId)].join('!'))
}

/** The lists of those rows that a fold makes. */
export class BatchLists {
  readonly #store: StoreReader
  readonly #prefix: string
  readonly #layout: RowLayout
  readonly #made = new Map<string, Set<string>>()
  readonly #operations: WriteOperation[] = []

  /** `prefix`: where they stand in the store. */
  constructor(store: StoreReader, prefix: string, layout: RowLayout) {
    this.#store = store
    this.#prefix = prefix
    this.#layout = layout
  }

  /** There is a row under this key that was not there before. */
  made(rowKey: string): void {
    if (this.#layout.listed === undefined) return
    const { list, entry } = listPlaceOf(this.#layout, rowKey)
    const entries = this.#made.get(list)
    if (entries === undefined) this.#made.set(list, new Set([entry]))
    else entries.add(entry)
  }

  /** Works out what is to be written, once all rows are made. */
  async settle(): Promise<void> {
    const lists = [...this.#made]
    if (lists.length === 0) return
    const stored = await fewValues(
      this.#store,
      lists.map(([list]) => this.#prefix + list)
    )
    for (const [index, [list, made]] of lists.entries()) {
      const before = decodeList(stored[index])
      if (before === null) continue
      const after = new Set([...before, ...made])
      if (after.size === before.length) continue
      const value: BatchList = after.size > LISTED_MAX ? null : [...after].sort()
      this.#operations.push({ type: 'put', key: this.#prefix + list, value: JSON.stringify(value) })
    }
  }

  writeTo(operations: WriteOperation[]): void {
    for (const operation of this.#operations) operations.push(operation)
  }
}
