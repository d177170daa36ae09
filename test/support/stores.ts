import { AnchormeshError } from '../../src/platform/errors.ts'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import type { KeyRange, Store, StoreSnapshot, WriteOperation } from '../../src/log/store.ts'

/** Hands everything on to another store; a test replaces what it wants to watch or to break. */
export class WrappedStore implements Store {
  readonly inner: Store

  constructor(inner: Store) {
    this.inner = inner
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.inner.get(key)
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return await this.inner.getMany(keys)
  }

  range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    return this.inner.range(range)
  }

  async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    await this.inner.write(operations, options)
  }

  async snapshot(): Promise<StoreSnapshot> {
    return await this.inner.snapshot()
  }

  async reopen(): Promise<void> {
    await this.inner.reopen()
  }

  async sizeBytes(): Promise<number> {
    return await this.inner.sizeBytes()
  }

  async freeBytes(): Promise<number> {
    return await this.inner.freeBytes()
  }

  async close(): Promise<void> {
    await this.inner.close()
  }
}

/** Keeps the keys of every batch that was written, and whether it was synced. */
export class WatchedStore extends WrappedStore {
  readonly writes: { readonly keys: readonly string[]; readonly sync: boolean }[] = []

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.writes.push({ keys: operations.map(({ key }) => key), sync: options.sync })
    await super.write(operations, options)
  }

  /** The synced batches that hold records of the log, as the number of records in each. */
  groups(): number[] {
    const counts = this.writes
      .filter(({ sync }) => sync)
      .map(({ keys }) => keys.filter((key) => key.startsWith('r!')).length)
    return counts.filter((count) => count > 0)
  }
}

/** Counts what is read. */
export class CountedStore extends WrappedStore {
  gets = 0
  getManys = 0
  ranges = 0
  /** Entries that ranges gave. */
  entries = 0

  override async get(key: string): Promise<Uint8Array | undefined> {
    this.gets += 1
    return await super.get(key)
  }

  override async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    this.getManys += 1
    return await super.getMany(keys)
  }

  override async *range(range: KeyRange): AsyncGenerator<[string, Uint8Array]> {
    this.ranges += 1
    for await (const entry of super.range(range)) {
      this.entries += 1
      yield entry
    }
  }

  /** What was read since the last call. */
  taken(): { gets: number; getManys: number; ranges: number; entries: number } {
    const { gets, getManys, ranges, entries } = this
    this.gets = this.getManys = this.ranges = this.entries = 0
    return { gets, getManys, ranges, entries }
  }
}

/** Lets a test hold reads of a key back: they see the store as it was when they were asked. */
export class SlowReadStore extends WrappedStore {
  readonly #held = new Map<string, PromiseWithResolvers<void>>()

  /** From now on reads of `key` wait; the returned function lets them go. */
  hold(key: string): () => void {
    const held = Promise.withResolvers<void>()
    this.#held.set(key, held)
    return () => {
      this.#held.delete(key)
      held.resolve()
    }
  }

  override async get(key: string): Promise<Uint8Array | undefined> {
    const value = await super.get(key)
    await this.#held.get(key)?.promise
    return value
  }
}

/** Refuses, as a full disk does, the first write of a value that holds `text`, and nothing else. */
export class FullOnceStore extends WrappedStore {
  refused = 0
  readonly #text: string

  constructor(inner: Store, text: string) {
    super(inner)
    this.#text = text
  }

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    const holds = (one: WriteOperation): boolean =>
      one.type === 'put' && Buffer.from(one.value).toString().includes(this.#text)
    if (this.refused === 0 && operations.some(holds)) {
      this.refused += 1
      throw new AnchormeshError('STORE_FULL', 'no room for this one')
    }
    await super.write(operations, options)
  }
}

/**
 * Fails as LevelDB does when the disk is full: after one write that failed, every write fails until it is opened anew;
 * when that fails as well, nothing can be read either.
 */
export class FailingStore extends WrappedStore {
  /**
   * `lost`: nothing of a failing write is kept. `kept`: it reaches the disk, only the answer is an error (a failed
   * sync).
   */
  mode: 'lost' | 'kept' = 'lost'
  /** Whether writes of such keys fail; by default none does. */
  full: (key: string) => boolean = () => false
  /** Whether it can be opened anew. */
  canReopen = true
  /** What `freeBytes` says. */
  free: number | Error = Infinity
  reopened = 0
  #broken = false
  #closed = false
  /** What a failed write left on the disk: it shows when the store is opened anew. */
  #kept: WriteOperation[] = []

  override async get(key: string): Promise<Uint8Array | undefined> {
    this.#assertOpen()
    return await super.get(key)
  }

  override async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen()
    return await super.getMany(keys)
  }

  override range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    this.#assertOpen()
    return super.range(range)
  }

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.#assertOpen()
    if (this.#broken) throw full('an earlier write failed')
    if (!operations.some(({ key }) => this.full(key))) {
      await super.write(operations, options)
      return
    }
    this.#broken = true
    if (this.mode === 'kept') this.#kept = [...operations]
    throw full('no space left on device')
  }

  override async reopen(): Promise<void> {
    this.reopened += 1
    this.#closed = !this.canReopen
    await Promise.resolve()
    if (this.#closed) throw full('no space left on device')
    await super.write(this.#kept.splice(0), { sync: true })
    this.#broken = false
  }

  override freeBytes(): Promise<number> {
    return this.free instanceof Error ? Promise.reject(this.free) : Promise.resolve(this.free)
  }

  #assertOpen(): void {
    if (this.#closed) throw full('the store could not be opened again')
  }
}

function full(reason: string): AnchormeshError {
  return new AnchormeshError('STORE_FULL', `IO error: ${reason}`)
}

/** Holds writes of log records back, as long as somebody has `held` them. */
export class HeldStore extends WrappedStore {
  held: PromiseWithResolvers<void> | null = null
  waiting = 0

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.held !== null && operations.some(({ key }) => key.startsWith(RECORD_PREFIX))) {
      this.waiting += 1
      await this.held.promise
    }
    await super.write(operations, options)
  }
}
