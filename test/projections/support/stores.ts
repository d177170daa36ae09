import { openMemoryStore } from '../../../src/log/level-store.ts'
import type { KeyRange, Store, StoreReader, WriteOperation } from '../../../src/log/store.ts'

/** One batch that a store was given. */
export interface RecordedWrite {
  readonly operations: readonly WriteOperation[]
  readonly sync: boolean
}

export interface StoreHooks {
  /** Before a batch is written; what it throws is the write's failure. */
  readonly beforeWrite?: (write: RecordedWrite) => void | Promise<void>
  /** After a batch is in the store and before its caller is told. */
  readonly afterWrite?: (write: RecordedWrite) => void | Promise<void>
  /** Each key that is read, found or not, and each that a range yields. What it throws is the read's failure. */
  readonly onRead?: (key: string) => void | Promise<void>
}

/** A store of which a test sees and holds up every read and write. */
export function watchedStore(store: Store, hooks: StoreHooks): Store {
  const watched = (reader: StoreReader): StoreReader => ({
    async get(key) {
      await hooks.onRead?.(key)
      return await reader.get(key)
    },
    async getMany(keys) {
      for (const key of keys) await hooks.onRead?.(key)
      return await reader.getMany(keys)
    },
    range: (range: KeyRange) => watchedRange(reader.range(range), hooks)
  })
  return {
    ...watched(store),
    async write(operations, options) {
      const write = { operations, sync: options.sync }
      await hooks.beforeWrite?.(write)
      await store.write(operations, options)
      await hooks.afterWrite?.(write)
    },
    async snapshot() {
      const snapshot = await store.snapshot()
      return { ...watched(snapshot), close: () => snapshot.close() }
    },
    reopen: () => store.reopen(),
    sizeBytes: () => store.sizeBytes(),
    freeBytes: () => store.freeBytes(),
    close: () => store.close()
  }
}

async function* watchedRange(
  entries: AsyncIterable<[string, Uint8Array]>,
  hooks: StoreHooks
): AsyncGenerator<[string, Uint8Array]> {
  for await (const entry of entries) {
    await hooks.onRead?.(entry[0])
    yield entry
  }
}

/**
 * Holds writes up, so that a test can look at the moments between what the disk holds and what the node knows of it.
 */
export interface WriteGate {
  readonly hooks: StoreHooks
  /**
   * From now on, batches that `holds` names wait: before they are written, or (`after`) when they are and nobody was
   * told.
   */
  hold(holds: (write: RecordedWrite) => boolean, when: 'before' | 'after'): void
  /** Resolves when a batch waits. */
  held(): Promise<void>
  /** Lets the batches that wait go on, and (`keep`) still holds those that come. */
  release(keep?: 'keep'): void
}

export function writeGate(): WriteGate {
  let holding: { readonly holds: (write: RecordedWrite) => boolean; readonly when: 'before' | 'after' } | null = null
  const waiting: (() => void)[] = []
  const announce: (() => void)[] = []
  const pass =
    (when: 'before' | 'after') =>
    (write: RecordedWrite): void | Promise<void> => {
      if (holding?.when !== when || !holding.holds(write)) return
      for (const tell of announce.splice(0)) tell()
      return new Promise((resolve) => waiting.push(resolve))
    }
  return {
    hooks: { beforeWrite: pass('before'), afterWrite: pass('after') },
    hold(holds, when) {
      holding = { holds, when }
    },
    held: () => (waiting.length > 0 ? Promise.resolve() : new Promise((resolve) => announce.push(resolve))),
    release(keep) {
      if (keep === undefined) holding = null
      for (const resume of waiting.splice(0)) resume()
    }
  }
}

/** Whether a batch is one of the folds, not of the log. */
export const isFold = ({ operations }: RecordedWrite): boolean => operations.some(({ key }) => key.startsWith('w!'))

/** A store with the content that these batches leave behind: the disk as a crash after the last of them finds it. */
export async function storeOf(writes: readonly RecordedWrite[]): Promise<Store> {
  const store = await openMemoryStore()
  for (const { operations } of writes) await store.write(operations, { sync: true })
  return store
}

/** A copy of all that a store holds now. */
export async function copyOf(store: Store): Promise<Store> {
  const operations: WriteOperation[] = []
  for await (const [key, value] of store.range({})) operations.push({ type: 'put', key, value })
  return await storeOf([{ operations, sync: true }])
}

/** All keys of a store that begin with `prefix`. */
export async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.range({ gte: prefix })) {
    if (!key.startsWith(prefix)) break
    keys.push(key)
  }
  return keys
}
