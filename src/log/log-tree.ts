import { merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { recordLeaf } from '../../protocols/checkpoint/v1/tree.ts'
import { concat } from '../../protocols/primitives/bytes.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { TREE_PREFIX, parseSortableNumber, treeKey, treeLevelPrefix } from './keys.ts'
import { isStoreUnavailable } from './level-store.ts'
import { TILE_LEAVES } from './limits.ts'
import type { LogHead } from './log-reader.ts'
import type { LogRecord } from './record.ts'
import type { Store, WriteOperation } from './store.ts'
import { prefixRange } from './store.ts'
import type { TreeState } from './tree-view.ts'
import { TreeView } from './tree-view.ts'

// So that a reader of the log's output sees it go on, once in some seconds.
const PROGRESS_EVERY_TILES = 512
// Deleted in one batch: as many entries as a tree of some ten million records has, in steps that do not hold up others.
const DELETED_AT_ONCE = 1_024

/** The log, as the tree over it sees it. */
interface TreeLog {
  readonly head: LogHead
  records(after: number, upTo: number): AsyncIterable<LogRecord>
  writeFailed(reason: string): void
}

/** What a group of records adds to the tree. */
export interface TreeGrowth {
  /** To be written in the group's batch. */
  readonly operations: readonly WriteOperation[]
  /** Takes the growth over, once the batch is written and the head has moved. */
  commit(): void
}

/**
 * The Merkle tree over the log (checkpoint/v1). Every 256 records one tile of leaf hashes is stored, in the batch of the
 * last of them; what stands behind the last tile is made from the records. Of a store that has no tree yet, or only the
 * beginning of one, it is built in the background, and appends do not wait for that.
 */
export class LogTree {
  readonly #store: Store
  readonly #log: TreeLog
  readonly #logger: Logger
  /** `null` until it is loaded. */
  #state: TreeState | null = null
  #loading: Promise<void> | null = null
  /** Of the build that is under way. */
  #built = 0
  /** Grows with each reset, so that a load that began before ends without effect. */
  #generation = 0
  #closed = false

  constructor(ports: { readonly store: Store; readonly logger: Logger }, log: TreeLog) {
    this.#store = ports.store
    this.#logger = ports.logger
    this.#log = log
  }

  /** The tree as it is now, over all that is durable; `null` while it is being built: `ready` starts that. */
  get view(): TreeView | null {
    return this.#state === null ? null : new TreeView(this.#store, this.#state)
  }

  /** How many records the tree is over so far. */
  get builtTo(): number {
    return this.view?.size ?? this.#built
  }

  /** Resolves with the tree once it is over all of the log. Rejects when the store can't be read or written. */
  async ready(): Promise<TreeView> {
    while (this.view === null) {
      if (this.#closed) throw new Error('the log is closed')
      await this.#load()
    }
    return this.view
  }

  /** What records with these hashes, the next of the log, add. */
  grow(recordHashes: readonly Uint8Array[]): TreeGrowth {
    const before = this.#state
    const leaves = recordHashes.map(recordLeaf)
    if (before === null) {
      this.#load().catch((error: unknown) => this.#logger.warn({ reason: messageOf(error) }, 'the tree waits'))
      return { operations: [], commit: () => this.#join(leaves) }
    }
    if (before.tail.length + leaves.length < TILE_LEAVES) return { operations: [], commit: () => this.#join(leaves) }
    const { state, operations } = flush({ ...before, tail: [...before.tail, ...leaves] })
    return {
      operations,
      commit: () => {
        if (this.#state === before) this.#state = state
        else this.reset()
      }
    }
  }

  /** After a write that failed: what the store holds is looked at anew. */
  reset(): void {
    this.#generation += 1
    this.#state = null
    this.#loading = null
  }

  /** Ends building after the tile in hand. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([this.#loading])
  }

  /** Records that complete no tile, or were written while the tree was being built: if it is there, it lacks just them. */
  #join(leaves: readonly Uint8Array[]): void {
    const state = this.#state
    if (state === null) return
    if (state.tiles * TILE_LEAVES + state.tail.length + leaves.length === this.#log.head.logSeq)
      state.tail.push(...leaves)
    else this.reset()
  }

  #load(): Promise<void> {
    this.#loading ??= this.#build(this.#generation).catch((error: unknown) => {
      this.#loading = null
      if (isStoreUnavailable(error)) this.#log.writeFailed(messageOf(error))
      throw error
    })
    return this.#loading
  }

  async #build(generation: number): Promise<void> {
    let state = await this.#stored()
    const total = this.#log.head.logSeq
    for (;;) {
      const size = state.tiles * TILE_LEAVES + state.tail.length
      this.#built = size
      if (generation !== this.#generation || this.#closed) return
      const head = this.#log.head.logSeq
      if (size === head) break
      const upTo = Math.min(head, (state.tiles + 1) * TILE_LEAVES)
      const tail = [...state.tail]
      for await (const { hash } of this.#log.records(size, upTo)) tail.push(recordLeaf(hash))
      if (state.tiles * TILE_LEAVES + tail.length !== upTo) throw new Error(`the log lacks records before ${upTo}`)
      const flushed = flush({ ...state, tail })
      // What is lost of it by a crash is built again.
      if (flushed.operations.length > 0) await this.#store.write(flushed.operations, { sync: false })
      state = flushed.state
      if (flushed.operations.length > 0 && state.tiles % PROGRESS_EVERY_TILES === 0)
        this.#logger.info({ records: state.tiles * TILE_LEAVES, of: total }, 'building the tree over the log')
    }
    this.#state = state
  }

  /** What the store holds of the tree; nothing where that is of a longer log. */
  async #stored(): Promise<TreeState> {
    let tiles = 0
    for await (const [key] of this.#store.range({ ...prefixRange(treeLevelPrefix(0)), reverse: true, limit: 1 }))
      tiles = parseSortableNumber(key.slice(treeLevelPrefix(0).length)) + 1
    if (tiles * TILE_LEAVES > this.#log.head.logSeq) {
      this.#logger.warn({ tiles, logSeq: this.#log.head.logSeq }, 'the tree is longer than the log; it is built anew')
      await this.#remove()
      tiles = 0
    }
    const uppers: Uint8Array[][] = []
    for (let level = 1, stored = tiles; stored > 0; level += 1, stored = Math.floor(stored / TILE_LEAVES)) {
      const first = stored - (stored % TILE_LEAVES)
      const keys = Array.from({ length: stored - first }, (_, offset) => treeKey(level, first + offset))
      const hashes = await this.#store.getMany(keys)
      uppers.push(hashes.flatMap((hash) => hash ?? []))
      if (hashes.includes(undefined)) throw new Error(`the tree over the log lacks hashes of level ${level}`)
    }
    return { tiles, tail: [], uppers }
  }

  async #remove(): Promise<void> {
    for (;;) {
      const operations: WriteOperation[] = []
      for await (const [key] of this.#store.range({ ...prefixRange(TREE_PREFIX), limit: DELETED_AT_ONCE }))
        operations.push({ type: 'del', key })
      if (operations.length === 0) return
      await this.#store.write(operations, { sync: false })
    }
  }
}

/** Makes tiles of the tail, and of 256 hashes of a level one of the next. */
function flush(state: TreeState): { readonly state: TreeState; readonly operations: readonly WriteOperation[] } {
  if (state.tail.length < TILE_LEAVES) return { state, operations: [] }
  const operations: WriteOperation[] = []
  const uppers = state.uppers.map((hashes) => [...hashes])
  let { tiles } = state
  let from = 0
  for (; state.tail.length - from >= TILE_LEAVES; from += TILE_LEAVES) {
    const leaves = state.tail.slice(from, from + TILE_LEAVES)
    operations.push({ type: 'put', key: treeKey(0, tiles), value: concat(...leaves) })
    addUpper(uppers, leaves, tiles, operations)
    tiles += 1
  }
  return { state: { tiles, tail: state.tail.slice(from), uppers }, operations }
}

/** Adds the root over a complete run of hashes to the level above it, and so on. */
function addUpper(
  uppers: Uint8Array[][],
  hashes: readonly Uint8Array[],
  tile: number,
  operations: WriteOperation[]
): void {
  let complete: readonly Uint8Array[] = hashes
  for (let level = 1, index = tile; complete.length === TILE_LEAVES; level += 1) {
    const root = merkleRoot(complete)
    operations.push({ type: 'put', key: treeKey(level, index), value: root })
    const siblings = uppers[level - 1] ?? []
    siblings.push(root)
    uppers[level - 1] = siblings.length === TILE_LEAVES ? [] : siblings
    complete = siblings
    index = Math.floor(index / TILE_LEAVES)
  }
}
