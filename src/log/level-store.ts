import type { Stats } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { AbstractChainedBatch, AbstractLevel, AbstractSnapshot } from 'abstract-level'
import { Level } from 'level'
import { MemoryLevel } from 'memory-level'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from './store.ts'

type Database = AbstractLevel<string | Buffer | Uint8Array, string, Uint8Array>

// Eight times LevelDB's default: fewer and larger level-0 files halve the compaction work of a bulk import. While one buffer is
// written out a second one fills, so it can cost 64 MiB; a start has at most one of them to replay, in well under a second.
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024
// LevelDB's default is 8 MiB; the id index and the rows in use of a busy node fit in this.
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024

/**
 * Opens the LevelDB folder `location`. With `create` false a missing store is an error, never a new one.
 * Throws `STORE_LOCKED` when another process holds it, `STORE_CORRUPT` when LevelDB refuses it.
 */
export async function openLevelStore(location: string, options: { readonly create: boolean }): Promise<Store> {
  const database: Database = new Level<string, Uint8Array>(location, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    createIfMissing: options.create,
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: BLOCK_CACHE_BYTES
  })
  try {
    await database.open()
  } catch (error) {
    throw openFailure(location, error)
  }
  return new LevelStore(database, location)
}

/** A store in memory, for simulations and tests: the same behaviour without a disk. */
export async function openMemoryStore(): Promise<Store> {
  const database: Database = new MemoryLevel<string, Uint8Array>({ keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  return new LevelStore(database, null)
}

function openFailure(location: string, error: unknown): AnchormeshError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    return new AnchormeshError('STORE_LOCKED', `another process has the store ${location} open`, {
      hint: 'stop the other process, or let the command talk to the running node',
      cause
    })
  }
  return new AnchormeshError('STORE_CORRUPT', `the store ${location} can't be opened: ${messageOf(cause)}`, {
    hint: 'restore the data folder from a backup, or move it away and let the mesh fill a new one',
    cause
  })
}

/** Whether the store could not be used at that moment (a full disk, a store that is being opened anew); what it holds is not in doubt. */
export function isStoreUnavailable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && code.startsWith('LEVEL_') && code !== 'LEVEL_CORRUPTION'
}

const AS_TEXT = { valueEncoding: 'utf8' } as const

/** LevelDB takes text as it is, which is cheaper than encoding it first. */
function putInto(batch: AbstractChainedBatch<Database, string, Uint8Array>, key: string, value: Uint8Array | string): void {
  if (typeof value === 'string') batch.put<string, string>(key, value, AS_TEXT)
  else batch.put(key, value)
}

class LevelReader implements StoreReader {
  readonly #database: Database
  readonly #snapshot: AbstractSnapshot | undefined

  constructor(database: Database, snapshot?: AbstractSnapshot) {
    this.#database = database
    this.#snapshot = snapshot
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#database.get(key, this.#options())
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return keys.length === 0 ? [] : await this.#database.getMany([...keys], this.#options())
  }

  range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    return this.#database.iterator({ ...range, ...this.#options() })
  }

  #options(): { snapshot?: AbstractSnapshot } {
    return this.#snapshot === undefined ? {} : { snapshot: this.#snapshot }
  }
}

class LevelStore extends LevelReader implements Store {
  readonly #database: Database
  readonly #location: string | null

  constructor(database: Database, location: string | null) {
    super(database)
    this.#database = database
    this.#location = location
  }

  async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    // A chained batch crosses into LevelDB one operation at a time and costs half of what an array of objects does.
    const batch = this.#database.batch()
    for (const operation of operations) {
      if (operation.type === 'put') putInto(batch, operation.key, operation.value)
      else batch.del(operation.key)
    }
    await batch.write(this.#location === null ? {} : options)
  }

  snapshot(): StoreSnapshot {
    const snapshot = this.#database.snapshot()
    const reader = new LevelReader(this.#database, snapshot)
    return {
      get: (key) => reader.get(key),
      getMany: (keys) => reader.getMany(keys),
      range: (range) => reader.range(range),
      close: () => snapshot.close()
    }
  }

  async reopen(): Promise<void> {
    await this.#database.close()
    await this.#database.open({ createIfMissing: false })
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
    await this.#database.close()
  }
}

function absent(error: unknown): Stats | undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
