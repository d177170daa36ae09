import { AnchormeshError } from '../../src/platform/errors.ts'
import type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from '../../src/log/store.ts'
import { rangeOf, readerOf, snapshotOf } from './map-reader.ts'
import type { MapReader } from './map-reader.ts'
import type { OrderedMap } from './ordered-map.ts'
import type { StoredValue } from './stored-value.ts'
import type { Volume } from './volume.ts'

/** The disk, as a store that a process has open sees it. */
export interface DiskAccess {
  readonly isFull: () => boolean
  /** Calls back when the disk has synced, if the process lives to see it; at once where that takes no time. */
  readonly synced: (done: () => void) => void
  /** Whether what a failing write was given has reached the disk all the same. */
  readonly isKept: () => boolean
  /** A write has come to its end. */
  readonly onWritten: (operations: readonly WriteOperation[], sync: boolean) => void
}

interface Waiting {
  readonly operations: readonly WriteOperation[]
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The store of one process on a simulated disk, with LevelDB's ways: writes stand in one queue, all that have gathered
 * behind one are written together after it, and after one that has failed all are refused until the store is opened
 * anew.
 */
export class DiskStore implements Store {
  readonly #volume: Volume
  readonly #disk: DiskAccess
  readonly #reader: MapReader
  #queue: Waiting[] = []
  #underWay: readonly Waiting[] | null = null
  #idle: (() => void)[] = []
  #state: 'open' | 'failed' | 'reopening' | 'unopened' | 'closed' = 'open'
  #opened: Promise<void> = Promise.resolve()

  constructor(volume: Volume, disk: DiskAccess) {
    this.#volume = volume
    this.#disk = disk
    this.#reader = readerOf(() => this.#readable())
  }

  /** What is being written: it may have come to the disk, or not. */
  get underWay(): readonly WriteOperation[] {
    return this.#underWay?.flatMap(({ operations }) => operations) ?? []
  }

  get getNow(): StoreReader['getNow'] {
    return this.#state === 'reopening' ? undefined : this.#reader.getNow
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.#state === 'reopening') await this.#opened
    return this.#reader.getNow(key)
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    if (this.#state === 'reopening') await this.#opened
    return keys.map(this.#reader.getNow)
  }

  range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    const open = async (): Promise<OrderedMap<StoredValue>> => {
      if (this.#state === 'reopening') await this.#opened
      return this.#readable()
    }
    return rangeOf(open, range)
  }

  async snapshot(): Promise<StoreSnapshot> {
    if (this.#state === 'reopening') await this.#opened
    return snapshotOf(this.#readable())
  }

  async write(operations: readonly WriteOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.#state === 'reopening') await this.#opened
    this.#assertWritable()
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ operations, sync, resolve, reject })
      if (this.#underWay === null) this.#writeAll()
    })
  }

  #writeAll(): void {
    const group = this.#queue
    this.#queue = []
    this.#underWay = group
    const done = (): void => {
      this.#underWay = null
      this.#end(group)
      if (this.#queue.length > 0) this.#writeAll()
      else for (const idle of this.#idle.splice(0)) idle()
    }
    if (group.some(({ sync }) => sync)) this.#disk.synced(done)
    else done()
  }

  #end(group: readonly Waiting[]): void {
    const operations = group.flatMap((one) => one.operations)
    if (this.#state === 'failed') {
      for (const { reject } of group) reject(refusedWrite())
      return
    }
    if (this.#disk.isFull() && operations.length > 0) {
      this.#state = 'failed'
      if (this.#disk.isKept()) this.#volume.writeHidden(operations)
      for (const { reject } of group) reject(noRoom('a write failed'))
      return
    }
    const sync = group.some((one) => one.sync)
    this.#volume.write(operations, { sync })
    this.#disk.onWritten(operations, sync)
    for (const { resolve } of group) resolve()
  }

  async reopen(): Promise<void> {
    const opened = Promise.withResolvers<void>()
    this.#opened = opened.promise
    await this.#drained()
    this.#state = 'reopening'
    await new Promise<void>((resolve) => this.#disk.synced(resolve))
    const isFull = this.#disk.isFull()
    if (isFull) this.#state = 'unopened'
    else {
      this.#volume.open()
      this.#state = 'open'
    }
    opened.resolve()
    if (isFull) throw noRoom('the store can not be opened')
  }

  sizeBytes(): Promise<number> {
    return Promise.resolve(0)
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(this.#disk.isFull() ? 0 : Infinity)
  }

  async close(): Promise<void> {
    await this.#drained()
    this.#state = 'closed'
  }

  async #drained(): Promise<void> {
    if (this.#underWay === null) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #readable(): OrderedMap<StoredValue> {
    if (this.#state === 'closed') throw new Error('the store is closed')
    if (this.#state === 'unopened') throw noRoom('the store could not be opened again')
    return this.#volume.written
  }

  #assertWritable(): void {
    this.#readable()
    if (this.#state === 'failed') throw refusedWrite()
  }
}

function refusedWrite(): AnchormeshError {
  return noRoom('an earlier write failed, and the store was not opened anew since')
}

function noRoom(reason: string): AnchormeshError {
  return new AnchormeshError('STORE_FULL', `${reason}: no space left on device`, { hint: 'free disk space' })
}
