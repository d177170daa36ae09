/**
 * The storage port: an ordered map from ASCII keys to bytes with atomic batches. `level-store.ts` puts it on
 * LevelDB or on memory. Keys are compared byte by byte; this project's keys are ASCII.
 */

/** Text is stored as UTF-8. */
export type WriteOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array | string }
  | { readonly type: 'del'; readonly key: string }

/** Half-open by choice of bounds; without bounds it is the whole map. */
export interface KeyRange {
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
  readonly reverse?: boolean
  readonly limit?: number
}

/** What can be read, from the store as it is now or from one moment of it. */
export interface StoreReader {
  get(key: string): Promise<Uint8Array | undefined>
  /** Values in the order of `keys`; `undefined` where there is none. */
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>
  /**
   * A value without a thread in between; everybody waits meanwhile, so it is for the few keys that `fewValues` takes.
   * `undefined` for a store that can't, and while it is opened anew: to be asked for in the turn of the event loop in
   * which it is called.
   */
  readonly getNow?: ((key: string) => Uint8Array | undefined) | undefined
  /** Entries in key order. The iterator sees one moment of the store, whatever is written meanwhile. */
  range(range: KeyRange): AsyncIterable<[string, Uint8Array]>
}

/** One frozen moment of the store; must be closed. */
export interface StoreSnapshot extends StoreReader {
  close(): Promise<void>
}

export interface Store extends StoreReader {
  /**
   * Writes all operations or none. With `sync` it resolves only when they would survive a loss of power.
   * A failed write leaves what was written before untouched, and may have written what it was given. Throws
   * `STORE_FULL`; then everything else does until `reopen`.
   */
  write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void>
  snapshot(): Promise<StoreSnapshot>
  /**
   * Brings the store back after a failed write; reads and writes wait meanwhile. Throws `STORE_FULL` while it can't be
   * opened; then reads throw that too.
   */
  reopen(): Promise<void>
  /** Bytes on disk, about; 0 in memory. */
  sizeBytes(): Promise<number>
  /** Free bytes where the store stands; `Infinity` in memory. */
  freeBytes(): Promise<number>
  close(): Promise<void>
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: string): { readonly gte: string; readonly lt: string } {
  return { gte: prefix, lt: `${prefix}\x7f` }
}

// A value that LevelDB has in memory is there sooner than a thread is woken to ask for it; one that has to come from a
// disk takes some 100 µs. So many are over before a page of rows is parsed.
export const VALUES_NOW_MAX = 16

/** Values in the order of `keys`, as `getMany` gives them; a few of them without a thread in between. */
export async function fewValues(
  reader: StoreReader,
  keys: readonly string[]
): Promise<readonly (Uint8Array | undefined)[]> {
  const { getNow } = reader
  if (getNow === undefined || keys.length > VALUES_NOW_MAX) return await reader.getMany(keys)
  return keys.map((key) => getNow(key))
}
