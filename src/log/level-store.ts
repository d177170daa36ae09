import { DAMAGE_HINT } from './damage-hint.ts'
import type { Stats } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { AbstractChainedBatch, AbstractIterator, AbstractLevel, AbstractSnapshot } from 'abstract-level'
import { Level } from 'level'
import { MemoryLevel } from 'memory-level'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from './store.ts'
import { checkWriteAheadLogs } from './write-ahead-check.ts'

type Database = AbstractLevel<string | Buffer | Uint8Array, string, Uint8Array>

// Eight times LevelDB's default: fewer and larger level-0 files halve the compaction work of a bulk import. While one
// buffer is written out a second one fills, so it can cost 64 MiB; a start has at most one of them to replay, in well
// under a second.
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024
// LevelDB's default is 8 MiB; the id index and the rows in use of a busy node fit in this.
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024

/**
 * Folders that this process has open: at a second try LevelDB refuses, but lets go of the lock that keeps other
 * processes out.
 */
const openFolders = new Set<string>()

/**
 * Opens the LevelDB folder `location`. With `create` false a missing store is an error, never a new one.
 * Throws `STORE_LOCKED` when another process holds it, `STORE_CORRUPT` when it is damaged or LevelDB refuses it,
 * `STORE_FULL` when there is no room to open it.
 */
export async function openLevelStore(location: string, options: { readonly create: boolean }): Promise<Store> {
  const folder = resolve(location)
  if (openFolders.has(folder)) throw locked(location, 'this process')
  openFolders.add(folder)
  try {
    await checkWriteAheadLogs(folder)
    const database: Database = new Level<string, Uint8Array>(location, {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
      createIfMissing: options.create,
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: BLOCK_CACHE_BYTES
    })
    await database.open()
    return new LevelStore(database, folder)
  } catch (error) {
    openFolders.delete(folder)
    throw openFailure(location, error)
  }
}

/**
 * Writes the tables of a store that nobody has open anew, so that nothing stands in them that was overwritten or
 * deleted. Throws as `openLevelStore` does.
 */
export async function compactLevelStore(location: string): Promise<void> {
  const folder = resolve(location)
  if (openFolders.has(folder)) throw locked(location, 'this process')
  try {
    const database: object & Pick<Database, 'open' | 'close'> = new Level<string, Uint8Array>(location, {
      keyEncoding: 'utf8',
      createIfMissing: false
    })
    await database.open()
    try {
      if (canCompact(database)) await database.compactRange('', '\uffff')
    } finally {
      await database.close()
    }
  } catch (error) {
    throw openFailure(location, error)
  }
}

/** LevelDB on a disk; the types are those of `level` in browsers, too. */
function canCompact(database: object): database is { compactRange(start: string, end: string): Promise<void> } {
  return 'compactRange' in database
}

/** A store in memory, for simulations and tests: the same behaviour without a disk. */
export async function openMemoryStore(): Promise<Store> {
  const database: Database = new MemoryLevel<string, Uint8Array>({ keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  return new LevelStore(database, null)
}

function locked(location: string, by: string, cause?: unknown): AnchormeshError {
  return new AnchormeshError('STORE_LOCKED', `${by} has the store ${location} open`, {
    hint: 'stop the other process; where it is a node that is starting, wait for its line `ready`',
    cause
  })
}

// What LevelDB says of a disk without room, of a quota and of a limit on file sizes: it hands on the words of the
// system.
const NO_ROOM = /no space left|quota exceeded|file too large/i

function openFailure(location: string, error: unknown): AnchormeshError {
  if (error instanceof AnchormeshError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (NO_ROOM.test(messageOf(cause))) {
    return new AnchormeshError('STORE_FULL', `there is no room to open the store ${location}: ${messageOf(cause)}`, {
      hint: 'free disk space',
      cause
    })
  }
  if (codeOf(cause) === 'LEVEL_LOCKED') return locked(location, 'another process', cause)
  return new AnchormeshError('STORE_CORRUPT', `the store ${location} can't be opened: ${messageOf(cause)}`, {
    hint: DAMAGE_HINT,
    cause
  })
}

/**
 * Whether the store could not be used at that moment (a full disk, a store that is being opened anew); what it holds is
 * not in doubt.
 */
export function isStoreUnavailable(error: unknown): boolean {
  const code = codeOf(error)
  if (typeof code !== 'string') return false
  return code === 'STORE_FULL' || (code.startsWith('LEVEL_') && code !== 'LEVEL_CORRUPTION')
}

const AS_TEXT = { valueEncoding: 'utf8' } as const

// Reading a few entries too many costs less than asking once more.
const FIRST_ENTRIES = 16
// As many as an iterator reads ahead by itself; LevelDB ends sooner where they are more than 16 KiB.
const NEXT_ENTRIES = 1_000

/** LevelDB takes text as it is, which is cheaper than encoding it first. */
function putInto(
  batch: AbstractChainedBatch<Database, string, Uint8Array>,
  key: string,
  value: Uint8Array | string
): void {
  if (typeof value === 'string') batch.put<string, string>(key, value, AS_TEXT)
  else batch.put(key, value)
}

/** While the store is opened anew, whoever reads or writes waits. */
interface Gate {
  reopening: Promise<void> | null
  closed: boolean
}

class LevelReader implements StoreReader {
  readonly #database: Database
  readonly #gate: Gate
  readonly #snapshot: AbstractSnapshot | undefined

  constructor(database: Database, gate: Gate, snapshot?: AbstractSnapshot) {
    this.#database = database
    this.#gate = gate
    this.#snapshot = snapshot
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.#gate.reopening !== null) await this.#gate.reopening
    try {
      return await this.#database.get(key, this.#options())
    } catch (error) {
      throw failure(error, 'read', this.#gate)
    }
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return []
    if (this.#gate.reopening !== null) await this.#gate.reopening
    try {
      return await this.#database.getMany([...keys], this.#options())
    } catch (error) {
      throw failure(error, 'read', this.#gate)
    }
  }

  get getNow(): ((key: string) => Uint8Array | undefined) | undefined {
    return this.#gate.reopening === null ? this.#getNow : undefined
  }

  async *range(range: KeyRange): AsyncGenerator<[string, Uint8Array]> {
    if (this.#gate.reopening !== null) await this.#gate.reopening
    try {
      yield* entriesOf(this.#database.iterator({ ...range, ...this.#options() }))
    } catch (error) {
      throw failure(error, 'read', this.#gate)
    }
  }

  readonly #getNow = (key: string): Uint8Array | undefined => {
    try {
      return this.#database.getSync(key, this.#options())
    } catch (error) {
      throw failure(error, 'read', this.#gate)
    }
  }

  #options(): { snapshot?: AbstractSnapshot } {
    return this.#snapshot === undefined ? {} : { snapshot: this.#snapshot }
  }
}

/**
 * An iterator by itself crosses into a thread for its first entry alone, and again for whether there is a second: twice
 * for what is found in one place. LevelDB says with an answer whether it was the last.
 */
async function* entriesOf(
  iterator: AbstractIterator<Database, string, Uint8Array>
): AsyncGenerator<[string, Uint8Array]> {
  try {
    for (let size = FIRST_ENTRIES; ; size = NEXT_ENTRIES) {
      const entries = await iterator.nextv(size)
      if (entries.length === 0) return
      yield* entries
    }
  } finally {
    await iterator.close()
  }
}

class LevelStore extends LevelReader implements Store {
  readonly #database: Database
  readonly #location: string | null
  readonly #gate: Gate
  /** Whether a write failed since the store was opened. */
  #opening = { writeFailed: false }

  constructor(database: Database, location: string | null) {
    const gate: Gate = { reopening: null, closed: false }
    super(database, gate)
    this.#database = database
    this.#location = location
    this.#gate = gate
  }

  async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#gate.reopening !== null) await this.#gate.reopening
    const opening = this.#opening
    if (opening.writeFailed) throw refusedWrite()
    try {
      // A chained batch crosses into LevelDB one operation at a time and costs half of what an array of objects does.
      const batch = this.#database.batch()
      for (const operation of operations) {
        if (operation.type === 'put') putInto(batch, operation.key, operation.value)
        else batch.del(operation.key)
      }
      await batch.write(this.#location === null ? {} : options)
    } catch (error) {
      const reason = failure(error, 'write', this.#gate)
      opening.writeFailed ||= isStoreUnavailable(reason)
      throw reason
    }
    // It stood behind the failed one in LevelDB's queue.
    if (opening.writeFailed) throw refusedWrite()
  }

  async snapshot(): Promise<StoreSnapshot> {
    if (this.#gate.reopening !== null) await this.#gate.reopening
    const snapshot = this.#newSnapshot()
    const reader = new LevelReader(this.#database, this.#gate, snapshot)
    return {
      get: (key) => reader.get(key),
      getMany: (keys) => reader.getMany(keys),
      get getNow() {
        return reader.getNow
      },
      range: (range) => reader.range(range),
      close: () => snapshot.close()
    }
  }

  #newSnapshot(): AbstractSnapshot {
    try {
      return this.#database.snapshot()
    } catch (error) {
      throw failure(error, 'read', this.#gate)
    }
  }

  async reopen(): Promise<void> {
    const reopening = Promise.withResolvers<void>()
    this.#gate.reopening = reopening.promise
    try {
      await this.#database.close()
      if (this.#location !== null) await checkWriteAheadLogs(this.#location)
      await this.#database.open({ createIfMissing: false })
      if (this.#location !== null) openFolders.add(this.#location)
      this.#gate.closed = false
      this.#opening = { writeFailed: false }
    } catch (error) {
      throw openFailure(this.#location ?? 'in memory', error)
    } finally {
      this.#gate.reopening = null
      reopening.resolve()
    }
  }

  async sizeBytes(): Promise<number> {
    if (this.#location === null) return 0
    let bytes = 0
    for (const name of await readdir(this.#location)) {
      // LevelDB deletes files whenever it has merged them.
      bytes += (await stat(join(this.#location, name)).catch(absent))?.size ?? 0
    }
    return bytes
  }

  async freeBytes(): Promise<number> {
    if (this.#location === null) return Infinity
    const { bavail, bsize } = await statfs(this.#location)
    return bavail * bsize
  }

  async close(): Promise<void> {
    this.#gate.closed = true
    await this.#database.close()
    if (this.#location !== null) openFolders.delete(this.#location)
  }
}

/**
 * After a write that was cut in the middle LevelDB takes further ones, also synced, as soon as there is room; but when
 * it is opened again it reads its write-ahead log only as far as the cut. So nothing more is acknowledged until it was
 * opened anew.
 */
function refusedWrite(): AnchormeshError {
  return new AnchormeshError('STORE_FULL', 'an earlier write failed, and the store was not opened anew since', {
    hint: 'free disk space'
  })
}

/**
 * What a failed read or write means: bytes that LevelDB can't read are damage; a write that fails, or a store that
 * could not be opened again after one, is a disk without room. Anything else is a defect and stays what it is.
 */
function failure(error: unknown, doing: 'read' | 'write', gate: Gate): unknown {
  const code = codeOf(error)
  if (code === 'LEVEL_IO_ERROR' || code === 'LEVEL_CORRUPTION') {
    return doing === 'write'
      ? new AnchormeshError('STORE_FULL', messageOf(error), { hint: 'free disk space', cause: error })
      : new AnchormeshError('STORE_CORRUPT', `the store can't be read: ${messageOf(error)}`, {
          hint: 'run `anchormesh log verify`, then restore a backup',
          cause: error
        })
  }
  if (!gate.closed && typeof code === 'string' && code.endsWith('_NOT_OPEN')) {
    return new AnchormeshError('STORE_FULL', 'the store could not be opened again after a failed write', {
      hint: 'free disk space',
      cause: error
    })
  }
  return error
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function absent(error: unknown): Stats | undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
