import { HASH_BYTES, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import type { LeafRange } from '../../protocols/checkpoint/v1/tree.ts'
import {
  completeSubtrees,
  consistencyRanges,
  hashOfSubtrees,
  inclusionRanges
} from '../../protocols/checkpoint/v1/tree.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { DAMAGE_HINT } from './damage-hint.ts'
import { treeKey } from './keys.ts'
import { TILE_LEAVES } from './limits.ts'
import type { StoreReader } from './store.ts'

/** How far the stored tree goes, and the leaves behind that. Nothing but the tail changes in place, and that only grows. */
export interface TreeState {
  /** How many tiles are stored. */
  readonly tiles: number
  /** The leaf hashes of the records behind the last tile. */
  readonly tail: Uint8Array[]
  /**
   * At index l − 1: the stored hashes of level l behind the last complete one of the level above, so that the next of
   * that can be made.
   */
  readonly uppers: readonly (readonly Uint8Array[])[]
}

/** The tree over the first records of a log, up to a size: roots and proofs (checkpoint/v1). */
export class TreeView {
  readonly #store: StoreReader
  readonly #state: TreeState
  /** How many records it is over: as many as there were when it was made. */
  readonly size: number

  constructor(store: StoreReader, state: TreeState) {
    this.#store = store
    this.#state = state
    this.size = state.tiles * TILE_LEAVES + state.tail.length
  }

  /** The root over the first `size` records; at most as many as there are. */
  async root(size: number): Promise<Uint8Array> {
    return await this.#hash({ begin: 0, end: size })
  }

  /** The leaf hash of a record. */
  async leaf(logSeq: number): Promise<Uint8Array> {
    return await this.#hash({ begin: logSeq - 1, end: logSeq })
  }

  /** The inclusion proof of a record in the tree of `size`. Throws `RangeError`. */
  async inclusion(logSeq: number, size: number): Promise<Uint8Array[]> {
    return await this.#hashes(inclusionRanges(logSeq - 1, size))
  }

  /** The consistency proof from the tree of `from` to that of `to`. Throws `RangeError`. */
  async consistency(from: number, to: number): Promise<Uint8Array[]> {
    return await this.#hashes(consistencyRanges(from, to))
  }

  async #hashes(ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = []
    for (const range of ranges) hashes.push(await this.#hash(range))
    return hashes
  }

  async #hash(range: LeafRange): Promise<Uint8Array> {
    if (range.end > this.size) throw new RangeError(`the tree has ${this.size} leaves, not ${range.end}`)
    const hashes: Uint8Array[] = []
    for (const subtree of completeSubtrees(range)) hashes.push(await this.#complete(subtree))
    return hashOfSubtrees(hashes)
  }

  /** A subtree whose size is a power of two: made from at most 128 hashes of the level below it. */
  async #complete({ begin, end }: LeafRange): Promise<Uint8Array> {
    let level = 0
    let width = 1
    while (width * TILE_LEAVES <= end - begin) {
      level += 1
      width *= TILE_LEAVES
    }
    return merkleRoot(await this.#level(level, begin / width, end / width))
  }

  /** The hashes of a level with `from <= index < to`: what is stored, and the others made from the level below. */
  async #level(level: number, from: number, to: number): Promise<Uint8Array[]> {
    if (level === 0) return await this.#leaves(from, to)
    const stored = Math.floor(this.#state.tiles / TILE_LEAVES ** (level - 1))
    const split = Math.min(to, Math.max(from, stored))
    const keys = Array.from({ length: split - from }, (_, offset) => treeKey(level, from + offset))
    const hashes = (await this.#store.getMany(keys)).map((bytes, offset) => checked(bytes, HASH_BYTES, keys[offset]))
    for (let index = split; index < to; index += 1)
      hashes.push(merkleRoot(await this.#level(level - 1, index * TILE_LEAVES, (index + 1) * TILE_LEAVES)))
    return hashes
  }

  async #leaves(from: number, to: number): Promise<Uint8Array[]> {
    const { tiles, tail } = this.#state
    const inTiles = tiles * TILE_LEAVES
    const leaves: Uint8Array[] = []
    for (let at = from; at < Math.min(to, inTiles);) {
      const tile = Math.floor(at / TILE_LEAVES)
      const key = treeKey(0, tile)
      const bytes = checked(await this.#store.get(key), TILE_LEAVES * HASH_BYTES, key)
      for (; at < Math.min(to, (tile + 1) * TILE_LEAVES); at += 1) {
        const offset = (at - tile * TILE_LEAVES) * HASH_BYTES
        leaves.push(bytes.subarray(offset, offset + HASH_BYTES))
      }
    }
    for (let at = Math.max(from, inTiles); at < to; at += 1) leaves.push(tail[at - inTiles] as Uint8Array)
    return leaves
  }
}

function checked(bytes: Uint8Array | undefined, length: number, key: string | undefined): Uint8Array {
  if (bytes?.length === length) return bytes
  throw new AnchormeshError('STORE_CORRUPT', `the tree over the log is damaged at ${key}`, { hint: DAMAGE_HINT })
}
